"""Memory of training, per stack."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.answers import Answer
from reports import numbers as n
from reports.parts import Section, unanswered, without
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

MIB = 2**20


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    names = {row.stack.key: label(row.stack) for row in work.rows}
    found = sorted(((a.stack, a.typed) for a in answers if a.status == "ok"), key=lambda f: f[1].above_baseline or 0)
    device = any(value.training_peak_device is not None for _, value in found)
    table = Table([Column("Stack", number=False), Column("Training, MiB", "above the import"), Column("Import, MiB")])
    table.columns += [Column("Device, MiB"), Column("Largest batch")] if device else []
    for stack, value in found:
        above = value.above_baseline
        cells = [Cell(names[stack]), NONE if above is None else Cell(n.number(above / MIB), sort=above)]
        cells.append(Cell(n.number(value.imported_resident / MIB), sort=value.imported_resident))
        if device:
            peak, largest = value.training_peak_device, value.largest_batch
            cells += [NONE if peak is None else Cell(n.number(peak / MIB), sort=peak)]
            cells += [NONE if largest is None else Cell(f"{largest:,}", sort=largest)]
        table.rows.append(cells)
    table.lines += without(work, answers)
    return Section(
        "Memory", _sentence(found, names) or unanswered(work, answers), tables=[(f"Memory of {work.title}", table)]
    )


def _sentence(found: list[tuple[str, object]], names: dict[str, str]) -> str:
    marks = [(value.above_baseline, stack) for stack, value in found if value.above_baseline is not None]  # type: ignore[attr-defined]
    if not marks:
        return ""
    (least, first), (most, last) = min(marks), max(marks)
    if len(marks) == 1:
        return f"Training takes {n.number(least / MIB)} MiB beyond the imported framework ({names[first]})."
    return (
        f"Beyond the imported framework, training takes least memory in {names[first]} ({n.number(least / MIB)} MiB) "
        f"and most in {names[last]} ({n.number(most / MIB)} MiB); each was alone on the machine."
    )
