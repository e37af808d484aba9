"""A walk through the museum: a plan of all its stacks, every exhibit on every place, failures kept as they come."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from benchmarks import museum
from benchmarks.engine.context import Context, opened
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.prepare import prepare
from benchmarks.engine.run import now
from benchmarks.engine.select import make_plan
from benchmarks.engine.worker_process import WorkerError, as_declared
from benchmarks.engine.workers import Launch, Report
from benchmarks.errors import Problem, Unavailable
from benchmarks.museum.hall import Room
from benchmarks.museum.schema import NOT_VISITED, Case, Exhibit, Museum
from benchmarks.workload import DEFAULT_IMPLS

Shown = tuple[str, museum.Place]  # exhibit and place


def visit(
    *,
    only: Sequence[str] = (),
    profile: Literal["smoke", "quick"] = "quick",
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int | None = None,
    minutes: float | None = None,
    command: str,
    say: Report,
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
    end = math.inf if minutes is None else begun + 60 * minutes
    with (
        tempfile.TemporaryDirectory(prefix="bookbench-museum-") as folder,
        opened(plan, Path(folder), report=say) as ctx,
    ):
        cases = _Walk(ctx, len(shown), end).all(shown)
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

    def __init__(self, ctx: Context, count: int, end: float) -> None:
        self.ctx, self.count, self.say, self.end, self.done = ctx, count, ctx.report, end, 0
        self.cases: dict[Shown, Case] = {}

    def all(self, shown: Sequence[Shown]) -> dict[Shown, Case]:
        for entry in self.ctx.plan.entries:
            here = [s for s in shown if s[1].workload == entry.key]
            if not self._over():
                self.say(f"{entry.key}: preparing data")
                prepare(self.ctx, entry)
            for stack in sorted({place.stack for _, place in here}):
                self._stack(entry, _planned(entry, stack), [s for s in here if s[1].stack == stack])
        return self.cases

    def _stack(self, entry: Entry, planned: Planned | None, shown: Sequence[Shown]) -> None:
        kept: Launch | None = None
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
                self.ctx.workers.stop(kept.process)

    def _over(self) -> bool:
        return monotonic() >= self.end

    def _left(self, entry: Entry, place: museum.Place) -> Case:
        stack = f"{place.stack}:{self.ctx.request.devices[0]}"
        return Case(
            workload=entry.key, stack=stack, form=place.form, batch_size=entry.batch_size, status="unavailable",
            reason=NOT_VISITED,
        )  # fmt: skip

    def _case(
        self, entry: Entry, planned: Planned | None, name: str, place: museum.Place, kept: Launch | None
    ) -> tuple[Case, Launch | None]:
        """The case, and the worker that the next one may have: none after a failure."""
        device = self.ctx.request.devices[0]
        fields: dict[str, Any] = {"workload": entry.key, "stack": f"{place.stack}:{device}", "form": place.form}
        fields["batch_size"] = entry.batch_size
        if planned is None or not planned.available:
            reason = planned.reason if planned else f"{entry.key} is not written for {place.stack}"
            return Case(status="unavailable", reason=reason, **fields), kept
        room = Room(self.ctx, entry, planned, place, name)
        try:
            room.lend(kept)
            found = museum.exhibit(name).look(room)
            return as_declared(Case, {"status": "ok", **fields, **found}), room.held
        except Unavailable as error:
            return Case(status="unavailable", reason=str(error), **fields), room.held
        except WorkerError as error:
            self.say(f"{name}: {error.status}: {error.reason}")
            reason = self.ctx.workers.redact(error.reason)
            if error.status == "unavailable":
                return Case(status="unavailable", reason=reason, **fields), room.held
            log = error.log_tail or (self.ctx.workers.log_tail(room.held.process) if room.held else [])
            if room.held:
                room.held.process.kill()
                self.ctx.workers.stop(room.held.process)
            failed = fields | {"status": error.status, "reason": reason, "log_tail": log}
            return Case.model_validate(failed), None


def _planned(entry: Entry, stack: str) -> Planned | None:
    return next((p for p in entry.stacks if f"{p.stack.framework}:{p.stack.mode}" == stack), None)
