"""The schema of step times of a stack that is alone on the machine, shared by parts that time steps of their own."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import geometric_mean, median

from benchmarks.schema.samples import QUIET_SHARE, Strict, field


class Timed(Strict):
    """One timed block of training steps of a stack alone on the machine."""

    seconds: float = field("wall seconds of the block, device synchronised at both ends", gt=0)
    steps: int = field("training steps in the block", gt=0)
    cpu_seconds: float = field("CPU seconds of the worker, all threads, during the block", ge=0)
    foreign_cpu_seconds: float | None = field("busy time of all CPUs minus that of this run's own processes")
    disturbed: bool = field("as in Block: from evidence, never from the block's own duration")

    @property
    def step_seconds(self) -> float:
        return self.seconds / self.steps


class TimedLaunch(Strict):
    """One fresh process: warm-up, then its timed blocks."""

    launch: int = field("which launch of its kind, from 0", ge=0)
    settled: bool = field("whether its warm-up became steady")
    blocks: list[Timed] = field("every timed block, in order", min_length=1)

    @property
    def step_seconds(self) -> float:
        return median_step(self.blocks)

    @property
    def spoilt(self) -> bool:
        return spoilt(self.blocks)


def median_step(blocks: Sequence[Timed]) -> float:
    """Seconds: median over blocks that were not disturbed; over all where fewer than half were quiet."""
    counted = blocks if spoilt(blocks) else [b for b in blocks if not b.disturbed]
    return median(b.step_seconds for b in counted)


def spoilt(blocks: Sequence[Timed]) -> bool:
    """Whether fewer than half of the blocks were quiet: no verdict may rest on them."""
    return sum(not b.disturbed for b in blocks) < QUIET_SHARE * len(blocks)


def doubts(launches: Sequence[Sequence[Timed]], *, settled: bool) -> str:
    """What speaks against step times, the blocks of every launch given, in sentences; empty where nothing does."""
    blocks, found = [b for launch in launches for b in launch], []
    if disturbed := sum(b.disturbed for b in blocks):
        rest = "no verdict rests on this" if any(map(spoilt, launches)) else "the quiet ones count"
        found.append(f"{disturbed} of {len(blocks)} blocks were disturbed; {rest}.")
    if not settled:
        found.append("The warm-up did not become steady.")
    return " ".join(found)


def mean_step(launches: Sequence[TimedLaunch]) -> float:
    """Seconds: geometric mean over launches of their medians."""
    return geometric_mean(la.step_seconds for la in launches)
