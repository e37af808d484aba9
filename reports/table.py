"""A table as plain cells; the templates only lay them out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from benchmarks.schema.results import Row
from reports import numbers as n
from reports.work import label

Tone: TypeAlias = Literal["", "good", "bad", "warn", "quiet", "lead", "hash"]


@dataclass(frozen=True)
class Cell:
    """``sub`` is the small second line, ``sort`` what a sort goes by, ``mark`` points to a note below the table,
    ``swatch`` is the CSS variable of the stack's colour in the charts.
    """

    text: str
    sub: str = ""
    sort: float | None = None
    tone: Tone = ""
    mark: str = ""
    swatch: str = ""


@dataclass(frozen=True)
class Column:
    """``sub`` says what stands on the second line of the cells."""

    title: str
    sub: str = ""
    hint: str = ""
    number: bool = True


@dataclass(frozen=True)
class Line:
    """A row whose first cell is followed by running text instead of figures."""

    names: tuple[str, ...]
    word: str
    text: str


@dataclass(frozen=True)
class Reference:
    """A figure below the table, in the column that it belongs to."""

    name: str
    what: str
    value: str
    column: int


@dataclass
class Table:
    columns: list[Column]
    rows: list[list[Cell]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    foot: list[Reference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def mark(self, note: str) -> str:
        """The letter of a note below the table; the same text gets the same letter."""
        if not note:
            return ""
        if note not in self.notes:
            self.notes.append(note)
        index = self.notes.index(note)
        return chr(ord("a") + index) if index < 26 else str(index + 1)


NONE = Cell(n.NOTHING, tone="quiet")


def grouped(rows: Iterable[Row], metric: str) -> list[Line]:
    """Stacks without figures: those of one status and reason share a line. ``metric`` is its name in a sentence."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        lines.setdefault((words(row.status, metric), row.reason), []).append(label(row.stack))
    return [Line(tuple(names), word, reason) for (word, reason), names in lines.items()]


def words(status: str, metric: str = "accuracy") -> str:
    return {"parity_failed": "certificate failed", "accuracy_failed": f"{metric} missed"}.get(
        status, status.replace("_", " ")
    )
