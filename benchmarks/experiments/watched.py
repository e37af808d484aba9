"""The schema of what a part times inside its worker, with the evidence of what else ran, and which of it counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from benchmarks.machine.disturbance import is_disturbed
from benchmarks.schema.results import Result
from benchmarks.schema.samples import QUIET_SHARE, Strict, field

T = TypeVar("T")


class Watched(Strict):
    """Something timed as a whole: a launch, a training, a window, a call."""

    foreign_cpu_seconds: float | None = field(
        "busy time of the run's CPUs minus that of its own processes, compilers and loaders included, while its clock "
        "ran; None where the system does not tell"
    )
    disturbed: bool = field(
        "as in Block, over all its timed seconds together: from evidence, never from its own duration"
    )

    def is_denied(self, seconds: float, *, cpus: int) -> bool:
        """Whether the foreign CPU alone, of so many timed ``seconds``, contradicts that it was not disturbed."""
        return not self.disturbed and is_disturbed(self.foreign_cpu_seconds, None, seconds, cpus=cpus)


class Call(Watched):
    """One timed call."""

    seconds: float = field("wall seconds, device synchronised at both ends", gt=0)


Group = TypeVar("Group", bound=Sequence[Call])  # calls that are held against each other


def quiet(found: Sequence[T], disturbed: Sequence[bool]) -> tuple[list[T], bool]:
    """Those of ``found`` that were not ``disturbed``, and True; all of them, and False, where fewer than half remain.

    Where it is False no verdict may rest on them.
    """
    kept = [value for value, hit in zip(found, disturbed, strict=True) if not hit]
    trusted = bool(kept) and len(kept) >= QUIET_SHARE * len(found)
    return (kept if trusted else list(found)), trusted


def is_quiet(group: Sequence[Call]) -> bool:
    return not any(call.disturbed for call in group)


def mostly_disturbed(groups: Sequence[Sequence[Call]]) -> bool:
    """Whether fewer than half of the groups are quiet, so that no verdict rests on them."""
    return bool(groups) and not quiet(groups, [not is_quiet(g) for g in groups])[1]


def counted(groups: Sequence[Group]) -> list[Group]:
    """The quiet groups; all where most were disturbed."""
    return quiet(groups, [not is_quiet(g) for g in groups])[0]


def unmarked(result: Result, calls: Iterable[Call]) -> Iterator[str]:
    """A complaint if calls whose foreign CPU time is above the share are not marked."""
    missed = [c for c in calls if c.is_denied(c.seconds, cpus=max(1, result.options.threads))]
    if missed:
        yield f"{len(missed)} of its calls had others' work beside them and are not marked as disturbed"
