"""What follows from the answers of ``limits``: the ceilings of a run, and which of them a step meets.

Of a device and precision a run's ceiling is the best that any stack reached, whatever the workload: what one framework
can do, the machine can. The three lower bounds of a step's time are its operations at the best product's rate, its
bytes at the best stream's rate, and its least launches at the time this stack needs for its own smallest step. The
largest of the three binds if it makes up at least :data:`SHARE` of the step; otherwise none does, and the time goes
where no bound sees it: into dispatch beyond the least, kernels below the ceiling and arrays moved more often than need
be.

A share above 1 is impossible, so what was taken for a ceiling is none for this step and never binds. The ceiling of
memory is one of DRAM: of a step whose arrays stay in the caches it says nothing. Where no other bound is large enough
then, what binds is not told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.experiments import typed
from benchmarks.experiments.limits.schema import Product, Stream, Value
from benchmarks.experiments.quiet import mostly_disturbed
from benchmarks.schema.results import Result, Stack

SHARE = 0.3
Bound = Literal["arithmetic", "memory", "launches", "none", "untold"]


@dataclass(frozen=True)
class Ceiling:
    """Of a device at a precision; the stacks are those that reached it."""

    flops_per_second: float
    product_stack: str
    bytes_per_second: float
    stream_stack: str
    disturbed: bool = False  # whether others worked beside most repetitions of one of the two

    @property
    def ridge(self) -> float:
        """Operations per byte from which on arithmetic is the lower roof."""
        return self.flops_per_second / self.bytes_per_second


@dataclass(frozen=True)
class Judged:
    """One stack's step against the ceilings; shares of the step's time."""

    fraction: float  # of the ceiling of arithmetic
    arithmetic: float
    memory: float
    launches: float
    in_cache: bool  # memory's share means nothing
    binds: Bound

    @property
    def impossible(self) -> bool:
        """Above 100 %: the step beat what was taken for a ceiling (memory's: its arrays stayed in caches)."""
        return max(self.arithmetic, self.memory, self.launches) > 1


def place(stack: Stack) -> tuple[str, str]:
    return stack.device, stack.precision


def ceilings(result: Result) -> dict[tuple[str, str], Ceiling]:
    """(device, precision) -> the best of all answers of the run."""
    stacks = {row.stack.key: row.stack for row in result.rows}
    best: dict[tuple[str, str], tuple[tuple[Product, str], tuple[Stream, str]]] = {}
    for answer in result.answers:
        if answer.part != "limits" or answer.status != "ok" or answer.stack not in stacks:
            continue
        value: Value = typed(answer)
        product = max(value.products, key=lambda p: p.flops_per_second)
        stream = max(value.streams, key=lambda s: s.bytes_per_second)
        key = place(stacks[answer.stack])
        best[key] = (
            max(best[key][0] if key in best else (product, answer.stack), (product, answer.stack), key=_flops),
            max(best[key][1] if key in best else (stream, answer.stack), (stream, answer.stack), key=_bytes),
        )
    return {
        key: Ceiling(
            product.flops_per_second, product_stack, stream.bytes_per_second, stream_stack,
            any(mostly_disturbed([(c,) for c in calls]) for calls in (product.repetitions, stream.repetitions)),
        )
        for key, ((product, product_stack), (stream, stream_stack)) in best.items()
    }  # fmt: skip


def _flops(found: tuple[Product, str]) -> float:
    return found[0].flops_per_second


def _bytes(found: tuple[Stream, str]) -> float:
    return found[0].bytes_per_second


def judge(value: Value, ceiling: Ceiling) -> Judged:
    step = value.step_seconds
    shares: dict[Bound, float] = {
        "arithmetic": value.flops.total / ceiling.flops_per_second / step,
        "memory": value.bytes / ceiling.bytes_per_second / step,
        "launches": value.smallest.launches * value.smallest.seconds_per_call / step,
    }
    in_cache = value.in_cache or shares["memory"] > 1
    possible = [b for b, share in shares.items() if share <= 1 and not (b == "memory" and in_cache)]
    largest = max(possible, key=lambda b: shares[b], default=None)
    rest: Bound = "none" if max(shares.values()) < SHARE else "untold"
    return Judged(
        fraction=value.flops_per_second / ceiling.flops_per_second,
        arithmetic=shares["arithmetic"],
        memory=shares["memory"],
        launches=shares["launches"],
        in_cache=in_cache,
        binds=rest if largest is None or shares[largest] < SHARE else largest,
    )
