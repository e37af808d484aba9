"""A walk through the museum: a plan of all its stacks, every exhibit on every place, failures kept as they come."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from benchmarks import museum
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.run import LIMIT, Run, Running, now
from benchmarks.engine.select import make_plan
from benchmarks.engine.worker_process import WorkerError
from benchmarks.errors import Problem, Unavailable
from benchmarks.museum.hall import Room
from benchmarks.museum.schema import NOT_VISITED, Case, Exhibit, Museum
from benchmarks.workload import DEFAULT_IMPLS

Say = Callable[[str], None]
Shown = tuple[str, museum.Place]  # exhibit and place


def visit(
    *,
    only: Sequence[str] = (),
    profile: Literal["smoke", "quick"] = "quick",
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int | None = None,
    minutes: float | None = None,
    command: str,
    say: Say,
    impls: Path = DEFAULT_IMPLS,
) -> Museum:
    """Measure the exhibits named in ``only``, or all; after so many ``minutes`` nothing further is begun."""
    chosen = _chosen(only)
    started, begun = now(), monotonic()
    shown = [(name, place) for name in chosen for place in museum.exhibit(name).PLACES]
    plan = make_plan(
        command=command,
        workload=sorted({place.workload for _, place in shown}),
        stack=sorted({place.stack for _, place in shown}),
        device=[device],
        profile=profile,
        measure=["training"],
        threads=threads,
        impls=impls,
    )
    with tempfile.TemporaryDirectory(prefix="bookbench-museum-") as folder:
        run = Run(plan, Path(folder), say=say, limit=LIMIT)
        try:
            end = math.inf if minutes is None else begun + 60 * minutes
            cases = _Walk(run, len(shown), say, end).all(shown)
        finally:
            run.close()
    return Museum(
        started=started,
        seconds=monotonic() - begun,
        minutes=minutes,
        command=command,
        profile=profile,
        device=device,
        threads=plan.options.threads,
        machine=plan.machine,
        interpreter=plan.interpreters[0],
        git_commit=plan.git_commit,
        git_dirty=plan.git_dirty,
        exhibits=[Exhibit(name=n, cases=[cases[n, p] for p in museum.exhibit(n).PLACES]) for n in chosen],
    )


def _chosen(only: Sequence[str]) -> list[str]:
    for name in only:
        if name not in museum.names():
            raise Problem(f"--only {name}: no such exhibit; there are {', '.join(museum.names())}")
    return [name for name in museum.names() if not only or name in only]


class _Walk:
    """Workload by workload and stack by stack, so that data are made once and workers serve several exhibits.

    What has not begun at ``end`` of the monotonic clock is left out.
    """

    def __init__(self, run: Run, count: int, say: Say, end: float) -> None:
        self.run, self.count, self.say, self.end, self.done = run, count, say, end, 0
        self.cases: dict[Shown, Case] = {}

    def all(self, shown: Sequence[Shown]) -> dict[Shown, Case]:
        for entry in self.run.plan.entries:
            here = [s for s in shown if s[1].workload == entry.key]
            if not self._over():
                self.say(f"{entry.key}: preparing data")
                self.run.prepare(entry, dataclasses.replace(entry.load(), batch_size=entry.batch_size))
            for stack in sorted({place.stack for _, place in here}):
                self._stack(entry, _planned(entry, stack), [s for s in here if s[1].stack == stack])
        return self.cases

    def _stack(self, entry: Entry, planned: Planned | None, shown: Sequence[Shown]) -> None:
        kept: Running | None = None
        try:
            for name, place in shown:
                self.done += 1
                form = f" ({place.form})" if place.form else ""
                title = f"[{self.done}/{self.count}] {museum.exhibit(name).TITLE}{form}: {entry.key} on {place.stack}"
                if self._over():
                    self.say(f"{title}: {NOT_VISITED}")
                    self.cases[name, place] = self._left(entry, place)
                    continue
                self.say(title)
                self.cases[name, place], kept = self._case(entry, planned, name, place, kept)
        finally:
            if kept is not None:
                self.run.stop(kept)

    def _over(self) -> bool:
        return monotonic() >= self.end

    def _left(self, entry: Entry, place: museum.Place) -> Case:
        stack = f"{place.stack}:{self.run.options.devices[0]}"
        return Case(
            workload=entry.key, stack=stack, form=place.form, batch_size=entry.batch_size, status="unavailable",
            reason=NOT_VISITED,
        )  # fmt: skip

    def _case(
        self, entry: Entry, planned: Planned | None, name: str, place: museum.Place, kept: Running | None
    ) -> tuple[Case, Running | None]:
        """The case, and the worker that the next one may have: none after a failure."""
        device = self.run.options.devices[0]
        fields: dict[str, Any] = {"workload": entry.key, "stack": f"{place.stack}:{device}", "form": place.form}
        fields["batch_size"] = entry.batch_size
        if planned is None or not planned.available:
            reason = planned.reason if planned else f"{entry.key} is not written for {place.stack}"
            return Case(status="unavailable", reason=reason, **fields), kept
        workload = dataclasses.replace(entry.load(), batch_size=entry.batch_size)
        room = Room(self.run, entry, workload, planned, place, name)
        try:
            room.lend(kept)
            found = museum.exhibit(name).look(room)
            return Case(status="ok", **fields, **found), room.held
        except Unavailable as error:
            return Case(status="unavailable", reason=str(error), **fields), room.held
        except WorkerError as error:
            self.say(f"{name}: {error.status}: {error.reason}")
            reason = self.run.clean(error.reason)
            if error.status == "unavailable":
                return Case(status="unavailable", reason=reason, **fields), room.held
            log = error.log_tail or (self.run.log_tail(room.held) if room.held else [])
            if room.held:
                room.held.worker.kill()
                self.run.stop(room.held)
            failed = fields | {"status": error.status, "reason": reason, "log_tail": log}
            return Case.model_validate(failed), None


def _planned(entry: Entry, stack: str) -> Planned | None:
    return next((p for p in entry.stacks if f"{p.stack.framework}:{p.stack.mode}" == stack), None)
