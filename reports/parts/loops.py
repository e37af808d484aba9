"""What high-level loops cost beside the bare one, per framework."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.experiments import typed
from benchmarks.experiments.loops.schema import TOLERANCE, Loop, Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Stack
from reports import numbers as n
from reports.parts import Section, disturbed, unanswered, without
from reports.parts.strips import Strip, strips
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

TITLE = "As people write it"
NEAR = 0.05  # of the bare loop's time: as fast
TUNED = "fit ×8"  # not how the books write it


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    stacks = {row.stack.key: row.stack for row in work.rows}
    found = [(stacks[a.stack], typed(a)) for a in answers if a.status == "ok"]
    drawn = [
        Strip(
            stack,
            f"{stack.known.framework}, {loop.name}",
            value.ratios(loop),
            value.ratio(loop),
            "disturbed" if value.disturbed(loop) else "",
        )
        for stack, value in found
        for loop in value.loops[1:]
    ]
    caption = "Marks: every call against the bare loop's call beside it. Line: no cost."
    chart = strips(drawn, key, TITLE, caption, f"{TITLE}: {work.title}", "step time over that of the bare loop")
    table = _table(found)
    table.lines += without(work, answers)
    notes = [
        "Batches, order, weights and steps are the same; error is how far the worst tensor ends from the bare loop's."
    ]
    return Section(
        TITLE,
        _sentence(found) or unanswered(work, answers),
        charts=[chart] if chart else [],
        tables=[(f"Training loops of {work.title}", table)],
        notes=notes if found else [],
    )


def _table(found: Sequence[tuple[Stack, Value]]) -> Table:
    table = Table(
        [
            Column("Stack", "loop", number=False),
            Column("Step, ms"),
            Column("× bare", "lowest to highest"),
            Column("Set-up", hint="first call beyond a later one: tracing, compiling"),
            Column("Error", "of tolerance"),
            Column("How it is written", number=False),
        ]
    )
    for stack, value in found:
        for loop in value.loops:
            step, ratio, ratios = value.step_seconds(loop), value.ratio(loop), value.ratios(loop)
            mark = disturbed.mark(table, value.beside(loop), "call")
            told = f"{n.ratio(min(ratios))} to {n.ratio(max(ratios))}"
            error = NONE if loop.error is None else Cell(f"{loop.error:.1e}", f"{TOLERANCE:.0e}", sort=loop.error)
            table.rows.append(
                [
                    Cell(label(stack), loop.name),
                    Cell(n.number(step * 1e3), sort=step),
                    NONE if loop is value.bare else Cell(n.ratio(ratio), told, sort=ratio, mark=mark),
                    Cell(n.duration(loop.set_up_seconds), sort=loop.set_up_seconds),
                    error,
                    Cell(loop.written),
                ]
            )
    return table


def _sentence(found: Sequence[tuple[Stack, Value]]) -> str:
    """Per framework: what the loop of its books costs, then what Keras's eight steps at once or default bring."""
    told, untold = [], []
    for stack, value in found:
        name = stack.known.framework
        if costs := [_cost(value, loop) for loop in value.loops[1:] if not value.disturbed(loop)]:
            told.append(f"in {name} {n.words(costs)}")
        if lost := [loop.name for loop in value.loops[1:] if value.disturbed(loop)]:
            untold.append(f"Nothing is said of {n.words(lost)} in {name}: most of its calls were disturbed.")
    out = [f"Written as books and tutorials write it, a training step takes, {'; '.join(told)}."] if told else []
    return " ".join(out + untold)


def _cost(value: Value, loop: Loop) -> str:
    ratio = value.ratio(loop)
    if abs(ratio - 1) <= NEAR:
        return f"as long as the bare loop with {loop.name}"
    extra = value.step_seconds(loop) - value.step_seconds(value.bare)
    word = "more" if extra > 0 else "less"
    return f"{n.ratio(ratio)} times the bare loop's time with {loop.name} ({n.duration(abs(extra))} {word})"
