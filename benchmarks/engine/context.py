"""What all that a run does has in common: its plan, its folder and journal, its workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeAlias

from benchmarks.analysis.pilot import total
from benchmarks.engine.journal import Journal
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.workers import TIMEOUT, Report, Workers
from benchmarks.protocol.profiles import PROFILES, Profile
from benchmarks.schema.results import Data, Options


@dataclass(frozen=True)
class Context:
    """Of one run."""

    plan: Plan
    folder: Path
    journal: Journal
    workers: Workers
    report: Report
    on_round: Callable[[int, int], None]  # told of each pass and round before it begins
    on_progress: Callable[[float], None]  # told of the share of the work that is done

    @property
    def request(self) -> Options:
        return self.plan.options

    @property
    def profile(self) -> Profile:
        return PROFILES[self.request.profile]

    def data(self, entry: Entry) -> Data:
        """What the workers are given, once it is prepared."""
        found = self.journal.data(entry.key)
        assert found is not None
        return found

    def passes(self, entry: Entry) -> int:
        """How many the workload variant gets, as far as that is decided."""
        return total(self.request, self.journal.pilot(entry.key))


class Experiment(Protocol):
    """What a run knows of an experiment, a module ``benchmarks/experiments/NAME/measure.py``."""

    def measure(self, ctx: Context, entry: Entry) -> None:
        """Ask every stack that the journal holds no answer of."""

    def seconds(self, plan: Plan, entry: Entry, planned: Planned) -> float:
        """Estimate what that takes for one stack."""


Experiments: TypeAlias = Mapping[str, Experiment]
NONE: Experiments = MappingProxyType({})


@contextmanager
def opened(
    plan: Plan,
    folder: Path,
    *,
    report: Report,
    timeout: float = TIMEOUT,
    on_round: Callable[[int, int], None] = lambda index, number: None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Iterator[Context]:
    """The context of a run in ``folder``; at the end its workers are ended. ``timeout``: of one request, in seconds."""
    journal = Journal(folder)
    workers = Workers(plan, folder, journal, report=report, timeout=timeout)
    try:
        yield Context(plan, folder, journal, workers, report, on_round, on_progress)
    finally:
        workers.close()
