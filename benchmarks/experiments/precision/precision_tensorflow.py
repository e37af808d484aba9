"""TensorFlow's part of the precision probe: a product and a convolution by Keras layers in this stack's mode."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def product(adapter: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (N, K) times b (K, M), by a dense layer."""
    return _through(adapter, keras.layers.Dense(b.shape[1], use_bias=False), b, a)


def convolution(adapter: Any, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x (N, H, W, C) with w (h, w, C, F), no padding -> (N, H', W', F)."""
    return _through(adapter, keras.layers.Conv2D(w.shape[3], w.shape[:2], use_bias=False), w, x)


def _through(adapter: Any, layer: Any, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``layer`` with ``weight`` on ``x``, in the adapter's mode and precision."""
    layer.build(x.shape)
    layer.kernel.assign(weight)
    out: np.ndarray = adapter.to_numpy(adapter.wrap(adapter.in_precision(layer))(adapter.place(x)))
    return out
