"""The check of what parts of a run found."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import experiments
from benchmarks.analysis.evidence import contradictions
from benchmarks.schema.results import Answer, Result, Row

# Fields of an answer, where it has them, that its row has too.
AS_ITS_ROW = {"batch_size": "batch size", "items": "number of items per sample", "unit": "unit"}


def check(result: Result) -> Iterator[str]:
    """Every part asked for has answered once for every stack that can run, with a reason where it did not measure."""
    asked = experiments.chosen(result.options.measure)
    seen = [a.key for a in result.answers]
    yield from (f"{key}: answered twice" for key in dict.fromkeys(seen) if seen.count(key) > 1)
    for a in result.answers:
        if a.part not in asked:
            yield f"{a.key}: answered without being asked"
        if a.status != "ok" and not a.reason:
            yield f"{a.key}: status {a.status} without a reason"
        placed = list(_place(result, a))
        yield from (f"{a.key}: {violation}" for violation in placed or _value(result, a))
    if not result.complete:
        return
    answered = {(a.part, a.workload, a.variant, a.stack) for a in result.answers}
    kinds = {(r.workload, r.variant, r.stack.key): r.stack.kind for r in result.rows}
    by_kind = {(*a[:3], kinds.get(a[1:])) for a in answered}
    for row in result.rows:
        if row.status == "unavailable" or row.stack.replica:
            continue
        for part in asked:
            place = (part, row.workload, row.variant)
            once = getattr(experiments.schema(part), "PER_FRAMEWORK", False) and (*place, row.stack.kind) in by_kind
            if not once and (*place, row.stack.key) not in answered:
                yield f"{part} of {row.workload}/{row.variant} on {row.stack.key}: asked for and not answered"


def _place(result: Result, answer: Answer) -> Iterator[str]:
    """It belongs to one declared workload and to a row: without them nothing further can be held against anything."""
    here = answer.place
    declared = sum(d.place == here for d in result.declared)
    if declared != 1:
        yield f"its workload is {f'declared {declared} times' if declared else 'not declared'} in this result"
    if _row(result, answer) is None:
        yield "its stack has no row of this workload in this result"


def _row(result: Result, answer: Answer) -> Row | None:
    place = (answer.workload, answer.variant, answer.stack)
    return next((row for row in result.rows if (row.workload, row.variant, row.stack.key) == place), None)


def _value(result: Result, answer: Answer) -> Iterator[str]:
    """What it shares with its row is the same, then whatever its part asks of it."""
    row = _row(result, answer)
    if answer.value is None or row is None:
        return
    value = experiments.typed(answer)
    for name, words in AS_ITS_ROW.items():
        told = getattr(value, name, None)
        if told is not None and told != getattr(row, name):
            yield f"its {words} is {told}, its row's {getattr(row, name)}"
    if wrong := contradictions(value, cpus=result.options.threads):
        yield f"{wrong} of its samples are marked against their own evidence"
    try:
        yield from experiments.schema(answer.part).check(result, answer)
    except Exception as error:  # a result made by hand may hold anything: that is a violation too, and told as one
        yield f"its part cannot check it: {type(error).__name__}: {error}"
