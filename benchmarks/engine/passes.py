"""Passes of a workload variant: which are left to make, and how one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.analysis.pilot import judge_pilot, replacements
from benchmarks.engine import phases
from benchmarks.engine.assemble import rows
from benchmarks.engine.context import Context
from benchmarks.engine.journal import Launched, LaunchEnded, Note, PassMade, PilotDecided
from benchmarks.engine.orders import launch_order
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.rounds import measure_rounds
from benchmarks.engine.workers import Launch
from benchmarks.machine.computer import memory_available

WORKER_BYTES = 1_500_000_000  # what one resident worker may take; decides whether all fit at once


def undone(ctx: Context, entry: Entry) -> list[int]:
    """Passes still to make of ``entry``, as far as is decided. Decides, and writes it down, when the pilot is done."""
    if left := _left(ctx, entry):
        return left
    if ctx.request.pilot is None or "training" not in ctx.request.measure or not entry.runnable():
        return []
    made = rows(ctx.plan, entry, ctx.journal)
    if decided := ctx.journal.pilot(entry.key):
        extra = decided.passes
        owed = replacements(made, extra) and not ctx.journal.of(PassMade, key=entry.key, index=extra)
        return [extra] if owed else []
    ctx.journal.add(PilotDecided(key=entry.key, decision=judge_pilot(made, pilot=ctx.request.pilot)))
    return _left(ctx, entry)


def _left(ctx: Context, entry: Entry) -> list[int]:
    made = {e.index for e in ctx.journal.of(PassMade, key=entry.key)}
    return [p for p in range(ctx.passes(entry)) if p not in made]


def reason(ctx: Context, entry: Entry, left: Sequence[int]) -> str:
    """Why the passes ``left`` are still to be made, in a sentence without its full stop."""
    decided = ctx.journal.pilot(entry.key)
    assert decided is not None
    return decided.words if left[0] < decided.passes else "one more pass, for one that stayed disturbed"


def make(ctx: Context, entry: Entry, index: int) -> None:
    """Start every stack once, measure in interleaved rounds, end them all."""
    planned = entry.runnable()
    order = launch_order(len(planned), seed=ctx.request.seed, workload=entry.key, pass_index=index)
    if ctx.profile.side_by_side > 1:
        order = list(range(len(planned)))[::-1]  # nothing to balance; what is listed last compiles longest
    need, have = WORKER_BYTES * len(planned), memory_available()
    interleaved = need <= have
    if not interleaved:
        short = f"memory was short ({have / 1e9:.0f} GB for {len(planned)} workers)"
        text = f"{entry.key}: {short}, so workers were taken in turns and rounds are not interleaved"
        ctx.journal.add(Note(text=text))
    for group in [order] if interleaved else [[i] for i in order]:
        together(ctx, entry, index, [planned[i] for i in group], interleaved=interleaved)
    ctx.journal.add(PassMade(key=entry.key, index=index))


def together(
    ctx: Context, entry: Entry, index: int, group: Sequence[Planned], *, interleaved: bool, solo: bool = False
) -> None:
    """Launch the stacks of ``group`` one after the other, time them in rounds, then end them one by one."""
    started: list[Launch] = []

    def launched() -> Iterator[Launch]:
        for planned in group:
            started.append(_launch(ctx, entry, planned, index, interleaved=interleaved, solo=solo))
            yield started[-1]

    def asked(*requests: Callable[[Context, Launch], None]) -> Callable[[Launch], None]:
        def ask(launch: Launch) -> None:
            with ctx.workers.guard(launch):
                for request in requests:
                    request(ctx, launch)

        return ask

    def finished(launch: Launch) -> None:
        with ctx.workers.guard(launch):
            phases.after_rounds(ctx, launch)
            ctx.journal.add(LaunchEnded(**launch.named, status="ok"))
        ctx.workers.stop(launch.process)

    def left() -> list[Launch]:
        return [launch for launch in started if not launch.ended]

    try:
        if ctx.profile.imports > 1:
            ctx.workers.side_by_side(asked(phases.importing), launched(), at_once=ctx.profile.imports)
            for launch in left():
                asked(phases.before_rounds)(launch)
        else:
            ctx.workers.side_by_side(asked(phases.importing, phases.before_rounds), launched())
        if "training" in ctx.request.measure and left():
            measure_rounds(ctx, entry, index, left())
        ctx.workers.side_by_side(finished, left())
    except BaseException:
        for launch in started:
            launch.process.kill()  # no time for good manners
        raise
    finally:
        for launch in started:
            ctx.workers.stop(launch.process)


def _launch(ctx: Context, entry: Entry, planned: Planned, index: int, *, interleaved: bool, solo: bool) -> Launch:
    row = entry.row(planned)
    attempt = 1 + len(ctx.journal.of(Launched, row=row, pass_index=index, solo=solo))
    warm = any(path.is_file() for path in ctx.workers.caches(entry.slug(planned)).rglob("*"))
    name = f"alone{index + 1}" if solo else f"pass{index + 1}"
    launch = ctx.workers.start(entry, planned, name=name, attempt=attempt, pass_index=index, solo=solo)
    ctx.journal.add(Launched(**launch.named, caches="warm" if warm else "cold", interleaved=interleaved))
    return launch
