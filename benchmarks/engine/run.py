"""A run from its first workload to its last: the sequence, and nothing else."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from benchmarks.engine import baselines, passes, trainings
from benchmarks.engine.assemble import assemble
from benchmarks.engine.budget import cut_words, notes
from benchmarks.engine.clock import Clock
from benchmarks.engine.context import NONE, Context, Experiments
from benchmarks.engine.journal import Finished, Note
from benchmarks.engine.plan import Entry
from benchmarks.engine.prepare import prepare
from benchmarks.engine.solo import measure_isolated
from benchmarks.protocol.profiles import MEASURES
from benchmarks.schema.results import Result, write


def run(ctx: Context, experiments: Experiments = NONE) -> Result:
    """Do all that is not done yet; ``experiments`` holds those that are asked for.

    On KeyboardInterrupt the workers are ended and the result so far is written.
    """
    clock = Clock(ctx.plan, ctx.journal, experiments)
    try:
        for place, entry in enumerate(ctx.plan.entries):
            _entry(ctx, place, entry, clock, experiments)
            ctx.on_progress(clock.share(place + 1))
            _write(ctx)
        if not ctx.journal.finished:
            _account(ctx, clock)
            ctx.journal.add(Finished(time=now()))
    finally:
        ctx.workers.kill_all()
        if not ctx.journal.finished:
            clock.keep()
        result = _write(ctx)
    return result


def _entry(ctx: Context, place: int, entry: Entry, clock: Clock, experiments: Experiments) -> None:
    """One workload variant: its passes, then what is measured after them."""
    measure = ctx.request.measure
    left = clock.left(entry, passes.undone(ctx, entry))
    timed = bool({"training", "inference", "certificate"} & set(measure))
    asked = [name for name in measure if name not in MEASURES]
    more = ctx.request.isolate or "accuracy" in measure or bool(asked)
    if not entry.runnable() or not ((timed and left) or more):
        return
    ctx.report(f"{entry.key}: preparing data")
    prepare(ctx, entry)
    while timed and left:
        for index in left:
            begun = time.monotonic()
            passes.make(ctx, entry, index)
            ctx.on_progress(clock.share(place))
            if cut := clock.cut(entry, took=time.monotonic() - begun):
                ctx.report(cut_words(cut))
                break
        left = clock.left(entry, passes.undone(ctx, entry))
        if left:
            ctx.report(f"{entry.key}: {passes.reason(ctx, entry, left)}")
    if ctx.request.isolate:
        measure_isolated(ctx, entry)
    if "accuracy" in measure:
        trainings.train_all(ctx, entry)
        baselines.train_all(ctx, entry)
    for name in asked:
        experiments[name].measure(ctx, entry)


def _account(ctx: Context, clock: Clock) -> None:
    """What --budget came to, in notes."""
    if ctx.request.budget_seconds is None:
        return
    clock.keep()
    budget = assemble(ctx.plan, ctx.journal).budget
    assert budget is not None
    for text in notes(budget, ctx.request):
        ctx.journal.add(Note(text=text))


def _write(ctx: Context) -> Result:
    result = assemble(ctx.plan, ctx.journal)
    write(result, ctx.folder / "result.json")
    return result


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
