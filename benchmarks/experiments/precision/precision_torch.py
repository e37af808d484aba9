"""PyTorch's part of the precision probe: a product and a convolution by layers in this stack's mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.frameworks.torch_modes import MODES


def product(adapter: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (N, K) times b (K, M), by a linear layer."""
    layer = nn.Linear(*b.shape, bias=False)
    return _through(adapter, layer, b.T, a)


def convolution(adapter: Any, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x (N, H, W, C) with w (h, w, C, F), no padding -> (N, H', W', F)."""
    height, width, channels, filters = w.shape
    layer = nn.Conv2d(channels, filters, (height, width), bias=False)
    out = _through(adapter, layer, w.transpose(3, 2, 0, 1), x)
    return out.transpose(0, 2, 3, 1)


def _through(adapter: Any, layer: Any, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``layer`` with ``weight`` on ``x``, in the adapter's mode and precision."""
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        model = adapter.in_precision(layer.to(adapter.device))
        if MODES[adapter.mode].compiles:
            model.compile(dynamic=False)
        out: np.ndarray = adapter.to_numpy(model(adapter.place(x)))
    return out
