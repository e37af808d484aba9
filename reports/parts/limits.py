"""How close each stack comes to the machine's limits, and which of them binds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks.answers import Answer
from benchmarks.parts.limits.derive import SHARE, Ceiling, Judged, ceilings, judge, place
from benchmarks.parts.limits.schema import Value
from benchmarks.results import Result, Row, Stack
from reports import numbers as n
from reports.charts import Chart
from reports.parts import Section, unanswered, without
from reports.roofline import roofline
from reports.svg import variable
from reports.table import Cell, Column, Table
from reports.work import Work, label

GIGA = 1e9
BINDS = {"arithmetic": "arithmetic", "memory": "memory", "launches": "launches", "none": "none of the three"}
ABOVE = (
    "Above 100 %: what was taken for a ceiling is none for this step. Of memory: its arrays stay in the caches, which "
    "the stream is made to miss."
)
NOTE = (
    "Shares of the step's time that its counted operations, its least bytes and its least launches would take at the "
    f"ceilings. The largest binds where it makes up {n.percent(SHARE)} of the step; otherwise the time goes where no "
    "bound sees it: dispatch beyond the least, kernels below the ceiling, arrays moved more often than need be. "
    "Ceilings of arithmetic and memory are the best of all stacks in this run on that device at that precision; a "
    "launch is each stack's own."
)
Found = list[tuple[Row, Value, Judged]]


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    roofs = ceilings(work.result)
    rows = {row.stack.key: row for row in work.rows}
    found: Found = []
    for a in answers:
        if a.status == "ok":
            value: Value = a.typed
            found.append((rows[a.stack], value, judge(value, roofs[place(rows[a.stack].stack)])))
    found.sort(key=lambda f: -f[2].fraction)
    table = _table(found)
    table.lines += without(work, answers)
    return Section(
        "How close to the limit",
        _sentence(work.result, found, roofs) or unanswered(work, answers),
        charts=_charts(work, found, roofs, key),
        tables=[(f"Limits of {work.title}", table)],
        notes=[*_counted(work, found), NOTE] if found else [],
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
        shares = (judged.arithmetic, judged.memory, judged.launches)
        table.rows.append(
            [
                Cell(label(row.stack), swatch=variable(row.stack.framework, row.stack.mode)),
                Cell(n.number(value.step_seconds * 1e3), sort=value.step_seconds),
                Cell(
                    n.number(value.flops_per_second / GIGA),
                    n.percent(judged.fraction),
                    sort=value.flops_per_second,
                    mark=mark,
                ),
                *(Cell(n.percent(s), sort=s, tone="warn" if s > 1 else "") for s in shares),
                Cell(BINDS[judged.binds]),
                Cell(n.number(product), sort=product),
                Cell(n.number(stream), sort=stream),
                Cell(n.number(launch), sort=launch),
            ]
        )
    return table


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
        if a.part != "limits" or a.status != "ok" or (a.workload, a.variant) == (work.workload, work.variant):
            continue
        name = a.workload if a.variant == "default" else f"{a.workload}/{a.variant}"
        value: Value = a.typed
        if place(stacks[a.stack]) == where and (name not in best or value.step_seconds < best[name].step_seconds):
            best[name] = value
    return best


def _sentence(result: Result, found: Found, roofs: dict[tuple[str, str], Ceiling]) -> str:
    """Who comes closest, and what binds whom."""
    if not found:
        return ""
    names = {row.stack.key: label(row.stack) for row in result.rows}
    row, value, judged = found[0]
    roof = roofs[place(row.stack)]
    out = (
        f"{label(row.stack)} comes closest to what this machine can compute: {n.number(value.flops_per_second / GIGA)} "
        f"GFLOP/s, {n.percent(judged.fraction)} of the {n.number(roof.flops_per_second / GIGA)} GFLOP/s of the best "
        f"large matrix product ({names[roof.product_stack]})."
    )
    bound = {b: [label(r.stack) for r, _, j in found if j.binds == b] for b in BINDS}
    told = [f"{_what(b)} in {n.words(who)}" for b, who in bound.items() if who and b != "none"]
    if told:
        out += f" The step is bound by {'; by '.join(told)}."
    if bound["none"]:
        who = n.words(bound["none"]) if told else "any stack"
        out += (
            f" None of the three limits explains even {n.percent(SHARE)} of the step in {who}: there the time goes "
            "into the framework itself or into kernels far below the ceilings."
        )
    return out


def _what(bound: str) -> str:
    return {"launches": "the launching of operators"}.get(bound, bound)


def _counted(work: Work, found: Found) -> list[str]:
    """What a step is, once; batches are the same for all stacks."""
    value = found[0][1] if found else None
    if value is None:
        return []
    kinds = {name: amount for name, amount in value.flops.model_dump().items() if amount}
    parts = ", ".join(f"{name} {n.percent(amount / value.flops.total)}" for name, amount in kinds.items())
    return [
        f"One step of {work.batches} {work.unit}: {_giga(value.flops.total)} ({parts}), at least "
        f"{n.size(value.bytes)} moved, {n.number(value.intensity)} operations per byte, at least "
        f"{value.operators} operators."
    ]


def _giga(flops: int) -> str:
    return f"{n.number(flops / GIGA)} GFLOP" if flops >= 1e8 else f"{n.number(flops / 1e6)} MFLOP"
