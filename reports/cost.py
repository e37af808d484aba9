"""Seconds as money, where --price-per-hour said what an hour of the machine costs. In the user's currency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.schema.results import Row
from reports import numbers as n
from reports.ranking import rank
from reports.svg import variable
from reports.table import NONE, Cell, Column, Line, Table, words
from reports.work import Work, label

if TYPE_CHECKING:
    from reports.parts import Section


def of(seconds: float | None, price_per_hour: float) -> float | None:
    return None if seconds is None else seconds / 3600 * price_per_hour


def sections(work: Work) -> list[Section]:
    """One where there is a price; it says so where nothing was timed that it could be applied to."""
    from reports.parts import Section, uncertified

    price = work.result.options.price_per_hour
    ranking = rank(work)
    ranked = [row for family in ranking.families for row in family.ranked]
    rates = [(rate, row) for row in ranked if (rate := row.samples_per_second())]
    if price is None:
        return []
    if not rates:
        return _none(work, price)
    columns = [Column("Stack", number=False), Column(f"1,000,000 {work.unit}"), Column("Epoch", "of the recipe")]
    table, amount = Table(columns), per_epoch(work)
    for rate, row in rates:
        table.rows.append([_name(row), _cell(1e6 / rate, price), _cell(amount / rate, price) if amount else NONE])
    for row in (row for family in ranking.families for row in family.timed):
        table.lines.append(
            Line((label(row.stack),), words(row.status), "its timing may not be ranked, so it has no price")
        )
    note = "Training steps on data in place, without start-up and input pipeline."
    told = [(rate, row) for rate, row in rates if row in ranking.ranked] or rates
    text = f"At {n.number(price)} an hour, training on a million {work.unit} costs {_told(told[0], price)}"
    text += f" and {_told(told[-1], price)}." if len(told) > 1 else "."
    tables, caveats = [(f"Cost of training {work.title}", table)], uncertified([row for _, row in rates])
    return [Section("Cost", text, tables=tables, notes=[note], caveats=caveats)]


def _none(work: Work, price: float) -> list[Section]:
    """The sentence that no price was applied; none where time to accuracy has one in its own table."""
    from reports.parts import Section, judged

    here = ("time_to_accuracy", work.workload, work.variant)
    if any((a.part, a.workload, a.variant) == here and a.status == "ok" for a in judged(work.result)):
        return []
    why = "no stack has a timing that counts" if work.timed else "training was not timed in this run"
    return [Section("Cost", f"The price of {n.number(price)} an hour could not be applied: {why}.")]


def per_epoch(work: Work) -> int | None:
    """Images, tokens or pairs in an epoch of the run's recipe, before a last partial batch is dropped."""
    if work.data is None:
        return None
    window = work.get("dataset", "window")
    return work.data.train_examples * (2 * int(window) if window else 1)


def _name(row: Row) -> Cell:
    return Cell(label(row.stack), swatch=variable(row.stack))


def _cell(seconds: float, price: float) -> Cell:
    return Cell(n.number(of(seconds, price)), sort=seconds)


def _told(found: tuple[float, Row], price: float) -> str:
    return f"{n.number(of(1e6 / found[0], price))} in {label(found[1].stack)}"
