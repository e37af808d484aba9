"""The declared mathematics of every layer in float64 NumPy, forward and backward.

Written from the declaration alone; it shares no code with any framework's implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np

from benchmarks import layers as L
from benchmarks.frameworks.base import Conventions

Arrays = dict[str, np.ndarray]


@dataclass
class Context:
    """One pass through one layer: its tensors by short name, and what backward needs."""

    tensors: Arrays
    training: bool
    conventions: Conventions
    kink: float = 0.0
    saved: dict[str, Any] = field(default_factory=dict)
    gradients: Arrays = field(default_factory=dict)


@singledispatch
def forward(layer: Any, x: np.ndarray, c: Context) -> np.ndarray:
    raise TypeError(f"the reference knows no layer {type(layer).__name__}")


@singledispatch
def backward(layer: Any, g: np.ndarray, c: Context) -> np.ndarray:
    raise TypeError(f"the reference knows no layer {type(layer).__name__}")


@forward.register
def _(layer: L.Dense, x: np.ndarray, c: Context) -> np.ndarray:
    c.saved["x"] = x
    return np.asarray(x @ c.tensors["weight"] + c.tensors["bias"])


@backward.register
def _(layer: L.Dense, g: np.ndarray, c: Context) -> np.ndarray:
    x, flat = c.saved["x"].reshape(-1, c.saved["x"].shape[-1]), g.reshape(-1, g.shape[-1])
    c.gradients = {"weight": x.T @ flat, "bias": flat.sum(0)}
    return g @ c.tensors["weight"].T


PATCH_BYTES = 4 << 20  # of images taken at a time: their patches stay in a cache, those of a whole batch would not


def _patches(x: np.ndarray, k: int, step: int = 1) -> Iterator[tuple[slice, np.ndarray]]:
    """A few images of (N, H, W, C) at a time: which, and their (n * H/step * W/step, k * k * C), zero padded alike on
    all sides."""
    pad = k // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))[:, ::step, ::step]  # (N, H, W, C, k, k)
    windows = windows.transpose(0, 1, 2, 4, 5, 3)
    of_one = windows[0].size * windows.itemsize
    count = max(1, PATCH_BYTES // of_one)
    for start in range(0, len(x), count):
        few = slice(start, start + count)
        yield few, windows[few].reshape(-1, k * k * x.shape[3])


def _convolve(x: np.ndarray, kernel: np.ndarray, step: int = 1) -> np.ndarray:
    """(N, H, W, C) with a kernel (k, k, C, F) -> (N, H/step, W/step, F)."""
    k, filters = len(kernel), kernel.shape[3]
    out = np.empty((len(x), -(-x.shape[1] // step), -(-x.shape[2] // step), filters))
    for few, patches in _patches(x, k, step):
        np.matmul(patches, kernel.reshape(-1, filters), out=out[few].reshape(-1, filters))
    return out


@forward.register
def _(layer: L.Conv2D, x: np.ndarray, c: Context) -> np.ndarray:
    weight = c.tensors["weight"]
    c.saved["x"] = x
    out = _convolve(x, weight, layer.step)
    return np.asarray(out + c.tensors["bias"] if layer.bias else out)


def weight_gradients(layer: L.Conv2D, g: np.ndarray, c: Context) -> None:
    x, total = c.saved["x"], np.zeros_like(c.tensors["weight"])
    flat = total.reshape(-1, layer.filters)
    for few, patches in _patches(x, layer.kernel, layer.step):
        flat += patches.T @ g[few].reshape(-1, layer.filters)
    c.gradients = {"weight": total}
    if layer.bias:
        c.gradients["bias"] = g.reshape(-1, layer.filters).sum(0)


@backward.register
def _(layer: L.Conv2D, g: np.ndarray, c: Context) -> np.ndarray:
    weight_gradients(layer, g, c)
    weight, x = c.tensors["weight"], c.saved["x"]
    turned = weight[::-1, ::-1].transpose(0, 1, 3, 2)
    if layer.step > 1:  # zeros between the outputs make it the gradient of a convolution with stride 1
        spread = np.zeros((*x.shape[:3], layer.filters))
        spread[:, :: layer.step, :: layer.step] = g
        g = spread
    return _convolve(g, turned)


@forward.register
def _(layer: L.BatchNorm, x: np.ndarray, c: Context) -> np.ndarray:
    axes = tuple(range(x.ndim - 1))
    if c.training:
        mean, variance = x.mean(axes), x.var(axes)
        n = x.size // x.shape[-1]
        seen = variance * n / (n - 1) if c.conventions.running_variance == "unbiased" else variance
        m = layer.momentum
        c.tensors["running_mean"] = (1 - m) * c.tensors["running_mean"] + m * mean
        c.tensors["running_variance"] = (1 - m) * c.tensors["running_variance"] + m * seen
    else:
        mean, variance = c.tensors["running_mean"], c.tensors["running_variance"]
    scale = 1.0 / np.sqrt(variance + layer.epsilon)
    c.saved["normal"], c.saved["scale"], c.saved["axes"] = (x - mean) * scale, scale, axes
    return np.asarray(c.saved["normal"] * c.tensors["weight"] + c.tensors["bias"])


@backward.register
def _(layer: L.BatchNorm, g: np.ndarray, c: Context) -> np.ndarray:
    normal, axes = c.saved["normal"], c.saved["axes"]
    c.gradients = {"weight": (g * normal).sum(axes), "bias": g.sum(axes)}
    g = g * c.tensors["weight"]
    return np.asarray((g - g.mean(axes) - normal * (g * normal).mean(axes)) * c.saved["scale"])


def _scale(x: np.ndarray, c: Context) -> float:
    """Root mean square, where it is needed."""
    return float(np.sqrt(np.mean(np.square(x)))) if c.kink else 0.0


@forward.register
def _(layer: L.ReLU, x: np.ndarray, c: Context) -> np.ndarray:
    c.saved["on"] = x > 0
    if c.kink:
        c.saved["on"] = np.where(np.abs(x) < abs(c.kink) * _scale(x, c), c.kink > 0, c.saved["on"])
    return np.where(c.saved["on"], x, 0.0)


@backward.register
def _(layer: L.ReLU, g: np.ndarray, c: Context) -> np.ndarray:
    return np.where(c.saved["on"], g, 0.0)


@forward.register
def _(layer: L.MaxPool2D, x: np.ndarray, c: Context) -> np.ndarray:
    n, h, w, ch = x.shape
    s = layer.size
    cells = x.reshape(n, h // s, s, w // s, s, ch).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // s, w // s, s * s, ch)
    c.saved["winner"], c.saved["shape"] = cells.argmax(3), x.shape
    if c.kink:
        order = np.argsort(cells, axis=3)[:, :, :, -2:]
        second, first = np.moveaxis(np.take_along_axis(cells, order, 3), 3, 0)
        near = first - second < abs(c.kink) * _scale(x, c)
        choice = order.max(3) if c.kink > 0 else order.min(3)
        c.saved["winner"] = np.where(near & (first > 0), choice, c.saved["winner"])
    return np.asarray(cells.max(3))


@backward.register
def _(layer: L.MaxPool2D, g: np.ndarray, c: Context) -> np.ndarray:
    n, h, w, ch = c.saved["shape"]
    s = layer.size
    cells = np.zeros((n, h // s, w // s, s * s, ch))
    np.put_along_axis(cells, c.saved["winner"][:, :, :, None], g[:, :, :, None], 3)
    return cells.reshape(n, h // s, w // s, s, s, ch).transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, ch)


@forward.register
def _(layer: L.Flatten, x: np.ndarray, c: Context) -> np.ndarray:
    c.saved["shape"] = x.shape
    return x.reshape(len(x), -1)


@backward.register
def _(layer: L.Flatten, g: np.ndarray, c: Context) -> np.ndarray:
    return g.reshape(c.saved["shape"])


@forward.register
def _(layer: L.Dropout, x: np.ndarray, c: Context) -> np.ndarray:
    if layer.rate and c.training:
        raise ValueError("the reference trains without dropout; use Workload.without_dropout()")
    return x


@backward.register
def _(layer: L.Dropout, g: np.ndarray, c: Context) -> np.ndarray:
    return g


@forward.register
def _(layer: L.GlobalAveragePool2D, x: np.ndarray, c: Context) -> np.ndarray:
    c.saved["shape"] = x.shape
    return np.asarray(x.mean((1, 2)))


@backward.register
def _(layer: L.GlobalAveragePool2D, g: np.ndarray, c: Context) -> np.ndarray:
    n, h, w, ch = c.saved["shape"]
    return np.broadcast_to(g[:, None, None] / (h * w), (n, h, w, ch))


@forward.register
def _(layer: L.Embedding, x: np.ndarray, c: Context) -> np.ndarray:
    c.saved["ids"] = x.astype(np.int64)
    return np.asarray(c.tensors["weight"][c.saved["ids"]])


@backward.register
def _(layer: L.Embedding, g: np.ndarray, c: Context) -> np.ndarray:
    out = np.zeros_like(c.tensors["weight"])
    np.add.at(out, c.saved["ids"].ravel(), g.reshape(-1, layer.columns))
    c.gradients = {"weight": out}
    return g


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


@forward.register
def _(layer: L.LSTM, x: np.ndarray, c: Context) -> np.ndarray:
    """In training mode the state is carried; in evaluation every call starts from 0."""
    t, u = c.tensors, layer.units
    rows = len(x)
    h, cell = (t["h"], t["c"]) if c.training else (np.zeros((rows, u)), np.zeros((rows, u)))
    steps, out = [], []
    for k in range(x.shape[1]):
        z = x[:, k] @ t["input_weight"] + h @ t["recurrent_weight"] + t["bias"]
        i, f, o = (sigmoid(z[:, n * u : (n + 1) * u]) for n in (0, 1, 3))
        g = np.tanh(z[:, 2 * u : 3 * u])
        before, h_before = cell, h
        cell = f * cell + i * g
        h = o * np.tanh(cell)
        steps.append((x[:, k], h_before, before, cell, i, f, g, o))
        out.append(h)
    c.saved["steps"] = steps
    if c.training:
        t["h"], t["c"] = h, cell
    return np.stack(out, 1)


@backward.register
def _(layer: L.LSTM, g: np.ndarray, c: Context) -> np.ndarray:
    t = c.tensors
    c.gradients = {name: np.zeros_like(t[name]) for name in ("input_weight", "recurrent_weight", "bias")}
    dx = []
    dh, dc = np.zeros_like(g[:, 0]), np.zeros_like(g[:, 0])
    for k in range(g.shape[1] - 1, -1, -1):
        x, h_before, before, cell, i, f, candidate, o = c.saved["steps"][k]
        squashed = np.tanh(cell)
        dh = dh + g[:, k]
        dc = dc + dh * o * (1 - squashed**2)
        dz = np.concatenate(
            [
                dc * candidate * i * (1 - i),
                dc * before * f * (1 - f),
                dc * i * (1 - candidate**2),
                dh * squashed * o * (1 - o),
            ],
            1,
        )
        c.gradients["input_weight"] += x.T @ dz
        c.gradients["recurrent_weight"] += h_before.T @ dz
        c.gradients["bias"] += dz.sum(0)
        dx.append(dz @ t["input_weight"].T)
        dh, dc = dz @ t["recurrent_weight"].T, dc * f
    return np.stack(dx[::-1], 1)


@dataclass
class Tree:
    """The contexts of a chain of layers, branches within."""

    placed: L.Placed
    context: Context
    branches: list[list[Tree]]


def run(chain: Sequence[L.Placed], x: np.ndarray, make: Any) -> tuple[np.ndarray, list[Tree]]:
    """``x`` through ``chain``; ``make(placed)`` gives each layer its context."""
    trees = []
    for placed in chain:
        c = make(placed)
        tree = Tree(placed, c, [])
        if placed.branches:
            total: Any = 0.0
            for branch in placed.branches:
                out, below = run(branch, x, make)
                total = total + out
                tree.branches.append(below)
            x = total
        else:
            x = forward(placed.layer, x, c)
        trees.append(tree)
    return x, trees


def back(trees: Sequence[Tree], g: np.ndarray, *, lowest: bool) -> np.ndarray:
    """The gradient through a chain. ``lowest``: nothing below it wants one, so a first convolution gives none."""
    for index in range(len(trees) - 1, -1, -1):
        tree = trees[index]
        layer = tree.placed.layer
        if tree.branches:
            g = np.add.reduce([back(branch, g, lowest=False) for branch in tree.branches])
        elif lowest and index == 0 and isinstance(layer, L.Conv2D):
            weight_gradients(layer, g, tree.context)
        else:
            g = backward(layer, g, tree.context)
    return g


def leaves(trees: Sequence[Tree]) -> Iterator[Tree]:
    """The trees without branches, in declaration order."""
    for tree in trees:
        if tree.branches:
            for branch in tree.branches:
                yield from leaves(branch)
        else:
            yield tree
