"""How training scales over the threads of a CPU."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.experiments import typed
from benchmarks.experiments.sweep_threads.schema import Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row
from reports import numbers as n
from reports.charts import Chart, drawn
from reports.curves import Curve, log_log
from reports.parts import Section, unanswered, without
from reports.ranking import rank
from reports.table import Cell, Column, Table, Tone, words
from reports.work import Work, label

Found = list[tuple[Row, Value]]
ONE = "The speed-up rests on disturbed blocks with one thread."


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: Found = [(rows[a.stack], typed(a)) for a in answers if a.status == "ok"]
    found.sort(key=lambda f: -max(f[1].speed_ups.values(), default=0.0))
    scaled = [(row, value) for row, value in found if len(value.speed_ups) > 1]
    chart = drawn(lambda w, _, k: _chart(w, scaled, k), work, rank(work), key) if scaled else None
    return Section(
        "Threads",
        _sentence(found, scaled) or unanswered(work, answers),
        [chart] if chart else [],
        [(f"Step time of {work.title} by number of threads", _table(found, answers, work))],
    )


def _sentence(found: Found, scaled: Found) -> str:
    """Who gains most and least from all threads."""
    if not found:
        return ""
    if not scaled:
        return "No stack was measured with more than one number of threads, so nothing can be said of scaling."
    most = max(max(value.speed_ups) for _, value in scaled)
    reached = [(row, value) for row, value in scaled if most in value.speed_ups]
    gains = [(value.speed_ups[most], row, value) for row, value in reached if not _spoilt(value, most)]
    open_ = [label(row.stack) for row, value in reached if _spoilt(value, most)]
    doubt = f"Undecided, because most blocks were disturbed: {n.words(open_)}." if open_ else ""
    if not gains:
        return doubt
    (best, first, value), (least, last, _) = max(gains, key=lambda g: g[0]), min(gains, key=lambda g: g[0])
    text = f"With {most} threads a step of {label(first.stack)} is {n.ratio(best)} times as fast as with one "
    text += f"({value.efficiencies[most]:.0%} of the ideal)"
    text += f", one of {label(last.stack)} {n.ratio(least)} times." if first is not last else "."
    return f"{text} {doubt}".rstrip()


def _spoilt(value: Value, most: int) -> bool:
    """Whether an end of the speed-up from one thread to so many was mostly disturbed."""
    return any(c.spoilt for c in value.measured if c.threads in (1, most))


def _table(found: Found, answers: Sequence[Answer], work: Work) -> Table:
    counts = sorted({c.threads for _, value in found for c in value.counts})
    hint = "below: speed-up over one thread, and its share of the ideal"
    table = Table([Column("Stack", number=False), *(Column(f"{c}, ms", "× one; of ideal", hint) for c in counts)])
    for row, value in found:
        mine, gains = {c.threads: c for c in value.counts}, value.speed_ups
        cells = [Cell(label(row.stack))]
        for threads in counts:
            c = mine.get(threads)
            if c is None or c.status != "ok":
                mark = table.mark(f"{threads} threads: {c.reason}") if c else ""
                cells.append(Cell(n.NOTHING, words(c.status) if c else "", tone="quiet", mark=mark))
                continue
            share = n.percent(value.efficiencies[threads]) if gains else ""
            below = f"{n.ratio(gains[threads])}; {share}" if gains else ""
            tone: Tone = "warn" if c.spoilt else ""
            lame = ONE if gains and mine[1].spoilt and not c.doubts else ""
            step, mark = c.step_seconds, table.mark(c.doubts or lame)
            cells.append(Cell(n.number(step * 1e3), below, sort=step, tone=tone, mark=mark))
        table.rows.append(cells)
    table.lines += without(work, answers)
    return table


def _chart(work: Work, scaled: Found, key: str) -> Chart:
    curves = []
    for row, value in scaled:
        one = next(c.step_seconds for c in value.measured if c.threads == 1)
        raw = [
            ((float(c.threads), one / la.step_seconds), la.spoilt or not la.settled)
            for c in value.measured
            for la in c.launches
        ]
        line = [(float(t), gain) for t, gain in value.speed_ups.items()]
        curves.append(Curve(row, line, [p for p, doubt in raw if not doubt], [p for p, doubt in raw if doubt]))
    title = "Speed-up over threads"
    drawing = log_log(
        curves,
        key=key,
        title=f"{title} of {work.title}, per stack",
        xlabel="threads, each with a CPU of its own",
        ylabel="times as fast as with one",
        ideal=True,
    )
    caption = "Both axes logarithmic. Marks: every launch, a fresh process each."
    hollow = " Hollow: mostly disturbed, or its warm-up did not become steady."
    return Chart(title, caption + (hollow if any(c.doubted for c in curves) else ""), drawing)
