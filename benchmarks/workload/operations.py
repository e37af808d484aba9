"""The operators of one training step, held against the declaration: products of other sizes, arrays beyond need.

``experiments/profile/operations_FRAMEWORK.py`` lists a step's operators with their shapes; no time enters. Shapes are
normalised, so that every honest way to write a layer passes: a product is known by its three extents in any order
(forward, weight gradient and input gradient of a layer have the same), a layer over a sequence may be one product over
all its steps or one per step, and an LSTM may multiply input and state apart or joined.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.layers import LSTM, Conv2D, Dense, Embedding, Placed, Shape
from benchmarks.workload import NCE, Adam, Pairs, Text, Workload

# Thresholds; docs/PROTOCOL.md has the measurements.
TOLERANCE = 0.05  # of a layer's multiply-adds
UNDECLARED = 0.01  # of the step's multiply-adds: what the calls of a product that is no layer's may take
LARGE = 2.0  # times the largest array of the declaration
FLOAT = 4  # bytes

Form: TypeAlias = "tuple[str, Shape]"
Kind = Literal["rank", "multiply-adds", "undeclared", "size", "table"]


@dataclass(frozen=True)
class Product:
    """A matrix product or convolution. ``batch``: how many are made by a batched operator; ``extents`` are of one."""

    kind: Literal["matmul", "convolution"]
    extents: Shape
    batch: int = 1

    @property
    def multiply_adds(self) -> int:
        return self.batch * math.prod(self.extents)

    def forms(self) -> Iterator[Form]:
        """Return the product itself; a batched one is also the product that has the batch in one of its extents."""
        if self.batch == 1:
            yield self.kind, self.extents
            return
        for i, extent in enumerate(self.extents):
            rest = (*self.extents[:i], *self.extents[i + 1 :])
            yield self.kind, tuple(sorted((*rest, extent * self.batch)))


def matmul(rows: int, inner: int, columns: int, *, batch: int = 1) -> Product:
    return Product("matmul", tuple(sorted((rows, inner, columns))), batch)


def convolution(samples: int, image: Shape, kernel: Shape, inputs: int, filters: int) -> Product:
    """Return a convolution; ``image`` is the output's height and width, also where a gradient is computed."""
    return Product("convolution", (samples, *image, *kernel, inputs, filters))


@dataclass(frozen=True)
class Array:
    shape: Shape
    bytes: int


@dataclass(frozen=True)
class Operator:
    """One kind of call: its name, what goes in, the arrays it makes (not views, nor what it changes in place)."""

    name: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Array, ...]
    products: tuple[Product, ...] = ()
    batched: bool = False  # a product of arrays with more than two axes

    @property
    def words(self) -> str:
        return f"{self.name} {' x '.join(_shape(s) for s in self.inputs if len(s) > 1)}".rstrip()


@dataclass(frozen=True)
class Flag:
    """One way in which a step is not as declared. ``subject``: the operator, layer or table."""

    kind: Kind
    subject: str
    sentence: str


@dataclass
class Need:
    """What one layer, or layers whose products look alike, must multiply, and the forms that count for it."""

    names: list[str]
    forms: set[Form]
    multiply_adds: int


def needs(workload: Workload) -> list[Need]:
    """List a training step's forward, weight gradients, and input gradients where something before the layer trains."""
    out: list[Need] = []
    for placed, gradient in _leaves(workload.placed, False):
        need = _need(workload, placed, gradient)
        if need:
            out = _joined(out, need)
    if isinstance(workload.loss, NCE) and isinstance(workload.dataset, Pairs):
        columns = workload.placed[-1].output_shape[-1]
        one = matmul(workload.batch_size, columns, workload.dataset.negatives)
        out = _joined(out, Need([workload.loss.name], {("matmul", one.extents)}, 3 * one.multiply_adds))
    return out


def _leaves(layers: Sequence[Placed], gradient: bool) -> Generator[tuple[Placed, bool], None, bool]:
    """Add each layer, and whether its input's gradient is needed; return whether that of the last output is."""
    for placed in layers:
        if placed.branches:
            ends = []
            for branch in placed.branches:
                ends.append((yield from _leaves(branch, gradient)))
            gradient = any(ends)
        else:
            yield placed, gradient
            gradient = gradient or bool(placed.tensors)
    return gradient


def _need(workload: Workload, placed: Placed, gradient: bool) -> Need | None:
    layer, samples, directions = placed.layer, workload.batch_size, 2 + gradient
    if isinstance(layer, Conv2D):
        height, width, filters = placed.output_shape
        one = convolution(samples, (height, width), (layer.kernel,) * 2, placed.input_shape[-1], filters)
        return Need([layer.name], {(one.kind, one.extents)}, directions * one.multiply_adds)
    if isinstance(layer, Dense):
        steps = math.prod(placed.output_shape[:-1])
        whole = matmul(samples * steps, placed.input_shape[-1], layer.units)
        one = matmul(samples, placed.input_shape[-1], layer.units)
        return Need([layer.name], {(p.kind, p.extents) for p in (whole, one)}, directions * whole.multiply_adds)
    if isinstance(layer, LSTM):
        steps, inputs, gates = placed.output_shape[0], placed.input_shape[-1], 4 * layer.units
        forms = {
            ("matmul", matmul(samples * s, inner, gates).extents)
            for s in (1, steps - 1, steps)
            for inner in (inputs, layer.units, inputs + layer.units)
        }
        state = samples * layer.units * gates * (3 * steps - 1)  # nothing goes back into the first state
        return Need([layer.name], forms, directions * samples * steps * inputs * gates + state)
    return None


def _joined(groups: list[Need], new: Need) -> list[Need]:
    """Join ``groups`` and ``new`` where their forms meet: a product does not show which of them it belongs to."""
    same = [g for g in groups if g.forms & new.forms]
    for g in same:
        new = Need(g.names + new.names, g.forms | new.forms, g.multiply_adds + new.multiply_adds)
    return [g for g in groups if g not in same] + [new]


def largest(workload: Workload) -> int:
    """Return the bytes of the largest array that the declaration needs: a tensor, a layer's output, an LSTM's gates."""
    values = [math.prod(t.shape) for t in workload.tensors]
    values.append(workload.batch_size * math.prod(workload.dataset.shape))
    for p in workload.leaves:
        gates = 4 if isinstance(p.layer, LSTM) else 1
        values.append(workload.batch_size * math.prod(p.output_shape) * gates)
    return FLOAT * max(values)


def tables(workload: Workload) -> dict[Shape, tuple[list[str], int]]:
    """Return shape -> tables of it and the most rows of a batch, where a step needs only those (Adam needs all)."""
    if isinstance(workload.optimiser, Adam):
        return {}
    ids = workload.batch_size * (workload.dataset.steps if isinstance(workload.dataset, Text) else 1)
    rows = {f"{p.layer.name}.weight": ids for p in workload.leaves if isinstance(p.layer, Embedding)}
    if isinstance(workload.loss, NCE) and isinstance(workload.dataset, Pairs):
        rows[f"{workload.loss.name}.weight"] = workload.batch_size + workload.dataset.negatives
    found: dict[Shape, tuple[list[str], int]] = {}
    for t in workload.tensors:
        if t.name in rows and rows[t.name] < t.shape[0]:
            names, most = found.get(t.shape, ([], 0))
            found[t.shape] = ([*names, t.name], max(most, rows[t.name]))
    return found


def compare(workload: Workload, operators: Sequence[Operator]) -> list[Flag]:
    """List every way in which ``operators``, those of one step, differ from what ``workload`` needs."""
    return [*_ranks(operators), *_multiplied(workload, operators), *_sizes(workload, operators)]


def _ranks(operators: Iterable[Operator]) -> Iterator[Flag]:
    """List batched products: no layer declares any."""
    seen = Counter(o.words for o in operators if o.batched)
    names = {o.words: o.name for o in operators}
    for words, calls in seen.items():
        told = f"{words}{_times(calls)} is a batched product; the declaration needs products of two matrices only."
        yield Flag("rank", names[words], told)


def _multiplied(workload: Workload, operators: Iterable[Operator]) -> Iterator[Flag]:
    groups = needs(workload)
    found = [0] * len(groups)
    strange: dict[str, list[int]] = defaultdict(list)
    names: dict[str, str] = {}
    for operator in operators:
        for product in operator.products:
            forms = set(product.forms())
            index = next((i for i, group in enumerate(groups) if group.forms & forms), None)
            if index is None:
                strange[operator.words].append(product.multiply_adds)
                names[operator.words] = operator.name
            else:
                found[index] += product.multiply_adds
    for group, count in zip(groups, found, strict=True):
        if abs(count - group.multiply_adds) > TOLERANCE * group.multiply_adds:
            told = f"multiplies {count / group.multiply_adds:.2f} times as much as declared"
            yield Flag("multiply-adds", ", ".join(group.names), f"{', '.join(group.names)} {told}.")
    total = sum(group.multiply_adds for group in groups)
    for words, counts in strange.items():
        if sum(counts) > UNDECLARED * total:
            told = f"{words}{_times(len(counts))} is a product of no declared layer"
            told += f", {100 * sum(counts) / total:.1f} % of the step's declared multiply-adds." if total else "."
            yield Flag("undeclared", names[words], told)


def _sizes(workload: Workload, operators: Sequence[Operator]) -> Iterator[Flag]:
    """List arrays larger than any that the declaration needs, and new arrays of all rows where a few are needed."""
    limit = largest(workload)
    seen: Counter[tuple[str, int]] = Counter()
    names: dict[str, str] = {}
    for operator in operators:
        size = max((array.bytes for array in operator.outputs), default=0)
        if size > LARGE * limit:
            seen[operator.words, size] += 1
            names[operator.words] = operator.name
    for (words, size), calls in seen.items():
        told = f"makes {_megabytes(size)}, {size / limit:.1f} times the largest array of the declaration"
        yield Flag("size", names[words], f"{words}{_times(calls)} {told} ({_megabytes(limit)}).")
    for shape, (whole, most) in tables(workload).items():
        passive = [o for o in operators if not o.products]  # a product may have a table's shape and be of another layer
        made = [(o.name, array.bytes) for o in passive for array in o.outputs if array.shape == shape]
        if made:
            by = ", ".join(f"{name}{_times(count)}" for name, count in Counter(name for name, _ in made).items())
            told = f"all {shape[0]:,} rows made anew ({len(made)}x, {_megabytes(sum(size for _, size in made))})"
            told += f" where a batch touches at most {most:,} rows: {by}."
            yield Flag("table", ", ".join(whole), f"{', '.join(whole)}: {told}")


def _times(count: int) -> str:
    return f" ({count:,} times)" if count > 1 else ""


def _shape(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB"
