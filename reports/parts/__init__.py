"""How the answers of parts (:mod:`benchmarks.parts`) are shown: one module per part, of the same name.

A module offers ``show(work, answers, key) -> Section``: ``answers`` are of one workload variant and this part, also
those that are not ok; ``key`` begins the ids of its charts.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import parts
from benchmarks.answers import Answer
from reports import numbers as n
from reports.charts import Chart
from reports.table import Line, Table, words
from reports.work import Work, label


@dataclass(frozen=True)
class Section:
    """A part's answers for one workload variant: the plain sentence first, then what it rests on."""

    title: str
    sentence: str
    charts: Sequence[Chart] = ()
    tables: Sequence[tuple[str, Table]] = ()  # caption, table
    notes: Sequence[str] = field(default_factory=tuple)


def sections(work: Work, key: str) -> list[Section]:
    """Of every part that the run was asked for."""
    out = []
    for name in parts.chosen(work.result.options.measure):
        mine = [
            a for a in work.result.answers if (a.part, a.workload, a.variant) == (name, work.workload, work.variant)
        ]
        if mine:
            out.append(importlib.import_module(f"reports.parts.{name}").show(work, mine, f"{key}{name}"))
    return out


def without(work: Work, answers: Sequence[Answer]) -> list[Line]:
    """Answers that hold no value, as lines of a table: those of one status and reason share a line."""
    names = {row.stack.key: label(row.stack) for row in work.rows}
    lines: dict[tuple[str, str], list[str]] = {}
    for a in answers:
        if a.status != "ok":
            lines.setdefault((words(a.status), a.reason), []).append(names.get(a.stack, a.stack))
    return [Line(tuple(who), word, reason) for (word, reason), who in lines.items()]


def unanswered(work: Work, answers: Sequence[Answer]) -> str:
    """A sentence on those stacks, empty where there is none."""
    lines = without(work, answers)
    return " ".join(f"No answer for {n.words(line.names)}: {line.text}" for line in lines)
