"""The schema of what else ran during a launch or a training that a part times as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from benchmarks.disturbance import is_disturbed
from benchmarks.samples import QUIET_SHARE, Strict, field

T = TypeVar("T")


class Watched(Strict):
    """Something timed as a whole, with the evidence of what else ran meanwhile."""

    foreign_cpu_seconds: float | None = field(
        "busy time of all CPUs minus that of this run's own processes, compilers included, while its clock ran"
    )
    disturbed: bool = field(
        "as in Block, over all its timed seconds together: from evidence, never from its own duration"
    )

    def is_denied(self, seconds: float, *, cpus: int) -> bool:
        """Whether the foreign CPU alone, of so many timed ``seconds``, contradicts that it was not disturbed."""
        return not self.disturbed and is_disturbed(self.foreign_cpu_seconds, None, seconds, cpus=cpus)


def quiet(found: Sequence[T], disturbed: Sequence[bool]) -> tuple[list[T], bool]:
    """Those of ``found`` that were not ``disturbed``, and True; all of them, and False, where fewer than half remain.

    Where it is False no verdict may rest on them.
    """
    kept = [value for value, hit in zip(found, disturbed, strict=True) if not hit]
    trusted = bool(kept) and len(kept) >= QUIET_SHARE * len(found)
    return (kept if trusted else list(found)), trusted
