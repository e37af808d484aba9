"""What one training step must compute and move, counted from the declaration: forward, loss, backward, update.

Operations on numbers: a fused multiply-add is 2; every other addition, multiplication, division, comparison or
function (exp, log, tanh, square root) is 1. No gradient is counted that nothing needs, such as that of the first
layer's input. Zeros of a padding count like pixels, as every counter has it. Drawing random numbers, copying and
choosing addresses are not operations. Per trained value the update takes 2 in SGD (3 more where gradients are clipped
to a norm: square, sum, scale), 6 in Adagrad and 12 in Adam, whose corrections for bias are folded into the rate.

Bytes are a lower bound: the traffic of a step that fuses whatever can be fused and computes nothing twice. The batch is
read once; each trained value and each of its optimiser's is read and written once, each gradient too where clipping
needs them all first; what backward needs of forward (the inputs of layers with weights, the gates of an LSTM, the
logits) is written and read once. Only caches that hold arrays from forward to backward can do with less.

Of a table only the rows that a batch touches count, unless the optimiser changes all (Adam). How many differ depends on
the batch, so the caller counts them: :func:`touched_rows`. Kernels per layer are not known either; the least number
of operators is one per layer and direction, two for the loss and one for the update.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.layers import (
    LSTM,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    Placed,
    ReLU,
)
from benchmarks.workload import NCE, SGD, Adagrad, Adam, Images, Pairs, Text, Workload

FLOAT, INTEGER = 4, 8  # bytes of a float32 value, and of a label or word
PER_VALUE = {SGD: 2, Adagrad: 6, Adam: 12}
CLIPPING = 3  # more per value
MOMENTS = {SGD: 0, Adagrad: 1, Adam: 2}  # values the optimiser keeps per trained value
LSTM_FORWARD, LSTM_BACKWARD = 17, 27  # per unit and time step, beside the products; see _lstm
NORM_FORWARD, NORM_STATISTICS, NORM_INPUT = 6, 4, 4  # per value; see _norm


@dataclass(frozen=True, kw_only=True)
class Count:
    """Of one training step: operations by kind, bytes at least, operators at least."""

    matmul: int
    convolution: int
    recurrent: int
    elementwise: int
    optimiser: int
    bytes: int
    operators: int

    @property
    def products(self) -> int:
        """Matrix products, convolutions and the products inside an LSTM: what framework counters see."""
        return self.matmul + self.convolution + self.recurrent

    @property
    def flops(self) -> int:
        return self.products + self.elementwise + self.optimiser


@dataclass
class _Array:
    """What flows from layer to layer: its values, whether a gradient flows back, whether backward needs it again."""

    values: int
    gradient: bool
    kept: bool = False


@dataclass
class _Tally:
    samples: int
    flops: Counter[str] = field(default_factory=Counter)
    operators: int = 0
    arrays: list[_Array] = field(default_factory=list)
    inside: int = 0  # values kept within layers

    def array(self, values: int, *, gradient: bool) -> _Array:
        self.arrays.append(_Array(values, gradient))
        return self.arrays[-1]


def count(workload: Workload, rows: Mapping[str, int] | None = None) -> Count:
    """Count a step of ``workload`` at its batch size; ``rows``: table -> rows touched, all different by default."""
    tally = _Tally(workload.batch_size)
    batch = _Array(workload.batch_size * math.prod(workload.dataset.shape), gradient=False)
    out = _walk(workload.placed, batch, tally)
    if isinstance(workload.loss, NCE):
        _nce(workload, out, tally)
    else:
        _softmax(workload, out, tally)
    trained = _updated(workload, rows or {})
    clipped = isinstance(workload.optimiser, SGD) and workload.optimiser.clip_norm is not None
    kind = type(workload.optimiser)
    tally.flops["optimiser"] = trained * (PER_VALUE[kind] + CLIPPING * clipped)
    carried = sum(math.prod(t.shape) for t in workload.tensors if not t.trainable)
    kept = sum(a.values for a in tally.arrays if a.kept) + tally.inside
    moved = 2 * (trained * (1 + MOMENTS[kind] + clipped) + carried + kept)
    return Count(
        **{k: tally.flops[k] for k in ("matmul", "convolution", "recurrent", "elementwise", "optimiser")},
        bytes=FLOAT * moved + _batch_bytes(workload),
        operators=tally.operators + 3,
    )


def touched_rows(workload: Workload, batches: Sequence[Sequence[np.ndarray]]) -> dict[str, int]:
    """Return table -> different rows that a batch touches, the mean over ``batches``, rounded; empty without tables."""
    tables = [p.tensors[0].name for p in workload.leaves if isinstance(p.layer, Embedding)]
    found = {name: [len(np.unique(batch[0])) for batch in batches] for name in tables}
    if isinstance(workload.loss, NCE):
        words = [len(np.unique(np.concatenate([batch[1], batch[2]]))) for batch in batches]
        found |= {f"{workload.loss.name}.{part}": words for part in ("weight", "bias")}
    return {name: round(float(np.mean(counts))) for name, counts in found.items()}


def _walk(layers: Sequence[Placed], x: _Array, tally: _Tally) -> _Array:
    for placed in layers:
        x = _residual(placed, x, tally) if placed.branches else _leaf(placed, x, tally)
    return x


def _leaf(placed: Placed, x: _Array, tally: _Tally) -> _Array:
    layer = placed.layer
    if isinstance(layer, Flatten) or (isinstance(layer, Dropout) and not layer.rate):
        return x
    out = tally.array(tally.samples * math.prod(placed.output_shape), gradient=x.gradient or bool(placed.tensors))
    tally.operators += 1 + out.gradient
    if isinstance(layer, Dense):
        _weighted("matmul", placed, x, out, tally)
    elif isinstance(layer, Conv2D):
        _weighted("convolution", placed, x, out, tally)
    elif isinstance(layer, LSTM):
        _lstm(layer, placed, x, out, tally)
    elif isinstance(layer, BatchNorm):
        _norm(x, tally)
    elif isinstance(layer, ReLU):  # compare; mask the gradient
        tally.flops["elementwise"] += out.values * (1 + x.gradient)
    elif isinstance(layer, Dropout):  # compare with the rate, scale; scale the gradient
        tally.flops["elementwise"] += out.values * (2 + x.gradient)
    elif isinstance(layer, MaxPool2D):
        tally.flops["elementwise"] += out.values * (layer.size**2 - 1)
    elif isinstance(layer, GlobalAveragePool2D):  # sum and divide; divide the gradient
        tally.flops["elementwise"] += x.values + out.values * x.gradient
    elif isinstance(layer, Embedding):  # gradients of a word that occurs again are added
        tally.flops["elementwise"] += out.values
    else:
        raise TypeError(f"operations of {type(layer).__name__} are not counted")
    return out


def _weighted(kind: str, placed: Placed, x: _Array, out: _Array, tally: _Tally) -> None:
    """Count output, weight gradient and input gradient, each the same products; a bias and its sum."""
    x.kept = True
    weight = placed.tensors[0].shape
    tally.flops[kind] += 2 * out.values * math.prod(weight[:-1]) * (2 + x.gradient)
    tally.flops["elementwise"] += 2 * out.values * (len(placed.tensors) - 1)


def _norm(x: _Array, tally: _Tally) -> None:
    """Count sum, centre, square, sum, scale, shift; backward normalise, product, two sums; four for the input."""
    x.kept = True
    tally.flops["elementwise"] += x.values * (NORM_FORWARD + NORM_STATISTICS + NORM_INPUT * x.gradient)


def _lstm(layer: LSTM, placed: Placed, x: _Array, out: _Array, tally: _Tally) -> None:
    """Count products of input and state with their weights, backward too; nothing goes back into the first state.

    Per unit and step forward: 8 additions before the four gates, 4 functions, 3 for the cell, 2 for the output.
    Backward: 1 to join the output's gradients, 1 for the output gate, 4 and 1 to reach the cell, 4 for gates and former
    cell, 12 through the gates' functions, 4 for the bias.
    """
    x.kept = True
    steps = placed.output_shape[0]
    gates, rows = 4 * layer.units, tally.samples * steps
    tally.flops["recurrent"] += 2 * rows * placed.input_shape[-1] * gates * (2 + x.gradient)
    tally.flops["recurrent"] += 2 * tally.samples * layer.units * gates * (3 * steps - 1)
    tally.flops["elementwise"] += out.values * (LSTM_FORWARD + LSTM_BACKWARD)
    tally.inside += rows * (gates + layer.units)


def _residual(placed: Placed, x: _Array, tally: _Tally) -> _Array:
    """Count both branches, their sum, and the sum of the two gradients that meet at the input."""
    ends = [_walk(branch, x, tally) for branch in placed.branches]
    values = tally.samples * math.prod(placed.output_shape)
    out = tally.array(values, gradient=any(end.gradient for end in ends))
    tally.operators += 1 + x.gradient
    tally.flops["elementwise"] += out.values + x.values * x.gradient
    return out


def _softmax(workload: Workload, logits: _Array, tally: _Tally) -> None:
    """Count per logit: maximum, subtract, exp, sum; divide, scale. Per row: log, subtract, sum; subtract."""
    logits.kept = True
    tally.flops["elementwise"] += 6 * logits.values + 4 * logits.values // workload.placed[-1].output_shape[-1]


def _nce(workload: Workload, hidden: _Array, tally: _Tally) -> None:
    """Count negatives as one product, true pairs as a dot product each.

    Per logit: bias, expected count, 3 of softplus, sum; sigmoid, scale, sum of the bias gradient. Per true pair and
    column: multiply, add; two gradients and one addition. Gradients of a word that occurs again are added.
    """
    hidden.kept = True
    assert isinstance(workload.dataset, Pairs)
    n, negatives = workload.batch_size, workload.dataset.negatives
    columns = hidden.values // n
    tally.flops["matmul"] += 3 * 2 * n * negatives * columns
    tally.flops["elementwise"] += 9 * n * (1 + negatives) + 5 * n * columns + (n + negatives) * (columns + 1)


def _updated(workload: Workload, rows: Mapping[str, int]) -> int:
    """Return the number of values that the optimiser changes."""
    most = _most_rows(workload) if not isinstance(workload.optimiser, Adam) else {}
    total = 0
    for tensor in workload.tensors:
        if tensor.trainable:
            changed = min(rows.get(tensor.name, most[tensor.name]), tensor.shape[0]) if tensor.name in most else None
            total += math.prod(tensor.shape) if changed is None else changed * math.prod(tensor.shape[1:])
    return total


def _most_rows(workload: Workload) -> dict[str, int]:
    """Return table -> ids of a batch."""
    ids = workload.batch_size * math.prod(workload.dataset.shape)
    found = {p.tensors[0].name: ids for p in workload.leaves if isinstance(p.layer, Embedding)}
    if isinstance(workload.loss, NCE) and isinstance(workload.dataset, Pairs):
        words = workload.batch_size + workload.dataset.negatives
        found |= {f"{workload.loss.name}.{part}": words for part in ("weight", "bias")}
    return found


def _batch_bytes(workload: Workload) -> int:
    n, data = workload.batch_size, workload.dataset
    if isinstance(data, Images):
        return n * (FLOAT * math.prod(data.shape) + INTEGER)
    if isinstance(data, Text):
        return 2 * n * data.steps * INTEGER
    return INTEGER * (2 * n + data.negatives) + FLOAT * (n + data.negatives)
