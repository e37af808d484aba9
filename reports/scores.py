"""Tables of how well the stacks learned: the metric seed by seed, and what was scored beside it."""

from __future__ import annotations

from statistics import mean

from benchmarks.schema.results import Row
from reports import numbers as n
from reports.measure import Measure
from reports.svg import variable
from reports.table import NONE, Cell, Column, Reference, Table, Tone, grouped, words
from reports.tables import metric_cell, stack_cell
from reports.verdict import against_book, as_the_book, judgement
from reports.work import Work, final_metric, label


def accuracies(work: Work) -> Table | None:
    """Every seed of every trained stack beside the book's figure, or beside the bound where the book does not apply.

    None where nothing was trained, or where training was timed and the summary has it all.
    """
    trained = [r for r in work.rows if r.accuracy is not None and r.accuracy.trainings]
    book = work.book
    like_the_book = book is not None and any(as_the_book(work, r) for r in trained)
    if not trained or (work.timed and not like_the_book):
        return None
    measure = work.measure
    aim, name = (work.optimum, measure.bound)
    if book is not None and like_the_book:  # its distance from another score would say nothing
        aim, name = (None if book.score else book.value), "book"
    below = f"{measure.sign} {name}" if aim is not None else ""
    seeds = sorted({t.seed for r in trained if r.accuracy for t in r.accuracy.trainings})
    table = Table(
        [
            Column("Stack", "status", number=False),
            *(Column(f"Seed {seed}", below, "whole test set, after the last epoch") for seed in seeds),
            Column("Mean", below),
        ]
    )
    kind = f", {work.kind(book)}" if book is not None and book.score else ""
    if like_the_book and measure.proportion:
        hint = "two binomial standard errors of a proportion of the test examples, on either side"
        table.columns += [
            Column(f"Seeds{kind}", "± 2 standard errors", hint),
            Column("Book", "within?", "whether the book's figure lies in that wider range"),
        ]
    elif like_the_book:
        table.columns += [
            Column(f"Seeds{kind}", "range"),
            Column("Book", "seeds", "how the seeds stand to the book's figure"),
        ]
    else:
        table.columns += [Column("Accepted range", "judgement")]
    for row in trained:
        assert row.accuracy is not None
        cells = [stack_cell(table, work, row)]
        found = {t.seed: t for t in row.accuracy.trainings}
        for seed in seeds:
            training = found.get(seed)
            if training is None:
                cells.append(NONE)
            elif training.metric is None:
                status = words(training.status, measure.name)
                cells.append(Cell(n.NOTHING, status, tone="bad", mark=table.mark(training.reason)))
            else:
                cells.append(_distance(measure, training.metric, aim))
        cells.append(_distance(measure, final_metric(row), aim))
        table.rows.append(cells + (_beside_book(work, row) if like_the_book else [_judged(table, work, row)]))
    table.lines = grouped((r for r in work.rows if r not in trained and r.status != "ok"), measure.name)
    if like_the_book:
        others = [f for f in work.figures if not f.held]
        column = 1 + len(seeds)  # the mean's
        table.foot = [Reference(f.name.capitalize(), f.what, work.printed(f), column) for f in others]
    return table


def _distance(measure: Measure, value: float | None, aim: float | None) -> Cell:
    if value is None:
        return NONE
    return Cell(measure.text(value), "" if aim is None else measure.distance(value, aim), sort=value)


TONES: dict[str, Tone] = {"within": "good", "better": "good", "outside": "bad", "worse": "bad"}


def _beside_book(work: Work, row: Row) -> list[Cell]:
    measure, book = work.measure, against_book(work, row)
    if book is None:
        figure = work.book.value if work.book else None
        return [NONE, Cell(measure.text(figure), "not comparable", tone="quiet")]
    wider = ""
    if book.lower is not None and book.upper is not None:
        wider = f"{measure.text(book.lower)}–{measure.text(book.upper)}"
    elif measure.proportion:
        wider = "test examples unknown"
    seeds = Cell(measure.span([book.low, book.high]), wider, sort=book.low)
    return [seeds, Cell(measure.text(book.figure), book.word or "not comparable", tone=TONES.get(book.word, "quiet"))]


def _judged(table: Table, work: Work, row: Row) -> Cell:
    assert row.accuracy is not None
    cell = metric_cell(table, work, row)
    text = work.measure.bounds(row.accuracy.low, row.accuracy.high) if row.accuracy.judged else n.NOTHING
    return Cell(text, judgement(row), tone=cell.tone, mark=cell.mark)


def also(work: Work) -> Table | None:
    """What was scored beside the metric: mean over seeds, and their range."""
    scored = [r for r in work.rows if r.accuracy is not None and any(t.also for t in r.accuracy.trainings)]
    names = dict.fromkeys(name for r in scored if r.accuracy for t in r.accuracy.trainings for name in t.also)
    if not names:
        return None
    several = any(r.accuracy and sum(bool(t.also) for t in r.accuracy.trainings) > 1 for r in scored)
    below = "range over seeds" if several else ""
    columns = [Column(name.replace("_", " "), below, "after the last epoch, mean over seeds") for name in names]
    table = Table([Column("Stack", number=False), *columns])
    for row in scored:
        assert row.accuracy is not None
        cells = [Cell(label(row.stack), swatch=variable(row.stack))]
        for name in names:
            values = [t.also[name] for t in row.accuracy.trainings if name in t.also]
            cells.append(_scores(values) if values else NONE)
        table.rows.append(cells)
    return table


def _scores(values: list[float]) -> Cell:
    low, high, middle = n.score(min(values)), n.score(max(values)), mean(values)
    return Cell(n.score(middle), "" if low == high else f"{low} to {high}", sort=middle)


def shown(work: Work) -> str:
    """What :func:`written` is of models of this kind."""
    return "Nearest words" if work.unit == "pairs" else "What the trained models write"


def written(work: Work) -> list[tuple[str, dict[str, str]]]:
    """What each stack's first trained model writes, by the number of words drawn from; or a word's nearest, by word."""
    trained = [(label(r.stack), t) for r in work.rows if r.accuracy for t in r.accuracy.trainings[:1]]
    return [(name, t.generated) for name, t in trained if t.generated]
