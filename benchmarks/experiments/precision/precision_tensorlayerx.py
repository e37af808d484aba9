"""TensorLayerX's part of the precision probe: a product and a convolution by layers in this stack's mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorlayerx as tlx


def product(adapter: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (N, K) times b (K, M), by a linear layer."""
    layer = tlx.nn.Linear(b.shape[1], in_features=b.shape[0], b_init=None)
    return _through(adapter, layer, layer.weights, b, a)


def convolution(adapter: Any, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x (N, H, W, C) with w (h, w, C, F), no padding -> (N, H', W', F)."""
    height, width, channels, filters = w.shape
    layer = tlx.nn.Conv2d(filters, (height, width), padding="VALID", in_channels=channels, b_init=None)
    return _through(adapter, layer, layer.filters, w, x)


def _through(adapter: Any, layer: Any, variable: Any, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``layer`` with ``weight`` on ``x``, in the adapter's mode."""
    if tlx.BACKEND == "torch":
        import torch

        layer.to(adapter.backend.device)
        with torch.no_grad():
            variable.copy_(adapter.backend.place_as_is(_as_torch_lies(weight)))
            out: np.ndarray = adapter.to_numpy(layer(adapter.place(x)))
        return out
    variable.assign(weight)
    layer.set_eval()
    out = adapter.to_numpy(adapter.backend.wrap(layer)(adapter.place(x)))
    return out


def _as_torch_lies(weight: np.ndarray) -> np.ndarray:
    """A convolution's filters lie outputs first on that backend; a linear layer's weights as everywhere here."""
    return weight.transpose(3, 2, 0, 1) if weight.ndim == 4 else weight
