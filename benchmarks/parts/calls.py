"""The schema of a timed call with the evidence of what else ran, for parts that time inside their worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from benchmarks.disturbance import is_disturbed
from benchmarks.results import Result
from benchmarks.samples import QUIET_SHARE, Strict, field


class Call(Strict):
    """One timed call."""

    seconds: float = field("wall seconds, device synchronised at both ends", gt=0)
    foreign_cpu_seconds: float | None = field(
        "busy time of all CPUs meanwhile minus that of this run's own processes; None where the system does not tell"
    )
    disturbed: bool = field("as in Block: from evidence, never from the call's own duration")


Group = TypeVar("Group", bound=Sequence[Call])  # calls that are held against each other


def is_quiet(group: Sequence[Call]) -> bool:
    return not any(call.disturbed for call in group)


def mostly_disturbed(groups: Sequence[Sequence[Call]]) -> bool:
    """Whether fewer than half of the groups are quiet, so that no verdict rests on them."""
    return sum(map(is_quiet, groups)) < QUIET_SHARE * len(groups)


def counted(groups: Sequence[Group]) -> list[Group]:
    """The quiet groups; all where most were disturbed."""
    return [g for g in groups if mostly_disturbed(groups) or is_quiet(g)]


def unmarked(result: Result, calls: Iterable[Call]) -> Iterator[str]:
    """A complaint if calls whose foreign CPU time is above the share are not marked."""
    cpus = max(1, result.options.threads)
    missed = [c for c in calls if not c.disturbed and is_disturbed(c.foreign_cpu_seconds, None, c.seconds, cpus=cpus)]
    if missed:
        yield f"{len(missed)} of its calls had others' work beside them and are not marked as disturbed"
