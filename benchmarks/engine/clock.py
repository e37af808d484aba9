"""``--budget`` while the run goes on: how fast it really is, and how many passes the time still allows.

Times alone decide, never a ratio of two stacks. The journal keeps the time, so that --resume goes on counting.
"""

from __future__ import annotations

import time

from benchmarks.engine.budget import changed
from benchmarks.engine.estimate import entry_seconds
from benchmarks.engine.journal import Event, Journal
from benchmarks.engine.plan import Entry, Plan
from benchmarks.protocol.profiles import MEASURES
from benchmarks.schema.budget import Cut

IN_PASSES = tuple(m for m in MEASURES if m != "accuracy")  # what passes measure; the rest comes after them


class Clock:
    """Of one run, from the moment it is made; without --budget it does nothing."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self.plan, self.journal = plan, journal
        self.budget = plan.options.budget_seconds
        self._before, self._begun = spent(journal.events) or 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Taken by this run so far, earlier sessions included."""
        return self._before + time.monotonic() - self._begun

    def keep(self, **words: object) -> None:
        if self.budget is not None:
            self.journal.add("clock", seconds=self.seconds, **words)

    def left(self, entry: Entry, passes: list[int]) -> list[int]:
        """Those of ``passes`` that no earlier cut rules out."""
        found = cuts(self.journal.events).get((entry.workload, entry.variant))
        return passes if found is None else [p for p in passes if p < found.passes]

    def cut(self, entry: Entry, *, took: float) -> Cut | None:
        """After a pass that took so many seconds: the decision, if it was the last that the time allows."""
        made = len(self.journal.of("pass", workload=entry.key))
        self.keep(workload=entry.key, took=took)
        planned = self.plan.options.passes
        if self.budget is None or self.plan.passes_fixed or made >= planned or self._allowed(entry, made) > made:
            return None
        name = {"workload": entry.workload, "variant": entry.variant}
        found = Cut(**name, planned=planned, passes=made, spent_seconds=self.seconds)
        self.journal.add("cut", cut=found.model_dump(mode="json"))
        return found

    def _allowed(self, entry: Entry, made: int) -> int:
        """Passes that this workload and those after it can have: as many as planned, or the most that fit.

        What is still to come is estimated as before the run, then scaled by the time really taken: passes of this
        workload by the passes of this workload, all else by the whole run so far.
        """
        assert self.budget is not None
        place = self.plan.entries.index(entry)
        own = sum(e["took"] for e in self.journal.of("clock", workload=entry.key) if "took" in e)
        by_now = self._passes(place, made)
        done = sum(self._whole(k, self._made(e)) for k, e in enumerate(self.plan.entries[:place])) + by_now
        pace, own_pace = self.seconds / done, own / by_now
        after = pace * (self._whole(place, made) - by_now)
        for passes in range(self.plan.options.passes, made, -1):
            more = own_pace * (self._passes(place, passes) - by_now)
            later = pace * sum(self._whole(k, passes) for k in range(place + 1, len(self.plan.entries)))
            if self.seconds + more + after + later <= self.budget:
                return passes
        return made

    def _made(self, entry: Entry) -> int:
        return len(self.journal.of("pass", workload=entry.key))

    def _whole(self, index: int, passes: int) -> float:
        """Estimated seconds of a workload with so many passes, all that is measured after them included."""
        return entry_seconds(changed(self.plan, passes=passes), index)

    def _passes(self, index: int, passes: int) -> float:
        """Estimated seconds of so many passes of a workload and of preparing them."""
        measure = [m for m in self.plan.options.measure if m in IN_PASSES]
        return entry_seconds(changed(self.plan, passes=passes, measure=measure, isolate=False), index)


def spent(events: list[Event]) -> float | None:
    """Seconds that the run had taken when it last looked at the clock."""
    return next((float(e["seconds"]) for e in reversed(events) if e["event"] == "clock"), None)


def cuts(events: list[Event]) -> dict[tuple[str, str], Cut]:
    found = [Cut.model_validate(e["cut"]) for e in events if e["event"] == "cut"]
    return {(c.workload, c.variant): c for c in found}
