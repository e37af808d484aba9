"""Training throughput over batch sizes, and the batch from which a GPU is faster than the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.answers import Answer
from benchmarks.parts.sweep_batch.schema import Value, crossover
from benchmarks.results import Row, Stack
from reports import numbers as n
from reports.charts import Chart, drawn
from reports.curves import Curve, Place, log_log
from reports.parts import Section, unanswered, without
from reports.ranking import rank
from reports.table import Cell, Column, Table, words
from reports.work import Work, label

Found = list[tuple[Row, Value]]


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: Found = [(rows[a.stack], a.typed) for a in answers if a.status == "ok"]
    found.sort(key=lambda f: -max(f[1].rates.values()))
    tables = [(f"Throughput of {work.title} by batch size, {work.unit} per second", _table(found, answers, work))]
    if not found:
        return Section("Batch size", unanswered(work, answers), tables=tables)
    chart = drawn(lambda w, _, k: _chart(w, found, k), work, rank(work), key)
    sentence = " ".join(filter(None, [_ends(found, work), *_crossings(found)]))
    return Section("Batch size", sentence, [chart] if chart else [], tables)


def _pairs(found: Found) -> list[tuple[Row, Value, Value]]:
    """Row on the GPU, value on the CPU, value on the GPU, for every stack that was measured on both."""

    def name(stack: Stack) -> tuple[str, str, str]:
        return stack.framework, stack.mode, stack.interpreter

    cpu = {name(row.stack): value for row, value in found if row.stack.device == "cpu"}
    return [
        (row, cpu[name(row.stack)], value)
        for row, value in found
        if row.stack.device == "cuda" and name(row.stack) in cpu
    ]


def _crossings(found: Found) -> list[str]:
    """A sentence per stack that ran on both devices."""
    out = []
    for row, cpu, gpu in _pairs(found):
        who, where = label(row.stack.model_copy(update={"device": "cpu"})), _crossing(cpu, gpu)
        if where is None:
            out.append(f"{who}: there is no batch in the range from which on the GPU is faster than the CPU.")
        elif where == 0:
            out.append(f"{who}: the GPU is faster than the CPU at every batch measured.")
        else:
            out.append(f"{who}: from a batch of about {n.number(where, 2)} on the GPU is faster than the CPU.")
    return out


def _crossing(cpu: Value, gpu: Value) -> float | None:
    return crossover(list(cpu.rates.items()), list(gpu.rates.items()))


def _ends(found: Found, work: Work) -> str:
    """Who leads at the smallest and at the largest batch that more than one stack has measured."""
    sizes = sorted({size for _, value in found for size in value.rates})
    leaders = []
    for size in (sizes[0], sizes[-1]):
        row, value = max(((r, v) for r, v in found if size in v.rates), key=lambda f: f[1].rates[size])
        leaders.append(f"{label(row.stack)} ({n.number(value.rates[size])} {work.unit} per second)")
    if len(sizes) == 1:
        return f"At batch {sizes[0]:,}, {leaders[0]} is fastest."
    return f"At batch {sizes[0]:,} the fastest is {leaders[0]}; at batch {sizes[-1]:,} it is {leaders[1]}."


def _table(found: Found, answers: Sequence[Answer], work: Work) -> Table:
    sizes = sorted({p.batch_size for _, value in found for p in value.points})
    table = Table([Column("Stack", number=False), *(Column(f"{size:,}", "ms a step") for size in sizes)])
    pairs = {row.stack.key: _crossing(cpu, gpu) for row, cpu, gpu in _pairs(found)}
    if pairs:
        table.columns.append(Column("Overtakes the CPU", "at batch", "log-log interpolation between measured sizes"))
    for row, value in found:
        points = {p.batch_size: p for p in value.points}
        cells = [Cell(label(row.stack))]
        for size in sizes:
            p = points.get(size)
            if p is None or p.status != "ok":
                mark = table.mark(f"batch {size:,}: {p.reason}") if p else ""
                cells.append(Cell(n.NOTHING, words(p.status) if p else "", tone="quiet", mark=mark))
                continue
            rate = value.rates[size]
            cells.append(Cell(n.number(rate), n.number(p.step_seconds * 1e3), sort=rate))
        if pairs:
            cells.append(_overtakes(row, pairs))
        table.rows.append(cells)
    table.lines += without(work, answers)
    return table


def _overtakes(row: Row, pairs: dict[str, float | None]) -> Cell:
    if row.stack.key not in pairs:
        return Cell(n.NOTHING, tone="quiet")
    where = pairs[row.stack.key]
    if where is None:
        return Cell("none in the range")
    return Cell("at every one", sort=0.0) if where == 0 else Cell(n.number(where, 2), sort=where)


def _chart(work: Work, found: Found, key: str) -> Chart | None:
    curves = [
        Curve(
            row,
            [(float(size), rate) for size, rate in value.rates.items()],
            [
                (float(p.batch_size), p.batch_size * value.items / b.step_seconds)
                for p in value.measured
                for b in p.blocks
            ],
        )
        for row, value in found
    ]
    crossings = [place for _, cpu, gpu in _pairs(found) if (place := _place(cpu, gpu))]
    title = "Throughput over batch sizes"
    drawing = log_log(
        curves,
        key=key,
        title=f"{title} of {work.title}, per stack",
        xlabel="samples per step",
        ylabel=f"{work.unit} per second",
        crossings=crossings,
    )
    caption = "Both axes logarithmic. Line: medians; marks: every block. A stack's sizes were taken in one process."
    return Chart(title, caption + (" Dashed: GPU." if any(r.stack.device == "cuda" for r, _ in found) else ""), drawing)


def _place(cpu: Value, gpu: Value) -> Place | None:
    """Where the two curves meet."""
    where = _crossing(cpu, gpu)
    if not where:
        return None
    sizes = sorted(cpu.rates)
    low, high = max(s for s in sizes if s <= where), min(s for s in sizes if s >= where)
    share = math.log(where / low) / math.log(high / low) if high > low else 0.0
    return where, math.exp((1 - share) * math.log(cpu.rates[low]) + share * math.log(cpu.rates[high]))
