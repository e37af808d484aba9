"""How much of a run is done; with ``--budget`` how fast it really is, and how many passes the time still allows.

Times alone decide, never a ratio of two stacks. The journal keeps the time, so that --resume goes on counting.
"""

from __future__ import annotations

import time

from benchmarks.engine.context import NONE, Experiments
from benchmarks.engine.estimate import entry_seconds, expected_passes
from benchmarks.engine.journal import ClockRead, Journal, PassesCut, PassMade
from benchmarks.engine.plan import Entry, Plan
from benchmarks.protocol.profiles import MEASURES
from benchmarks.schema.budget import Cut

IN_PASSES = tuple(m for m in MEASURES if m != "accuracy")  # what passes measure; the rest comes after them


class Clock:
    """Of one run, from the moment it is made."""

    def __init__(self, plan: Plan, journal: Journal, experiments: Experiments = NONE) -> None:
        self.plan, self.journal, self.experiments = plan, journal, experiments
        self.budget = plan.options.budget_seconds
        self._before, self._begun = journal.spent() or 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Taken by this run so far, earlier sessions included."""
        return self._before + time.monotonic() - self._begun

    def keep(self, *, key: str = "", took: float = 0.0) -> None:
        if self.budget is not None:
            self.journal.add(ClockRead(seconds=self.seconds, key=key, took=took))

    def share(self, place: int) -> float:
        """The share of the work that is done, by estimate: workloads before ``place`` wholly, that one by its passes.

        Where a pilot has not decided yet, the passes that are to be expected count.
        """
        if place == len(self.plan.entries):
            return 1.0
        whole = [self._whole(k, self._planned(e)) for k, e in enumerate(self.plan.entries)]
        made = self._made(self.plan.entries[place])
        return (sum(whole[:place]) + (self._passes(place, made) if made else 0.0)) / sum(whole)

    def left(self, entry: Entry, passes: list[int]) -> list[int]:
        """Those of ``passes`` that no earlier cut rules out."""
        found = self.journal.cut(entry.key)
        return passes if found is None else [p for p in passes if p < found.passes]

    def cut(self, entry: Entry, *, took: float) -> Cut | None:
        """After a pass that took so many seconds: the decision, if it was the last that the time allows."""
        made = self._made(entry)
        self.keep(key=entry.key, took=took)
        planned = self.plan.options.passes
        if self.budget is None or self.plan.passes_fixed or made >= planned or self._allowed(entry, made) > made:
            return None
        name = {"workload": entry.workload, "variant": entry.variant}
        found = Cut(**name, planned=planned, passes=made, spent_seconds=self.seconds)
        self.journal.add(PassesCut(key=entry.key, cut=found))
        return found

    def _allowed(self, entry: Entry, made: int) -> int:
        """Passes that this workload and those after it can have: as many as planned, or the most that fit.

        What is still to come is estimated as before the run, then scaled by the time really taken: passes of this
        workload by the passes of this workload, all else by the whole run so far.
        """
        assert self.budget is not None
        place = self.plan.entries.index(entry)
        own = sum(e.took for e in self.journal.of(ClockRead, key=entry.key))
        by_now = self._passes(place, made)
        pace, own_pace = self.seconds / self._done(place), own / by_now
        after = pace * (self._whole(place, made) - by_now)
        for passes in range(self.plan.options.passes, made, -1):
            more = own_pace * (self._passes(place, passes) - by_now)
            later = pace * sum(self._whole(k, passes) for k in range(place + 1, len(self.plan.entries)))
            if self.seconds + more + after + later <= self.budget:
                return passes
        return made

    def _made(self, entry: Entry) -> int:
        return len(self.journal.of(PassMade, key=entry.key))

    def _planned(self, entry: Entry) -> int:
        """Passes made in the end, as far as is known."""
        decided = self.journal.cut(entry.key) or self.journal.pilot(entry.key)
        return max(self._made(entry), decided.passes if decided else expected_passes(self.plan, entry))

    def _done(self, place: int) -> float:
        """Estimated seconds of the workloads before ``place``, and of the passes made of that one."""
        before = sum(self._whole(k, self._made(e)) for k, e in enumerate(self.plan.entries[:place]))
        return before + self._passes(place, self._made(self.plan.entries[place]))

    def _whole(self, index: int, passes: int) -> float:
        """Estimated seconds of a workload with so many passes, all that is measured after them included."""
        return entry_seconds(self.plan.with_request(passes=passes, pilot=None), index, self.experiments)

    def _passes(self, index: int, passes: int) -> float:
        """Estimated seconds of so many passes of a workload and of preparing them."""
        measure = [m for m in self.plan.options.measure if m in IN_PASSES]
        fewer = self.plan.with_request(passes=passes, measure=measure, isolate=False, pilot=None)
        return entry_seconds(fewer, index, self.experiments)
