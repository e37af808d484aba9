"""The declared mathematics in float64 NumPy: the arbiter of every parity certificate."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.special import log_softmax

from benchmarks.certificate.reference_layers import Arrays, Context, Tree, back, leaves, run, sigmoid
from benchmarks.frameworks.base import Conventions
from benchmarks.layers import Placed
from benchmarks.workload import NCE, SGD, Adagrad, Adam, Optimiser, Workload


def softmax_cross_entropy(logits: np.ndarray, y: np.ndarray, *, summed: bool = False) -> tuple[float, np.ndarray]:
    """Mean loss over the batch and its gradient by the logits. ``summed``: a sequence counts with the sum over time."""
    flat, labels = logits.reshape(-1, logits.shape[-1]), y.ravel()
    log_p = log_softmax(flat, axis=1)
    rows = np.arange(len(labels))
    g = np.exp(log_p)
    g[rows, labels] -= 1.0
    count = len(y) if summed else labels.size
    return float(-log_p[rows, labels].sum()) / count, (g / count).reshape(logits.shape)


class Reference:
    """A workload without dropout, its tensors and its optimiser's state in float64.

    Two switches serve the sensitivity, not the reference itself. With ``rounded`` the arithmetic
    stays float64 but tensors are kept in float32 between steps, as every framework keeps them.
    With ``kink`` every decision (is a unit on, which cell is the maximum) that is closer than that
    share of the layer's root mean square, of which rounding may decide either, is taken one way: on, and the
    later cell, where ``kink`` is positive; off, and the earlier cell, where it is negative.
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

    def _context(self, placed: Placed, training: bool) -> Context:
        mine = {t.name.rsplit(".", 1)[1]: self.tensors[t.name] for t in placed.tensors}
        return Context(mine, training, self.conventions, self.kink)

    def forward(self, x: np.ndarray, *, training: bool) -> tuple[np.ndarray, list[Tree]]:
        """What the layers make of ``x``; in training mode running statistics and states move."""
        x = np.asarray(x, np.float64)
        out, trees = run(self.workload.placed, x, lambda placed: self._context(placed, training))
        for tree in leaves(trees):
            for t in tree.placed.tensors:
                self.tensors[t.name] = tree.context.tensors[t.name.rsplit(".", 1)[1]]
        return out, trees

    def gradients(self, *batch: np.ndarray) -> tuple[np.ndarray, float, Arrays]:
        """Training-mode logits, loss, and gradients by tensor name."""
        hidden, trees = self.forward(batch[0], training=True)
        found: Arrays = {}
        if isinstance(self.workload.loss, NCE):
            logits, value, g, found = self._nce(self.workload.loss, hidden, *batch[1:])
        else:
            logits = hidden
            value, g = softmax_cross_entropy(logits, batch[1], summed=self.workload.loss.endswith("over_time"))
        back(trees, g, lowest=True)
        out: Arrays = {}
        for tree in leaves(trees):
            for t in tree.placed.tensors:
                if t.trainable:
                    out[t.name] = tree.context.gradients[t.name.rsplit(".", 1)[1]]
        return logits, value, out | found

    def _nce(
        self,
        loss: NCE,
        hidden: np.ndarray,
        context: np.ndarray,
        negatives: np.ndarray,
        log_true: np.ndarray,
        log_negatives: np.ndarray,
    ) -> tuple[np.ndarray, float, np.ndarray, Arrays]:
        weight, bias = self.tensors[f"{loss.name}.weight"], self.tensors[f"{loss.name}.bias"]
        true = (hidden * weight[context]).sum(1) + bias[context] - log_true
        noise = hidden @ weight[negatives].T + bias[negatives] - log_negatives
        n = len(hidden)
        value = float(np.logaddexp(0, -true).sum() + np.logaddexp(0, noise).sum()) / n
        g_true, g_noise = -sigmoid(-true) / n, sigmoid(noise) / n
        g_weight, g_bias = np.zeros_like(weight), np.zeros_like(bias)
        np.add.at(g_weight, context, g_true[:, None] * hidden)
        np.add.at(g_weight, negatives, g_noise.T @ hidden)
        np.add.at(g_bias, context, g_true)
        np.add.at(g_bias, negatives, g_noise.sum(0))
        g = g_true[:, None] * weight[context] + g_noise @ weight[negatives]
        logits = np.concatenate([true[:, None], noise], 1)
        return logits, value, g, {f"{loss.name}.weight": g_weight, f"{loss.name}.bias": g_bias}

    def evaluate(self, x: np.ndarray) -> np.ndarray:
        """Evaluation-mode logits; with NCE the cosine similarity of each word of ``x`` with every word (N, V)."""
        out, _ = self.forward(x, training=False)
        if isinstance(self.workload.loss, NCE):
            rows = self.tensors[self.workload.leaves[0].tensors[0].name]
            unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            out = (out / np.linalg.norm(out, axis=1, keepdims=True)) @ unit.T
        return out

    def step(self, *batch: np.ndarray) -> tuple[np.ndarray, float, Arrays]:
        """One optimiser step; returns what :meth:`gradients` does."""
        logits, value, gradients = self.gradients(*batch)
        self._optimiser.apply(self.tensors, gradients)
        if self.rounded:
            self.tensors = {name: value.astype(np.float32).astype(np.float64) for name, value in self.tensors.items()}
        return logits, value, gradients

    def change_rate(self, rate: float, *, fresh: bool) -> None:
        """From the next step on; ``fresh`` puts what the optimiser remembers at its initial values."""
        declared = dataclasses.replace(self.workload.optimiser, learning_rate=rate)
        if fresh:
            self._optimiser = _OPTIMISERS[type(declared)](declared, self.conventions, self.rounded)
        self._optimiser.d = declared


class _Sgd:
    def __init__(self, declared: Optimiser, conventions: Conventions, rounded: bool) -> None:
        assert isinstance(declared, SGD)
        self.d = declared

    def apply(self, tensors: Arrays, gradients: Arrays) -> None:
        scale = 1.0
        if self.d.clip_norm is not None:
            norm = np.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
            scale = min(1.0, self.d.clip_norm / norm)
        for name, g in gradients.items():
            tensors[name] = tensors[name] - self.d.learning_rate * scale * g


class _Adagrad:
    def __init__(self, declared: Optimiser, conventions: Conventions, rounded: bool) -> None:
        assert isinstance(declared, Adagrad)
        self.d = declared
        self.sums: Arrays = {}

    def apply(self, tensors: Arrays, gradients: Arrays) -> None:
        for name, g in gradients.items():
            total = self.sums[name] = self.sums.get(name, self.d.initial_accumulator) + g * g
            tensors[name] = tensors[name] - self.d.learning_rate * g / np.sqrt(total)


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


_OPTIMISERS: dict[type, Any] = {SGD: _Sgd, Adam: _Adam, Adagrad: _Adagrad}
