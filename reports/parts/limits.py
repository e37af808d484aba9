"""How close each stack comes to the machine's limits, and which of them binds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks.experiments import typed
from benchmarks.experiments.limits.derive import SHARE, Ceiling, Judged, ceilings, judge, place
from benchmarks.experiments.limits.schema import Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result, Row, Stack
from reports import numbers as n
from reports.charts import Chart
from reports.parts import Section, disturbed, unanswered, without
from reports.roofline import roofline
from reports.svg import variable
from reports.table import Cell, Column, Table
from reports.work import Work, label

GIGA = 1e9
BINDS = {
    "arithmetic": "arithmetic",
    "memory": "memory",
    "launches": "launches",
    "none": "none of the three",
    "untold": "not told",
}
IN_CACHE = "in cache"
ABOVE = (
    "Above 100 %: what was taken for a ceiling is none for this step, so it is not named as what binds. Of memory: its "
    "arrays stay in the caches, which the stream is made to miss."
)
NOTE = (
    "Shares of the step's time that its counted operations, its least bytes and its least launches would take at the "
    f"ceilings. The largest possible one binds where it makes up {n.percent(SHARE)} of the step; otherwise the time "
    "goes where no bound sees it: dispatch beyond the least, kernels below the ceiling, arrays moved more often than "
    "need be. Ceilings of arithmetic and memory are the best of all stacks in this run on that device at that "
    "precision; a launch is each stack's own. In cache: all that a step reads and writes fits into the last-level "
    "caches, or memory's share is above 100 %; the ceiling of memory then says nothing of it."
)
Found = list[tuple[Row, Value, Judged]]


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    roofs = ceilings(work.result)
    rows = {row.stack.key: row for row in work.rows}
    found: Found = []
    for a in answers:
        if a.status == "ok":
            value: Value = typed(a)
            found.append((rows[a.stack], value, judge(value, roofs[place(rows[a.stack].stack)])))
    found.sort(key=lambda f: -f[2].fraction)
    table = _table(found)
    table.lines += without(work, answers)
    return Section(
        "How close to the limit",
        _sentence(work.result, found, roofs) or unanswered(work, answers),
        charts=_charts(work, found, roofs, key),
        tables=[(f"Limits of {work.title}", table)],
        notes=[*_counted(work, found), *_streamed(found), NOTE] if found else [],
    )


def _table(found: Found) -> Table:
    table = Table(
        [
            Column("Stack", number=False),
            Column("Step, ms"),
            Column("GFLOP/s", "of the ceiling"),
            Column("Arithmetic", hint="share of the step"),
            Column("Memory", hint="share of the step"),
            Column("Launches", hint="share of the step"),
            Column("Binds", number=False),
            Column("Own product", "GFLOP/s"),
            Column("Own stream", "GB/s"),
            Column("Own launch, µs"),
        ]
    )
    for row, value, judged in found:
        mark = table.mark(ABOVE) if judged.impossible else ""
        product = max(p.flops_per_second for p in value.products) / GIGA
        stream = max(s.bytes_per_second for s in value.streams) / GIGA
        launch = value.smallest.seconds_per_call * 1e6
        blocks = disturbed.mark(table, [(b,) for b in value.blocks], "block")
        beside = disturbed.mark(table, [(c,) for c in value.ceilings], "ceiling measurement")
        rest = value.smallest.eager_rest
        least = table.mark(f"A lower bound: {rest} are launched beside it, operator by operator.") if rest else ""
        table.rows.append(
            [
                Cell(label(row.stack), swatch=variable(row.stack)),
                Cell(n.number(value.step_seconds * 1e3), sort=value.step_seconds, mark=blocks),
                Cell(
                    n.number(value.flops_per_second / GIGA),
                    n.percent(judged.fraction),
                    sort=value.flops_per_second,
                    mark=mark,
                ),
                _share(judged.arithmetic),
                _share(judged.memory, IN_CACHE if judged.in_cache else ""),
                _share(judged.launches, mark=least),
                Cell(n.NOTHING if value.disturbed else BINDS[judged.binds]),
                Cell(n.number(product), sort=product, mark=beside),
                Cell(n.number(stream), sort=stream),
                Cell(n.number(launch), sort=launch),
            ]
        )
    return table


def _share(share: float, sub: str = "", mark: str = "") -> Cell:
    return Cell(n.percent(share), sub, sort=share, tone="warn" if share > 1 else "", mark=mark)


def _streamed(found: Found) -> list[str]:
    """How large the streams' arrays were against the caches; one sentence for stacks that were treated alike."""
    told: dict[str, list[str]] = {}
    for row, value, _ in found:
        caches = value.caches
        if caches.last_level_bytes is None:
            known = "caches whose size is not told"
        else:
            known = f"{n.plural(caches.count, 'last-level cache')} of {n.size(caches.last_level_bytes)}"
            known += " together" if caches.count > 1 else ""
        text = f"Streams: two arrays of {n.size(caches.array_bytes)} each, against {known}"
        text += ", as free memory allowed no more" if caches.short_of_memory else ""
        if not caches.beyond:
            text += "; the ceiling of memory may be one of caches"
        told.setdefault(text, []).append(label(row.stack))
    return [f"{text}{f' ({n.words(who)})' if len(told) > 1 else ''}." for text, who in told.items()]


def _charts(work: Work, found: Found, roofs: dict[tuple[str, str], Ceiling], key: str) -> list[Chart]:
    out = []
    ordered = sorted(found, key=lambda f: place(f[0].stack))
    for number, (where, group) in enumerate(groupby(ordered, key=lambda f: place(f[0].stack))):
        mine = [(row.stack, value) for row, value, _ in group]
        out.append(roofline(work, mine, _others(work, where), roofs[where], f"{key}{number}"))
    return out


def _others(work: Work, where: tuple[str, str]) -> dict[str, Value]:
    """Workload -> its stack with the shortest step there, without the workload at hand."""
    stacks: dict[str, Stack] = {row.stack.key: row.stack for row in work.result.rows}
    best: dict[str, Value] = {}
    for a in work.result.answers:
        if a.part != "limits" or a.status != "ok" or a.place == work.place:
            continue
        name = str(a.place)
        value: Value = typed(a)
        if place(stacks[a.stack]) == where and (name not in best or value.step_seconds < best[name].step_seconds):
            best[name] = value
    return best


def _sentence(result: Result, found: Found, roofs: dict[tuple[str, str], Ceiling]) -> str:
    """Who comes closest, and what binds whom."""
    if not found:
        return ""
    names = {row.stack.key: label(row.stack) for row in result.rows}
    quiet = [f for f in found if not f[1].disturbed]
    lost = [label(row.stack) for row, value, _ in found if value.disturbed]
    untold = f" Nothing is said of {n.words(lost)}: most of the blocks were disturbed." if lost else ""
    if not quiet:
        return untold.strip()
    row, value, judged = quiet[0]
    roof = roofs[place(row.stack)]
    out = (
        f"{label(row.stack)} comes closest to what this machine can compute: {n.number(value.flops_per_second / GIGA)} "
        f"GFLOP/s, {n.percent(judged.fraction)} of the {n.number(roof.flops_per_second / GIGA)} GFLOP/s of the best "
        f"large matrix product ({names[roof.product_stack]})."
    )
    bound = {b: [label(r.stack) for r, _, j in quiet if j.binds == b] for b in BINDS}
    told = [f"{_what(b)} in {n.words(who)}" for b, who in bound.items() if who and b not in ("none", "untold")]
    if told:
        out += f" The step is bound by {'; by '.join(told)}."
    if bound["none"]:
        who = n.words(bound["none"]) if told or bound["untold"] else "any stack"
        out += (
            f" None of the three limits explains even {n.percent(SHARE)} of the step in {who}: there the time goes "
            "into the framework itself or into kernels far below the ceilings."
        )
    if bound["untold"]:
        out += (
            f" What binds {n.words(bound['untold'])} is not told: its arrays stay in the caches or its share of a "
            "ceiling is above 100 %, and no other limit is large enough."
        )
    if roof.disturbed:
        out += " Most repetitions of that product or of the stream were disturbed: the ceilings may lie higher."
    return out + untold


def _what(bound: str) -> str:
    return {"launches": "the launching of operators"}.get(bound, bound)


def _counted(work: Work, found: Found) -> list[str]:
    """What a step is, once; batches are the same for all stacks."""
    value = found[0][1] if found else None
    if value is None:
        return []
    kinds = {name: amount for name, amount in value.flops.model_dump().items() if amount}
    parts = ", ".join(f"{name} {n.percent(amount / value.flops.total)}" for name, amount in kinds.items())
    batch = work.batches if work.batches.endswith(work.unit) else f"{work.batches} {work.unit}"
    return [
        f"One step of {batch}: {_giga(value.flops.total)} ({parts}), at least "
        f"{n.size(value.bytes)} moved, {n.number(value.intensity)} operations per byte, at least "
        f"{value.operators} operators."
    ]


def _giga(flops: int) -> str:
    return f"{n.number(flops / GIGA)} GFLOP" if flops >= 1e8 else f"{n.number(flops / 1e6)} MFLOP"
