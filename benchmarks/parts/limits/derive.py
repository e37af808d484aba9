"""What follows from the answers of ``limits``: the ceilings of a run, and which of them a step meets.

Of a device and precision a run's ceiling is the best that any stack reached, whatever the workload: what one framework
can do, the machine can. The three lower bounds of a step's time are its operations at the best product's rate, its
bytes at the best stream's rate, and its least launches at the time this stack needs for its own smallest step. The
largest of the three binds if it makes up at least :data:`SHARE` of the step; otherwise none does, and the time goes
where no bound sees it: into dispatch beyond the least, kernels below the ceiling and arrays moved more often than need
be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.parts.limits.schema import Value
from benchmarks.results import Result, Stack

SHARE = 0.3
Bound = Literal["arithmetic", "memory", "launches", "none"]


@dataclass(frozen=True)
class Ceiling:
    """Of a device at a precision; the stacks are those that reached it."""

    flops_per_second: float
    product_stack: str
    bytes_per_second: float
    stream_stack: str

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
    found: dict[tuple[str, str], Ceiling] = {}
    for answer in result.answers:
        if answer.part != "limits" or answer.status != "ok" or answer.stack not in stacks:
            continue
        value: Value = answer.typed
        product = max(p.flops_per_second for p in value.products)
        stream = max(s.bytes_per_second for s in value.streams)
        mine = Ceiling(product, answer.stack, stream, answer.stack)
        best = found.get(place(stacks[answer.stack]), mine)
        if best.flops_per_second < product:
            best = Ceiling(product, answer.stack, best.bytes_per_second, best.stream_stack)
        if best.bytes_per_second < stream:
            best = Ceiling(best.flops_per_second, best.product_stack, stream, answer.stack)
        found[place(stacks[answer.stack])] = best
    return found


def judge(value: Value, ceiling: Ceiling) -> Judged:
    step = value.step_seconds
    shares: dict[Bound, float] = {
        "arithmetic": value.flops.total / ceiling.flops_per_second / step,
        "memory": value.bytes / ceiling.bytes_per_second / step,
        "launches": value.smallest.launches * value.smallest.seconds_per_call / step,
    }
    largest = max(shares, key=lambda name: shares[name])
    return Judged(
        fraction=value.flops_per_second / ceiling.flops_per_second,
        arithmetic=shares["arithmetic"],
        memory=shares["memory"],
        launches=shares["launches"],
        binds=largest if shares[largest] >= SHARE else "none",
    )
