"""The part of ``verify`` about how rounds went: disturbance, repeats, warm-up, groups, carry-over, stacks alone.

Everything that can be derived is derived again from the samples. Results of the first verdict rule are from before
rounds were marked and repeated: that is not asked of them, and they may not claim it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.analysis import multimodal
from benchmarks.analysis.carry_over import carry_over
from benchmarks.analysis.rounds import mark_rounds
from benchmarks.analysis.solo import isolated
from benchmarks.analysis.verdicts import rows_as_judged
from benchmarks.machine.disturbance import MOST_CPU, is_disturbed
from benchmarks.protocol import steady
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Block, Launch, Options, Result, Row

FIRST_WINDOWS = {"smoke": 1, "quick": 5, "full": 5}  # profile -> windows that the first rule of steady states asked for
SAME = 1e-6  # linear algebra differs in the last digits from machine to machine
SAME_P = 0.01  # and may move a permutation or two across the observed value


def check(result: Result) -> Iterator[str]:
    """Violations, in words."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows_as_judged(result):
        groups.setdefault((row.workload, row.variant), []).append(row)
    for key, rows in groups.items():
        for row, marked in zip(rows, mark_rounds(rows), strict=True):
            name = f"{row.workload}/{row.variant} on {row.stack.key}"
            for launch, again in zip(row.launches, marked.launches, strict=True):
                for words in _launch(result, launch, again):
                    yield f"{name}: pass {launch.pass_index + 1}: {words}"
            if (multimodal.find(row.launches) if result.verdict_rule > 1 else []) != row.multimodal:
                yield f"{name}: the two groups of step times do not follow from the samples"
        yield from _same_rounds(key, rows)
    yield from _carry_over(result, groups)
    yield from _isolated(result, groups)


def _launch(result: Result, launch: Launch, again: Launch) -> Iterator[str]:
    options = result.options
    if wrong := [b.round + 1 for b in launch.blocks if (b.round_disturbed is None) != (result.verdict_rule == 1)]:
        told = "told, which the first verdict rule did not know" if result.verdict_rule == 1 else "not told"
        yield f"rounds {wrong}: whether any stack was disturbed is {told}"
    for b, other in zip(launch.blocks, again.blocks, strict=True):
        if b.disturbed != _disturbed(b, options):
            yield f"round {b.round + 1}: marked {'' if b.disturbed else 'not '}disturbed against its own evidence"
        if b.round_disturbed not in (None, other.round_disturbed):
            yield f"round {b.round + 1}: whether any stack was disturbed does not follow from the blocks"
    warm = launch.phases.warm_up
    if warm is not None and result.verdict_rule > 1 and warm.settled != (warm.steady_from is not None):
        yield "the warm-up is called settled without the window from which it was, or the other way round"
    if warm is not None and warm.steady_from is not None:
        least = PROFILES[options.profile].warm_windows if warm.steady_rule > 1 else FIRST_WINDOWS[options.profile]
        found = steady.judge(warm.window_seconds, least=least, rule=warm.steady_rule)
        if not (found.steady and warm.settled and found.start == warm.steady_from):
            yield "the warm-up is called settled, which its windows do not show"
    if launch.status == "ok" and "training" in options.measure:
        yield from rounds(launch, options)


def _disturbed(b: Block, options: Options) -> bool:
    e = b.evidence
    return is_disturbed(
        e.foreign_cpu_seconds,
        e.steal_seconds,
        b.seconds,
        cpus=max(1, options.threads),
        throttled_seconds=e.throttled_seconds,
        cpu_throttles=e.cpu_throttles,
        gpu_throttle_reasons=e.gpu_throttle_reasons if b.round_disturbed is not None else None,
        gpu_foreign_processes=e.gpu_foreign_processes,
        gpu_throttled_seconds=e.gpu_throttled_seconds,
        most_cpu=None if e.stat_cpus is None and e.foreign_cpu_seconds is not None else MOST_CPU,
    )


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


def _same_rounds(key: tuple[str, str], rows: Sequence[Row]) -> Iterator[str]:
    """A repeated round is repeated for all stacks."""
    seen: dict[int, set[tuple[tuple[int, int | None], ...]]] = {}
    for row in rows:
        for la in row.launches:
            if la.status == "ok" and la.interleaved and la.blocks:
                seen.setdefault(la.pass_index, set()).add(tuple((b.round, b.repeats) for b in la.blocks))
    for index, found in seen.items():
        if len(found) > 1:
            yield f"{'/'.join(key)}: pass {index + 1}: stacks were timed in different rounds"


def _carry_over(result: Result, groups: dict[tuple[str, str], list[Row]]) -> Iterator[str]:
    for claimed in result.carry_over:
        name = f"{claimed.workload}/{claimed.variant}: carry-over"
        again = carry_over(groups.get((claimed.workload, claimed.variant), []))
        if again is None or again.blocks != claimed.blocks:
            yield f"{name}: the samples do not allow the test"
        elif abs(again.p - claimed.p) > SAME_P or abs(again.effect - claimed.effect) > SAME * claimed.effect:
            yield f"{name}: the samples give p {again.p:.3f} and {again.effect:.4f}, the file says otherwise"
    tested = {(c.workload, c.variant) for c in result.carry_over}
    for key, rows in groups.items():
        if key not in tested and result.verdict_rule > 1 and carry_over(rows) is not None:
            yield f"{'/'.join(key)}: carry-over can be tested and was not"


def _isolated(result: Result, groups: dict[tuple[str, str], list[Row]]) -> Iterator[str]:
    asked, had = result.options.isolate, {(i.workload, i.variant) for i in result.isolated}
    if had and not asked:
        yield "stacks were measured alone without --solo"
    for claimed in result.isolated:
        key = (claimed.workload, claimed.variant)
        name = f"{'/'.join(key)}: alone"
        launches = {a.stack: a.launches for a in claimed.stacks}
        rows = groups.get(key, [])
        if not launches.keys() <= {r.stack.key for r in rows}:
            yield f"{name}: stacks that the run did not measure"
            continue
        comparisons = [c for c in result.comparisons if (c.workload, c.variant) == key]
        if isolated(rows, launches, comparisons) != claimed:
            yield f"{name}: statuses and verdicts do not follow from the samples"
        for one in claimed.stacks:
            (marked,) = mark_rounds([rows[0].model_copy(update={"launches": one.launches})])
            for la, again in zip(one.launches, marked.launches, strict=True):
                yield from (f"{name}: {one.stack}: pass {la.pass_index + 1}: {w}" for w in _launch(result, la, again))
            passes = [la.pass_index for la in one.launches]
            together = sorted({la.pass_index for r in rows for la in r.launches})
            if result.complete and passes != together:
                yield f"{name}: {one.stack} has passes {[p + 1 for p in passes]}, together there were {len(together)}"
    if asked and result.complete:
        timed = {k for k, rows in groups.items() if any(r.status == "ok" and r.launches for r in rows)}
        yield from (f"{'/'.join(key)}: not measured alone, which was asked for" for key in sorted(timed - had))
