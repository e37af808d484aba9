"""Hold a result to what was promised, which no sample can show.

Canary, pilot, stacks alone, --budget, rounds and their repeats, lengths of blocks and lead-ins, orders of rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from benchmarks.engine.budget import notes
from benchmarks.engine.orders import launch_order, round_orders
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Key, Launch, Options, Result, Row

ROUNDING = 2.0  # seconds: start and end of a run are kept to the second


def check(result: Result) -> Iterator[str]:
    """Violations, in words."""
    groups: dict[Key, list[Row]] = {}
    for row in result.rows:
        groups.setdefault(row.place, []).append(row)
    yield from _alone(result, groups)
    yield from _budget(result)
    for key, rows in groups.items():
        yield from (f"{'/'.join(key)}: {words}" for words in _same_rounds(rows))
    if "training" not in result.options.measure:
        return
    for key, rows in groups.items():
        name = "/".join(key)
        yield from (f"{name}: {words}" for words in (*_canary(result.options, rows), *_pilot(result, key, rows)))
        yield from (f"{name}: {words}" for words in _orders(result.options, rows))
        for row in rows:
            yield from (f"{name} on {row.stack.key}: {words}" for words in _timed(row.launches, result.options))
    for alone in result.isolated:
        for one in alone.stacks:
            where = f"{alone.workload}/{alone.variant}: alone: {one.stack}"
            yield from (f"{where}: {words}" for words in _timed(one.launches, result.options))
            if any(b.position for la in one.launches for b in la.blocks):
                yield f"{where}: timed after another stack"


def _canary(options: Options, rows: Sequence[Row]) -> Iterator[str]:
    """One stack is launched twice where that was asked for, unless none could run; never otherwise."""
    replicas = sum(row.stack.replica > 0 for row in rows)
    able = any(row.status != "unavailable" for row in rows)
    if replicas != (wanted := int(options.canary and able)):
        yield f"{replicas} canaries, {wanted} had to be launched"


def _pilot(result: Result, key: Key, rows: Sequence[Row]) -> Iterator[str]:
    """Passes after the pilot's follow from its decision, so that it must be there."""
    pilot = result.options.pilot
    if pilot is None or key in {p.place for p in result.pilots}:
        return
    passes = max((la.pass_index + 1 for row in rows for la in row.launches), default=0)
    if passes > pilot or (passes and result.complete):
        yield f"{passes} passes without the decision that follows the first {pilot}"


def _timed(launches: Sequence[Launch], options: Options) -> Iterator[str]:
    for la in launches:
        if la.status == "ok":
            yield from (f"pass {la.pass_index + 1}: {words}" for words in rounds(la, options))
    yield from lengths(launches, options)


def rounds(launch: Launch, options: Options) -> Iterator[str]:
    """Planned rounds complete, repeats after them, of disturbed rounds only, and as many as were needed or allowed."""
    planned = [b.round for b in launch.planned_blocks]
    extra = [b for b in launch.blocks if b.repeats is not None]
    if planned != list(range(options.rounds)):
        yield f"has rounds {planned}, {options.rounds} were planned"
        return
    if [b.round for b in launch.blocks] != list(range(options.rounds + len(extra))):
        yield "its repeats do not follow its planned rounds one by one"
        return
    budget = PROFILES[options.profile].extra_rounds(options.rounds)
    if len(extra) > budget:
        yield f"{len(extra)} rounds were repeated, {budget} are allowed"
    waiting = {b.round for b in launch.planned_blocks if b.round_disturbed}
    for b in extra:
        if b.repeats not in waiting:
            yield f"round {b.round + 1} repeats a round that was not disturbed, or not any more"
        elif not b.round_disturbed:
            waiting.discard(b.repeats)
    if waiting and len(extra) < budget:
        yield "disturbed rounds were not repeated although the budget allowed it"


def _same_rounds(rows: Sequence[Row]) -> Iterator[str]:
    """A repeated round is repeated for all stacks."""
    seen: dict[int, set[tuple[tuple[int, int | None], ...]]] = {}
    for row in rows:
        for la in row.launches:
            if la.status == "ok" and la.interleaved and la.blocks:
                seen.setdefault(la.pass_index, set()).add(tuple((b.round, b.repeats) for b in la.blocks))
    yield from (f"pass {i + 1}: stacks were timed in different rounds" for i, found in seen.items() if len(found) > 1)


def _alone(result: Result, groups: dict[Key, list[Row]]) -> Iterator[str]:
    """With --isolated stacks of every workload are measured alone, in as many passes as together."""
    asked, had = result.options.isolate, {i.place for i in result.isolated}
    if had and not asked:
        yield "stacks were measured alone without --solo"
    for alone in result.isolated:
        rows = groups.get(alone.place, [])
        together = sorted({la.pass_index for row in rows for la in row.launches})
        for one in alone.stacks:
            passes = [la.pass_index for la in one.launches]
            if result.complete and passes != together:
                where = f"{alone.workload}/{alone.variant}: alone: {one.stack}"
                yield f"{where} has passes {[p + 1 for p in passes]}, together there were {len(together)}"
    if asked and result.complete:
        timed = {key for key, rows in groups.items() if any(r.status == "ok" and r.launches for r in rows)}
        yield from (f"{'/'.join(key)}: not measured alone, which was asked for" for key in sorted(timed - had))


def _budget(result: Result) -> Iterator[str]:
    """Passes that --budget gave up are fewer than planned, the time taken is within the run, and the reader is told."""
    options, budget = result.options, result.budget
    if (options.budget_seconds is None) != (budget is None):
        yield "what became of --budget is " + ("not told" if budget is None else "told, though there was none")
    if budget is None:
        return
    declared = {d.place for d in result.declared}
    for cut in budget.cuts:
        name = f"{cut.workload}/{cut.variant}"
        if cut.place not in declared:
            yield f"{name}: passes given up of a workload that is not in this result"
        if not 1 <= cut.passes < cut.planned == options.passes:
            yield f"{name}: {cut.passes} of {cut.planned} passes is no cut of the {options.passes} that were planned"
        if budget.spent_seconds is None or cut.spent_seconds > budget.spent_seconds:
            yield f"{name}: passes were given up after the run had ended"
    if result.complete and result.finished is not None:
        lasted = (datetime.fromisoformat(result.finished) - datetime.fromisoformat(result.started)).total_seconds()
        if budget.spent_seconds is None or budget.spent_seconds > lasted + ROUNDING:
            yield "the time taken is not within start and end"
        yield from (f"lacks the note: {text}" for text in notes(budget, options) if text not in result.notes)


def lengths(launches: Sequence[Launch], options: Options) -> Iterator[str]:
    """Every block has the steps that its profile asks for at the step time known by then, after a long enough lead-in.

    The engine plans a block by the median of the last windows of the warm-up and by the fastest block since; here the
    slowest window stands for that median, which asks for as many steps or fewer.
    """
    profile = PROFILES[options.profile]
    for la in launches:
        warm = la.phases.warm_up
        if la.blocks and warm is None:
            yield f"pass {la.pass_index + 1}: timed without a warm-up"
        slowest = max(warm.window_seconds) / warm.window_steps if warm is not None else float("inf")
        for b in la.blocks:
            where = f"pass {la.pass_index + 1}: round {b.round + 1}"
            if slowest < float("inf") and b.steps < (least := profile.steps(slowest)):
                yield f"{where}: a block of {b.steps} steps, the profile asks for {least}"
            if b.lead_in_steps < profile.lead_in:
                yield f"{where}: {b.lead_in_steps} steps of lead-in, the profile asks for {profile.lead_in}"
            slowest = min(slowest, b.seconds / b.steps)


def _orders(options: Options, rows: Sequence[Row]) -> Iterator[str]:
    """The places of blocks in their rounds follow from the seed. Passes that were cut short are not looked at."""
    able = [row for row in rows if row.status != "unavailable"]
    key = str(rows[0].place)
    by_pass: dict[int, dict[str, Launch]] = {}
    for row in able:
        for la in row.launches:
            by_pass.setdefault(la.pass_index, {})[row.stack.key] = la
    for index, launches in by_pass.items():
        if len(launches) < len(able) or any(la.status == "interrupted" for la in launches.values()):
            continue
        started = launch_order(len(able), seed=options.seed, workload=key, pass_index=index)
        if PROFILES[options.profile].side_by_side > 1:
            started = list(range(len(able)))[::-1]
        # Whoever has warmed up takes part in the rounds, or fails in them.
        ready = [la for i in started if (la := launches[able[i].stack.key]).phases.warm_up is not None]
        together = [la for la in ready if la.interleaved]
        for group in [together] if together else [[la] for la in ready]:
            if wrong := _misplaced(group, options, key, index):
                yield f"pass {index + 1}: rounds {wrong} were not timed in the order that the seed gives"


def _misplaced(group: Sequence[Launch], options: Options, key: str, index: int) -> list[int]:
    """Rounds, from 1, in which a block has another place than the schedule gives it."""
    orders = round_orders(len(group), options.rounds, seed=options.seed, workload=key, pass_index=index)
    wrong = set()
    for i, la in enumerate(group):
        for b in la.blocks:
            planned = b.round if b.repeats is None else b.repeats
            if not 0 <= planned < len(orders) or b.position != orders[planned].index(i):
                wrong.add(b.round + 1)
    return sorted(wrong)
