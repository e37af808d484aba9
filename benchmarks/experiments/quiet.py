"""Which samples of an experiment count: those that were not disturbed, where they are enough."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import geometric_mean, median
from typing import TypeVar

from benchmarks.schema.samples import QUIET_SHARE, Block, Sample, Strict, field

T = TypeVar("T")


Group = TypeVar("Group", bound=Sequence[Sample])  # samples that are held against each other


def quiet(found: Sequence[T], disturbed: Sequence[bool]) -> tuple[list[T], bool]:
    """Those of ``found`` that were not ``disturbed``, and True; all of them, and False, where fewer than half remain.

    Where it is False no verdict may rest on them.
    """
    kept = [value for value, hit in zip(found, disturbed, strict=True) if not hit]
    trusted = bool(kept) and len(kept) >= QUIET_SHARE * len(found)
    return (kept if trusted else list(found)), trusted


def is_quiet(group: Sequence[Sample]) -> bool:
    return not any(sample.disturbed for sample in group)


def mostly_disturbed(groups: Sequence[Sequence[Sample]]) -> bool:
    """Whether fewer than half of the groups are quiet, so that no verdict rests on them."""
    return bool(groups) and not quiet(groups, [not is_quiet(g) for g in groups])[1]


def counted(groups: Sequence[Group]) -> list[Group]:
    """The quiet groups; all where most were disturbed."""
    return quiet(groups, [not is_quiet(g) for g in groups])[0]


class TimedLaunch(Strict):
    """One fresh process: warm-up, then its timed blocks."""

    launch: int = field("which launch of its kind, from 0", ge=0)
    settled: bool = field("whether its warm-up became steady")
    blocks: list[Block] = field("every timed block, in order", min_length=1)

    @property
    def step_seconds(self) -> float:
        return median_step(self.blocks)

    @property
    def spoilt(self) -> bool:
        return spoilt(self.blocks)


def median_step(blocks: Sequence[Block]) -> float:
    """Seconds: median over blocks that were not disturbed; over all where fewer than half were quiet."""
    return median(b.step_seconds for b in quiet(blocks, [b.disturbed for b in blocks])[0])


def spoilt(blocks: Sequence[Block]) -> bool:
    """Whether fewer than half of the blocks were quiet: no verdict may rest on them."""
    return mostly_disturbed([(b,) for b in blocks])


def doubts(launches: Sequence[Sequence[Block]], *, settled: bool) -> str:
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
