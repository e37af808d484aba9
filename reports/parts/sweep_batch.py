"""Training throughput over batch sizes, and the batch from which a GPU is faster than the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.experiments import typed
from benchmarks.experiments.sweep_batch.schema import Value, crossover
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row, Stack
from reports import numbers as n
from reports.charts import Chart, drawn
from reports.curves import Curve, Place, log_log
from reports.parts import Section, unanswered, without
from reports.ranking import rank
from reports.table import NONE, Cell, Column, Table, Tone, words
from reports.work import Work, label

Found = list[tuple[Row, Value]]


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: Found = [(rows[a.stack], typed(a)) for a in answers if a.status == "ok"]
    found.sort(key=lambda f: -max(f[1].rates.values()))
    tables = [(f"Throughput of {work.title} by batch size, {work.unit} per second", _table(found, answers, work))]
    if not found:
        return Section("Batch size", unanswered(work, answers), tables=tables)
    chart = drawn(lambda w, _, k: _chart(w, found, k), work, rank(work), key)
    sentence = " ".join(filter(None, [_ends(found, work), _missing(found), *_crossings(found)]))
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
        if _unsure(cpu, gpu):
            out.append(f"{who}: undecided where the GPU overtakes the CPU: most blocks of a batch were disturbed.")
        elif where is None:
            out.append(f"{who}: there is no batch in the range from which on the GPU is faster than the CPU.")
        elif where == 0:
            out.append(f"{who}: the GPU is faster than the CPU at every batch measured.")
        else:
            out.append(f"{who}: from a batch of about {n.number(where, 2)} on the GPU is faster than the CPU.")
    return out


def _crossing(cpu: Value, gpu: Value) -> float | None:
    return crossover(list(cpu.rates.items()), list(gpu.rates.items()))


def _unsure(cpu: Value, gpu: Value) -> bool:
    """Whether a size that both measured was mostly disturbed on either."""
    both = cpu.rates.keys() & gpu.rates.keys()
    return any(p.spoilt for value in (cpu, gpu) for p in value.measured if p.batch_size in both)


def _ends(found: Found, work: Work) -> str:
    """Who leads at the smallest and at the largest batch that more than one stack has measured."""
    every = [size for _, value in found for size in value.rates]
    shared = sorted({size for size in every if every.count(size) > 1})
    if not shared:
        if len(found) > 1:
            return "No batch was measured in more than one stack, so there is nothing to compare."
        (row, value), best = found[0], max(found[0][1].rates, key=lambda size: found[0][1].rates[size])
        rate = f"{n.number(value.rates[best])} {work.unit} per second"
        return f"Only {label(row.stack)} was measured; it trains most at batch {best:,}, {rate}."
    return " ".join(_lead(found, work, size) for size in dict.fromkeys((shared[0], shared[-1])))


def _lead(found: Found, work: Work, size: int) -> str:
    """Who leads at one batch; nobody where a stack's blocks there were mostly disturbed."""
    points = [(row, value, p) for row, value in found for p in value.measured if p.batch_size == size]
    if disturbed := [label(row.stack) for row, _, p in points if p.spoilt]:
        return f"At batch {size:,} it is undecided who is fastest: most blocks of {n.words(disturbed)} were disturbed."
    row, value, _ = max(points, key=lambda p: p[1].rates[size])
    text = f"At batch {size:,} the fastest is {label(row.stack)} ({n.number(value.rates[size])} {work.unit} per second)"
    return text + ("." if len(points) == len(found) else f", of {len(points)} stacks measured there.")


def _missing(found: Found) -> str:
    """Which stacks lack which batches, and how that came."""
    told = []
    for row, value in found:
        failed: dict[str, list[str]] = {}
        for p in value.points:
            if p.status != "ok":
                failed.setdefault(words(p.status), []).append(f"{p.batch_size:,}")
        told += [f"{label(row.stack)} at batch {n.words(sizes)} ({why})" for why, sizes in failed.items()]
    return f"Not measured: {'; '.join(told)}." if told else ""


def _table(found: Found, answers: Sequence[Answer], work: Work) -> Table:
    sizes = sorted({p.batch_size for _, value in found for p in value.points})
    table = Table([Column("Stack", number=False), *(Column(f"{size:,}", "ms a step") for size in sizes)])
    pairs = {row.stack.key: _overtakes(cpu, gpu) for row, cpu, gpu in _pairs(found)}
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
            rate, mark = value.rates[size], table.mark(p.doubts)
            tone: Tone = "warn" if p.spoilt else ""
            cells.append(Cell(n.number(rate), n.number(p.step_seconds * 1e3), sort=rate, tone=tone, mark=mark))
        if pairs:
            cells.append(pairs.get(row.stack.key, NONE))
        table.rows.append(cells)
    table.lines += without(work, answers)
    return table


def _overtakes(cpu: Value, gpu: Value) -> Cell:
    if _unsure(cpu, gpu):
        return Cell("undecided", "disturbed", tone="warn")
    where = _crossing(cpu, gpu)
    if where is None:
        return Cell("none in the range")
    return Cell("at every one", sort=0.0) if where == 0 else Cell(n.number(where, 2), sort=where)


def _chart(work: Work, found: Found, key: str) -> Chart | None:
    curves = []
    for row, value in found:
        raw = [
            ((float(p.batch_size), p.batch_size * value.items / b.step_seconds), b.disturbed or not p.settled)
            for p in value.measured
            for b in p.blocks
        ]
        line = [(float(size), rate) for size, rate in value.rates.items()]
        curves.append(Curve(row, line, [p for p, doubt in raw if not doubt], [p for p, doubt in raw if doubt]))
    sure = [(cpu, gpu) for _, cpu, gpu in _pairs(found) if not _unsure(cpu, gpu)]
    crossings = [place for cpu, gpu in sure if (place := _place(cpu, gpu))]
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
    if any(c.doubted for c in curves):
        caption += " Hollow: disturbed, or the warm-up did not become steady."
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
