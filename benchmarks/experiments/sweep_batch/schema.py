"""What the part ``sweep_batch`` finds for one stack, and where a GPU overtakes the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import doubts, median_step, spoilt
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Block, Status, Strict, field
from benchmarks.workload.metrics import number

TITLE = "Batch size"
QUESTION = "training throughput over batch sizes, and the batch from which a GPU is faster than the CPU"

SIZES = {  # by profile, in samples; a size that could not be measured has a point that says why
    "smoke": (8, 32),
    "quick": (1, 8, 32, 128, 512),
    "full": tuple(2**k for k in range(13)),
}


class Point(Strict):
    """One batch size."""

    batch_size: int = field("samples per step", gt=0)
    status: Status = field("ok; unavailable where it was not tried, and why; or how it failed")
    reason: str = field("empty when ok", default="")
    settled: bool | None = field("whether its warm-up became steady; None unless ok", default=None)
    peak_resident: int | None = field(
        "peak resident bytes of the worker from the first step on; None where not offered", default=None
    )
    blocks: list[Block] = field("every timed block; empty unless ok", default_factory=list)

    @property
    def step_seconds(self) -> float:
        return median_step(self.blocks)

    @property
    def spoilt(self) -> bool:
        """Whether so many blocks were disturbed that no verdict may rest on them."""
        return spoilt(self.blocks)

    @property
    def doubts(self) -> str:
        """As :func:`benchmarks.experiments.quiet.doubts`."""
        return doubts([self.blocks], settled=self.settled is not False)


class Value(Strict):
    declared: int = field("the batch size that the run times, samples", gt=0)
    items: int = field("what throughput counts, per sample: words of a sequence, otherwise 1", gt=0)
    unit: str = field("what throughput counts: images, tokens or pairs")
    points: list[Point] = field("every size asked for, smallest first; all in one process, rebuilt for each")

    @property
    def measured(self) -> list[Point]:
        return [p for p in self.points if p.status == "ok"]

    @property
    def rates(self) -> dict[int, float]:
        """Batch size -> units per second, of the sizes that were measured."""
        return {p.batch_size: p.batch_size * self.items / p.step_seconds for p in self.measured}


def crossover(cpu: Sequence[tuple[int, float]], gpu: Sequence[tuple[int, float]]) -> float | None:
    """The batch from which on the GPU is the faster one at every larger size that both measured.

    Both are (batch size, units per second). Between two measured sizes the logarithm of the ratio is taken to be
    linear in the logarithm of the batch. 0 where the GPU is faster at all of them; None where it is not even at the
    largest, or nothing was measured on both.
    """
    slow, fast = dict(cpu), dict(gpu)
    both = sorted(slow.keys() & fast.keys())
    ahead = [(size, math.log(fast[size] / slow[size])) for size in both]
    if not ahead or ahead[-1][1] <= 0:
        return None
    behind = [k for k, (_, lead) in enumerate(ahead) if lead <= 0]
    if not behind:
        return 0.0
    (low, before), (high, after) = ahead[behind[-1]], ahead[behind[-1] + 1]
    share = before / (before - after)
    return float(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    sizes, planned = [p.batch_size for p in value.points], SIZES[result.options.profile]
    if tuple(sizes) != planned:
        yield f"its batch sizes are {sizes}, asked for were {list(planned)}, in this order"
    if not value.measured:
        yield "it is ok without a single size measured"
    for p in value.points:
        if (p.status == "ok") != bool(p.blocks):
            yield f"batch {p.batch_size}: blocks do not go with status {p.status}"
        if (p.status == "ok") == bool(p.reason):
            yield f"batch {p.batch_size}: a reason belongs to every status but ok"
    row = result.row(answer.workload, answer.variant, answer.stack)
    if value.declared != row.batch_size:
        yield f"its declared batch is {value.declared}, its row's {row.batch_size}"


def words(value: Value) -> str:
    rates = value.rates
    best = max(rates, key=lambda size: rates[size])
    each = ", ".join(f"{size:,}: {number(rate)}" for size, rate in rates.items())
    text = f"{value.unit}/s by batch {each}; most at {best:,}"
    text += "".join(f"; {p.batch_size:,} mostly disturbed" for p in value.measured if p.spoilt)
    missing = [p for p in value.points if p.status != "ok"]
    return text + "".join(f"; {p.batch_size:,} {p.status.replace('_', ' ')}" for p in missing)
