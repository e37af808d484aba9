"""The part of ``verify`` about ``--budget``: passes given up, what could be found, time taken, and the notes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from benchmarks.analysis.detectable import finds
from benchmarks.analysis.verdicts import rows_as_judged
from benchmarks.engine.budget import notes
from benchmarks.schema.results import Result
from benchmarks.verify.verdicts import near

ROUNDING = 2.0  # seconds: start and end of a run are kept to the second


def check(result: Result) -> Iterator[str]:
    """Violations, in words."""
    options, budget = result.options, result.budget
    if (options.budget_seconds is None) != (budget is None):
        yield "what became of --budget is " + ("not told" if budget is None else "told, though there was none")
    if budget is None:
        return
    declared = {(d.name, d.variant) for d in result.declared}
    for cut in budget.cuts:
        name = f"{cut.workload}/{cut.variant}"
        if (cut.workload, cut.variant) not in declared:
            yield f"{name}: passes given up of a workload that is not in this result"
        if not 1 <= cut.passes < cut.planned == options.passes:
            yield f"{name}: {cut.passes} of {cut.planned} passes is no cut of the {options.passes} that were planned"
        if budget.spent_seconds is None or cut.spent_seconds > budget.spent_seconds:
            yield f"{name}: passes were given up after the run had ended"
    again = finds(rows_as_judged(result))
    if len(again) != len(budget.finds) or not all(map(near, again, budget.finds)):
        yield "what the passes could find does not follow from the samples"
    if result.complete and result.finished is not None:
        lasted = (datetime.fromisoformat(result.finished) - datetime.fromisoformat(result.started)).total_seconds()
        if budget.spent_seconds is None or budget.spent_seconds > lasted + ROUNDING:
            yield "the time taken is not within start and end"
        yield from (f"lacks the note: {text}" for text in notes(budget, options) if text not in result.notes)
