"""What the part ``limits`` finds for one stack."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import median_step, spoilt
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Block, Call, Strict, field
from benchmarks.workload import DeclarationError, flops
from benchmarks.workload.read_back import read_back

TITLE = "How close to the limit"
QUESTION = "operations and bytes of a step against the machine's own ceilings: arithmetic, memory, launches"


def best(repetitions: list[Call]) -> float:
    """Seconds of the shortest: what disturbs can only lengthen it."""
    return min(c.seconds for c in repetitions)


class Product(Strict):
    """A large square matrix product, repeated."""

    size: int = field("rows and columns of both factors", gt=1)
    products: int = field("products per repetition", gt=0)
    repetitions: list[Call] = field("every repetition", min_length=1)

    @property
    def flops_per_second(self) -> float:
        """Of the best repetition: a ceiling is what the machine reached, not what it usually does."""
        return 2 * self.size**3 * self.products / best(self.repetitions)


class Caches(Strict):
    """The last-level caches that the CPUs of the run share, against the arrays of the streams."""

    last_level_bytes: int | None = field(
        "all different last-level caches of the run's CPUs together; None on a GPU and where the system does not tell"
    )
    count: int = field("how many they are", ge=0)
    array_bytes: int = field("of each of the two arrays of a stream", gt=0)
    short_of_memory: bool = field("whether free memory allowed only arrays as small as that")

    @property
    def beyond(self) -> bool:
        """Whether each array alone is at least as large as the caches; unknown caches count as small."""
        return self.array_bytes >= (self.last_level_bytes or 0)


class Stream(Strict):
    """Two arrays, larger than the caches as far as :class:`Caches` says, read and written from end to end."""

    kind: Literal["copy", "add"] = field("copy: a = b; add: a = a + b in place")
    bytes: int = field("bytes read and written in one pass over the arrays", gt=0)
    passes: int = field("passes per repetition", gt=0)
    repetitions: list[Call] = field("every repetition", min_length=1)

    @property
    def bytes_per_second(self) -> float:
        """Of the best repetition."""
        return self.bytes * self.passes / best(self.repetitions)


class Smallest(Strict):
    """The smallest possible step: one number plus one, through the stack's own mode."""

    calls: int = field("calls per repetition, synchronised at the end only", gt=0)
    repetitions: list[Call] = field("every repetition", min_length=1)
    launches: float = field(
        "smallest steps that a training step needs at least: the declaration's operators where each is dispatched by "
        "itself; 1 where a mode launches at least something compiled per step; less where one call takes several",
        gt=0,
    )
    eager_rest: str = field(
        "what of a training step is launched beside the compiled part and is not counted, so that launches are a lower "
        "bound only; empty where nothing is",
        default="",
    )

    @property
    def seconds_per_call(self) -> float:
        """Of the best repetition."""
        return best(self.repetitions) / self.calls


class Flops(Strict):
    """Floating-point operations of one step by kind, counted from the declaration (benchmarks/workload/flops.py)."""

    matmul: int = field("dense layers and NCE's negatives, forward and backward", ge=0)
    convolution: int = field("forward and backward", ge=0)
    recurrent: int = field("products inside LSTMs, forward and backward", ge=0)
    elementwise: int = field("everything between the products, loss included", ge=0)
    optimiser: int = field("the update", ge=0)

    @property
    def total(self) -> int:
        return self.matmul + self.convolution + self.recurrent + self.elementwise + self.optimiser


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    touched_rows: dict[str, int] = field("table -> different rows that a batch touches, mean over the timed batches")
    flops: Flops = field("operations of one step")
    bytes: int = field("bytes that one step moves at least", gt=0)
    operators: int = field("operators that one step needs at least", gt=0)
    blocks: list[Block] = field("training steps after the warm-up", min_length=1)
    products: list[Product] = field("ceiling of arithmetic, by size, in this stack's precision", min_length=1)
    caches: Caches = field("what the streams had to exceed")
    streams: list[Stream] = field("ceiling of memory, by kind", min_length=1)
    smallest: Smallest = field("ceiling of launches")

    @property
    def step_seconds(self) -> float:
        """Median over blocks, quiet ones where there are enough."""
        return median_step(self.blocks)

    @property
    def disturbed(self) -> bool:
        """Whether most blocks were, so that nothing is said of the step."""
        return spoilt(self.blocks)

    @property
    def ceilings(self) -> list[Call]:
        """Every timed call but the steps."""
        timed = [*(p.repetitions for p in self.products), *(s.repetitions for s in self.streams)]
        return [c for repetitions in (*timed, self.smallest.repetitions) for c in repetitions]

    @property
    def in_cache(self) -> bool:
        """Whether all that a step reads and writes, twice over, fits into the caches: memory cannot bind it then."""
        return self.caches.last_level_bytes is not None and self.bytes <= self.caches.last_level_bytes

    @property
    def flops_per_second(self) -> float:
        """Achieved."""
        return self.flops.total / self.step_seconds

    @property
    def intensity(self) -> float:
        """Operations per byte that must be moved."""
        return self.flops.total / self.bytes


def check(result: Result, answer: Answer) -> Iterator[str]:
    """The counts follow from the declaration in the result."""
    value: Value = typed(answer)
    (plain,) = (d.declaration for d in result.declared if d.place == answer.place)
    try:
        workload = dataclasses.replace(read_back(plain), batch_size=value.batch_size)
    except DeclarationError as error:
        yield f"its counts cannot be made again: {error}"
        return
    again = flops.count(workload, value.touched_rows)
    counted = value.flops.model_dump() | {"bytes": value.bytes, "operators": value.operators}
    for name, number in counted.items():
        if number != getattr(again, name):
            yield f"{name} of a step are {getattr(again, name):,} by the declaration, not {number:,}"
    row = result.row(answer.workload, answer.variant, answer.stack)
    if row.batch_size != value.batch_size:
        yield f"it took batches of {value.batch_size:,}, its row has {row.batch_size:,}"


def words(value: Value) -> str:
    product = max(p.flops_per_second for p in value.products)
    stream = max(s.bytes_per_second for s in value.streams)
    return f"{'disturbed: ' if value.disturbed else ''}" + (
        f"{value.flops_per_second / 1e9:.3g} GFLOP/s at {value.intensity:.3g} FLOP per byte; its own ceilings: "
        f"{product / 1e9:.3g} GFLOP/s, {stream / 1e9:.3g} GB/s, {value.smallest.seconds_per_call * 1e6:.3g} µs a launch"
    )
