"""What each precision costs and brings, and which one was really used."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.experiments import typed
from benchmarks.experiments.precision.schema import Asked, Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row
from reports import numbers as n
from reports.charts import Chart, drawn
from reports.curves import Mark, marks
from reports.parts import Section, unanswered, without
from reports.ranking import rank
from reports.table import NONE, Cell, Column, Table, Tone, words
from reports.work import Work, label

Found = list[tuple[Row, Value]]
NOTES = (
    "Used: told from the relative error of a product (and a convolution) of random normal numbers against float64: "
    "below 1e-5 float32, below 1e-3 TF32, below 1e-2 bfloat16.",
    "bf16 is mixed: the forward pass computes in bfloat16, parameters, logits and loss stay float32. TF32 exists on "
    "NVIDIA GPUs only. float16 is left out: its loss would have to be scaled inside every training step.",
)


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: Found = [(rows[a.stack], typed(a)) for a in answers if a.status == "ok"]
    drawings = [
        drawn(lambda w, _, k: _ratios(w, found, k), work, rank(work), f"{key}-step"),
        drawn(lambda w, _, k: _metrics(w, found, k), work, rank(work), f"{key}-metric"),
    ]
    return Section(
        "Precision",
        " ".join(_sentences(found, work)) or unanswered(work, answers),
        [chart for chart in drawings if chart],
        [(f"Precisions of {work.title}", _table(found, answers, work))],
        NOTES,
    )


def _lower(value: Value) -> list[tuple[Asked, float]]:
    """What was measured below float32, with its ratio of step times."""
    return [(a, ratio) for a in value.measured if a.precision != "float32" and (ratio := value.ratio(a)) is not None]


def _sentences(found: Found, work: Work) -> list[str]:
    out = []
    for precision in ("tf32", "bf16"):
        every = [(ratio, row, v.decides(a)) for row, v in found for a, ratio in _lower(v) if a.precision == precision]
        unsure = [label(row.stack) for _, row, decides in every if not decides]
        seen = [(ratio, row) for ratio, row, decides in every if decides]
        if unsure:
            out.append(f"Undecided in {precision}, because most blocks were disturbed: {n.words(unsure)}.")
        if not seen:
            continue
        (least, first), (most, last) = min(seen, key=lambda s: s[0]), max(seen, key=lambda s: s[0])
        times = f"{n.ratio(least)} ({label(first.stack)})"
        times += f" to {n.ratio(most)} ({label(last.stack)})" if len(seen) > 1 else ""
        out.append(f"In {precision} a step takes {times} times as long as in float32.")
    if found and not out:
        out.append("No stack offers another precision than float32 here.")
    out += [f"{label(row.stack)}: {a.mismatch}." for row, value in found for a in value.precisions if a.mismatch]
    judged = [(row, a) for row, v in found for a in v.measured if a.trained and a.trained.in_range is not None]
    missed = [f"{label(row.stack)} in {a.precision}" for row, a in judged if a.trained and not a.trained.in_range]
    if missed:
        out.append(f"Outside the accepted range of the {work.measure.name}: {n.words(missed)}.")
    elif any(a.precision != "float32" for _, a in judged):
        out.append(f"Every {work.measure.name} lies in its accepted range, whatever the precision.")
    return out


def _table(found: Found, answers: Sequence[Answer], work: Work) -> Table:
    columns = [
        Column("Stack", number=False),
        Column("Asked", number=False),
        Column("Used", "error of a product; convolution", "probed against float64", number=False),
        Column("Step, ms", "launches"),
        Column("× float32", "over launches", "step time in this precision over that in float32"),
        Column(work.measure.title, "accepted range", "after one training by the run's recipe, in this precision"),
    ]
    table = Table(columns)
    for row, value in found:
        for a in value.precisions:
            cells = [Cell(label(row.stack)), Cell(a.precision)]
            if a.status != "ok":
                cells.append(Cell(n.NOTHING, words(a.status), tone="quiet", mark=table.mark(a.reason)))
                table.rows.append([*cells, NONE, NONE, NONE])
                continue
            cells += [_used(a), _step(table, a)]
            table.rows.append([*cells, _ratio(value, a), _metric(table, work, a)])
    table.lines += without(work, answers)
    return table


def _used(asked: Asked) -> Cell:
    errors = [max(la.product_error for la in asked.launches)]
    convolutions = [la.convolution_error for la in asked.launches if la.convolution_error is not None]
    errors += [max(convolutions)] if convolutions else []
    names = list(dict.fromkeys(asked.used))
    return Cell(" and ".join(names), "; ".join(map(n.number, errors)), tone="bad" if asked.mismatch else "")


def _step(table: Table, asked: Asked) -> Cell:
    tone: Tone = "warn" if asked.spoilt else ""
    step, mark = asked.step_seconds, table.mark(asked.doubts)
    return Cell(n.number(step * 1e3), str(len(asked.launches)), sort=step, tone=tone, mark=mark)


def _ratio(value: Value, asked: Asked) -> Cell:
    ratio, seen = value.ratio(asked), value.ratios(asked)
    if ratio is None or asked.precision == "float32":
        return NONE
    span = f"{n.ratio(min(seen))} to {n.ratio(max(seen))}" if len(seen) > 1 else ""
    tone: Tone = "" if value.decides(asked) else "warn"
    return Cell(n.ratio(ratio), span if not tone else "undecided: disturbed", sort=ratio, tone=tone)


def _metric(table: Table, work: Work, asked: Asked) -> Cell:
    trained = asked.trained
    if trained is None:
        return Cell(n.NOTHING, "not trained", tone="quiet", mark=table.mark(asked.untrained))
    told = {None: "no range", True: "in range", False: "missed"}[trained.in_range]
    tone = "good" if trained.in_range else "bad" if trained.in_range is False else "quiet"
    return Cell(work.measure.text(trained.metric), told, sort=trained.metric, tone=tone)  # type: ignore[arg-type]


def _ratios(work: Work, found: Found, key: str) -> Chart | None:
    lines = [(row, {a.precision: _marks(value, a) for a, _ in _lower(value)}) for row, value in found if _lower(value)]
    if not lines:
        return None
    title = "Step time by precision"
    drawing = marks(
        lines, key=key, title=f"{title} of {work.title}", xlabel="step time over float32's", at=1.0, ratios=True
    )
    caption = "Marks: every launch. Left of the line: faster than float32."
    if any(mark.hollow for _, groups in lines for drawn_ in groups.values() for mark in drawn_):
        caption += " Hollow: mostly disturbed, or a warm-up did not become steady, in this precision or in float32."
    return Chart(title, caption, drawing)


def _marks(value: Value, asked: Asked) -> list[Mark]:
    return [
        Mark(la.step_seconds / base.step_seconds, any(x.spoilt or not x.settled for x in (la, base)))
        for la, base in value.pairs(asked)
    ]


def _metrics(work: Work, found: Found, key: str) -> Chart | None:
    lines = [
        (row, {a.precision: [Mark(a.trained.metric)] for a in value.measured if a.trained})
        for row, value in found
        if sum(a.trained is not None for a in value.measured) > 1
    ]
    if not lines:
        return None
    trained = [a.trained for _, value in found for a in value.measured if a.trained]
    band = next(((t.low, t.high) for t in trained if t.low is not None and t.high is not None), None)
    title = f"{work.measure.title} by precision"
    xlabel = f"{work.measure.name}{work.measure.direction}"
    drawing = marks(lines, key=key, title=f"{title} of {work.title}", xlabel=xlabel, band=band)
    return Chart(title, "One training each." + (" Band: accepted range." if band else ""), drawing)
