"""The declared mathematics in float64 NumPy: the arbiter of every parity certificate.

Written from the declaration alone, layer by layer, forward and backward; it
shares no code with any framework's implementation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np

from benchmarks import layers as L
from benchmarks.frameworks.base import Conventions
from benchmarks.workload import SGD, Adam, Optimiser, Workload

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
    c.gradients = {"weight": c.saved["x"].T @ g, "bias": g.sum(0)}
    return g @ c.tensors["weight"].T


def _patches(x: np.ndarray, k: int) -> np.ndarray:
    """(N, H, W, C) -> (N * H * W, k * k * C), zero padded to the same size."""
    pad = k // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))  # (N, H, W, C, k, k)
    n, h, w, c = windows.shape[:4]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * h * w, k * k * c)


@forward.register
def _(layer: L.Conv2D, x: np.ndarray, c: Context) -> np.ndarray:
    weight = c.tensors["weight"]
    c.saved["patches"] = _patches(x, layer.kernel)
    out = c.saved["patches"] @ weight.reshape(-1, layer.filters)
    return np.asarray(out.reshape(*x.shape[:3], layer.filters) + c.tensors["bias"])


@backward.register
def _(layer: L.Conv2D, g: np.ndarray, c: Context) -> np.ndarray:
    weight = c.tensors["weight"]
    flat = g.reshape(-1, layer.filters)
    c.gradients = {"weight": (c.saved["patches"].T @ flat).reshape(weight.shape), "bias": flat.sum(0)}
    turned = weight[::-1, ::-1].transpose(0, 1, 3, 2).reshape(-1, weight.shape[2])
    return np.asarray((_patches(g, layer.kernel) @ turned).reshape(*g.shape[:3], weight.shape[2]))


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
    c.saved["on"] = (x > 0) ^ (np.abs(x) < c.kink * _scale(x, c))
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
        near = first - second < c.kink * _scale(x, c)
        c.saved["winner"] = np.where(near & (first > 0), order[:, :, :, 0], c.saved["winner"])
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


def softmax_cross_entropy(logits: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean loss over the batch and its gradient by the logits."""
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    rows = np.arange(len(y))
    g = np.exp(log_p)
    g[rows, y] -= 1.0
    return float(-log_p[rows, y].mean()), g / len(y)


class Reference:
    """A workload without dropout, its tensors and its optimiser's state in float64.

    Two switches serve the sensitivity, not the reference itself. With ``rounded`` the arithmetic
    stays float64 but tensors are kept in float32 between steps, as every framework keeps them.
    With ``kink`` every decision (is a unit on, which cell is the maximum) that is closer than that
    share of the layer's root mean square is taken the other way: rounding may take it either way.
    """

    def __init__(
        self,
        workload: Workload,
        tensors: Arrays,
        conventions: Conventions,
        *,
        rounded: bool = False,
        kink: float = 0.0,
    ) -> None:
        self.workload, self.conventions, self.rounded, self.kink = workload, conventions, rounded, kink
        self.tensors = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
        self._trainable = {t.name for t in workload.tensors if t.trainable}
        self._optimiser = _OPTIMISERS[type(workload.optimiser)](workload.optimiser, conventions, rounded)

    def forward(self, x: np.ndarray, *, training: bool) -> tuple[np.ndarray, list[Context]]:
        """Logits (N, classes); in training mode the running statistics move."""
        contexts, out = [], np.asarray(x, np.float64)
        for placed in self.workload.placed:
            named = {t.name.rsplit(".", 1)[1]: t.name for t in placed.tensors}
            mine = {short: self.tensors[full] for short, full in named.items()}
            c = Context(mine, training, self.conventions, self.kink)
            out = forward(placed.layer, out, c)
            for short, full in named.items():
                self.tensors[full] = c.tensors[short]
            contexts.append(c)
        return out, contexts

    def gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float, Arrays]:
        """Training-mode logits, mean loss, and gradients by tensor name."""
        logits, contexts = self.forward(x, training=True)
        value, g = softmax_cross_entropy(logits, y)
        out: Arrays = {}
        placed = self.workload.placed
        first = next(i for i, p in enumerate(placed) if p.tensors)
        for i in range(len(placed) - 1, first - 1, -1):
            c = contexts[i]
            if i == first and isinstance(placed[i].layer, L.Conv2D):
                flat = g.reshape(-1, g.shape[-1])  # nothing below needs the input's gradient
                weight = c.tensors["weight"]
                c.gradients = {"weight": (c.saved["patches"].T @ flat).reshape(weight.shape), "bias": flat.sum(0)}
            else:
                g = backward(placed[i].layer, g, c)
            for t in placed[i].tensors:
                if t.trainable:
                    out[t.name] = c.gradients[t.name.rsplit(".", 1)[1]]
        return logits, value, out

    def step(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float, Arrays]:
        """One optimiser step; returns what :meth:`gradients` does."""
        logits, value, gradients = self.gradients(x, y)
        self._optimiser.apply(self.tensors, gradients)
        if self.rounded:
            self.tensors = {name: value.astype(np.float32).astype(np.float64) for name, value in self.tensors.items()}
        return logits, value, gradients


class _Sgd:
    def __init__(self, declared: Optimiser, conventions: Conventions, rounded: bool) -> None:
        assert isinstance(declared, SGD)
        self.rate = declared.learning_rate

    def apply(self, tensors: Arrays, gradients: Arrays) -> None:
        for name, g in gradients.items():
            tensors[name] = tensors[name] - self.rate * g


class _Adam:
    """``rounded``: the powers of beta are one float32 unit off, as when computed in float32.

    1 - 0.999^t then loses four of seven digits, which is what Keras computes.
    """

    def __init__(self, declared: Optimiser, conventions: Conventions, rounded: bool) -> None:
        assert isinstance(declared, Adam)
        self.off = 1 + 2.0**-24 if rounded else 1.0
        self.d, self.form, self.t = declared, conventions.adam_epsilon, 0
        self.m: Arrays = {}
        self.v: Arrays = {}

    def apply(self, tensors: Arrays, gradients: Arrays) -> None:
        d, self.t = self.d, self.t + 1
        one, two = 1 - d.beta1**self.t * self.off, 1 - d.beta2**self.t * self.off
        for name, g in gradients.items():
            m = self.m[name] = d.beta1 * self.m.get(name, 0.0) + (1 - d.beta1) * g
            v = self.v[name] = d.beta2 * self.v.get(name, 0.0) + (1 - d.beta2) * g * g
            if self.form == "after":
                change = m / one / (np.sqrt(v / two) + d.epsilon)
            else:
                change = m * np.sqrt(two) / one / (np.sqrt(v) + d.epsilon)
            tensors[name] = tensors[name] - d.learning_rate * change


_OPTIMISERS: dict[type, Any] = {SGD: _Sgd, Adam: _Adam}
