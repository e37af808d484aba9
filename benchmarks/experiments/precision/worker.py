"""Inside the worker: the error of a product and of a convolution against float64, as this stack computes them."""

from __future__ import annotations

import numpy as np

from benchmarks import experiments
from benchmarks.layers import Conv2D
from benchmarks.worker.session import Session

SIZE = 512  # rows and columns of the product
IMAGES, WIDTH, CHANNELS, KERNEL = 8, 16, 32, 3


def answer(session: Session, *, framework: str) -> dict[str, float | None]:
    layers = experiments.of_framework(framework, "precision")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, SIZE, SIZE)).astype(np.float32)
    found: dict[str, float | None] = {"product_error": error(layers.product(session.adapter, a, b), product(a, b))}
    if any(isinstance(placed.layer, Conv2D) for placed in session.workload.leaves):
        x = rng.standard_normal((IMAGES, WIDTH, WIDTH, CHANNELS)).astype(np.float32)
        w = rng.standard_normal((KERNEL, KERNEL, CHANNELS, CHANNELS)).astype(np.float32)
        found["convolution_error"] = error(layers.convolution(session.adapter, x, w), convolution(x, w))
    return found


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """In float64."""
    out: np.ndarray = a.astype(np.float64) @ b.astype(np.float64)
    return out


def convolution(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """In float64: x (N, H, W, C) with w (h, w, C, F), no padding."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), w.shape[:2], axis=(1, 2))
    out: np.ndarray = np.einsum("nhwckl,klcf->nhwf", windows, w.astype(np.float64), optimize=True)
    return out


def error(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found.astype(np.float64) - exact) / np.linalg.norm(exact))
