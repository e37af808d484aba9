"""How the answers of parts (:mod:`benchmarks.experiments`) are shown: one module per part, of the same name.

A module offers ``show(work, answers, key) -> Section``: ``answers`` are of one workload variant and this part, also
those that are not ok; ``key`` begins the ids of its charts. What a stack answered that failed its certificate comes
without its value, like a failure, so no module can rank it.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import experiments
from benchmarks.schema.results import Answer, Result, Row
from reports import numbers as n
from reports.charts import Chart
from reports.table import Line, Table, words
from reports.work import Work, certified, label


@dataclass(frozen=True)
class Section:
    """A part's answers for one workload variant: the plain sentence first, then what it rests on.

    ``caveats`` stand right below the sentence: it must not be read without them.
    """

    title: str
    sentence: str
    charts: Sequence[Chart] = ()
    tables: Sequence[tuple[str, Table]] = ()  # caption, table
    notes: Sequence[str] = field(default_factory=tuple)
    caveats: Sequence[str] = ()


def sections(work: Work, key: str) -> list[Section]:
    """Of every part that the run was asked for."""
    asked = experiments.chosen(work.result.options.measure)
    return [found for name in asked if (found := section(work, name, f"{key}{name}")) is not None]


def section(work: Work, name: str, key: str) -> Section | None:
    """Of one part; None where no stack was asked."""
    seen = judged(work.result)
    mine = [a for a in seen if (a.part, a.workload, a.variant) == (name, work.workload, work.variant)]
    if not mine:
        return None
    counted = dataclasses.replace(work, result=work.result.model_copy(update={"answers": seen}))
    rows = {row.stack.key: row for row in work.rows}
    found: Section = importlib.import_module(f"reports.parts.{name}").show(counted, mine, key)
    told = uncertified([rows[a.stack] for a in mine if a.status == "ok"])
    return dataclasses.replace(found, caveats=[*told, *found.caveats])


def judged(result: Result) -> list[Answer]:
    """The answers, those of stacks that failed their certificate without value; none of a stack that has no row."""
    rows = {(row.workload, row.variant, row.stack.key): row for row in result.rows}
    kept = [(a, row) for a in result.answers if (row := rows.get((a.workload, a.variant, a.stack))) is not None]
    return [_judged(a, row) for a, row in kept]


def _judged(answer: Answer, row: Row) -> Answer:
    if answer.status != "ok":
        return answer
    if row.certificate is not None and row.certificate.status not in ("ok", "parity_failed"):
        status, reason = row.certificate.status, f"its certificate could not be made: {row.certificate.reason}"
    elif row.certificate is not None and not certified(row):
        status, reason = row.certificate.status, f"it does other work than declared: {row.certificate.reason}"
    elif row.status == "parity_failed":  # found later, as in a training
        status, reason = row.status, f"it does other work than declared: {row.reason}"
    else:
        return answer
    return answer.model_copy(update={"status": status, "reason": f"left out, for {reason}", "value": None})


def uncertified(rows: Sequence[Row]) -> list[str]:
    """What must be said of stacks whose work nobody has proven equal; nothing where all were certified."""
    bare = [row for row in rows if row.certificate is None]
    if not bare:
        return []
    if len(bare) < len(rows):
        return [f"Not certified in this run: {n.words(label(row.stack) for row in bare)}."]
    them = "this stack does the declared work" if len(rows) == 1 else "these stacks do the same work"
    return [f"Not certified in this run: nothing in it proves that {them}. --measure certificate adds the proof."]


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
