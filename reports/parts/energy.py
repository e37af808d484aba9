"""Joules per thousand samples, with and without what the idle machine draws."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Patch

from benchmarks.experiments import typed
from benchmarks.experiments.energy.schema import LEAST, Value, Window
from benchmarks.protocol.disturbed import RESOLUTION_SECONDS
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row
from reports import numbers as n
from reports import svg
from reports.charts import Chart
from reports.drawing import across, drawing
from reports.parts import Section, unanswered, without
from reports.svg import INK, MUTED, WIDTH, variable
from reports.table import Cell, Column, Table
from reports.work import Work, label


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: list[tuple[Row, Value]] = [(rows[a.stack], typed(a)) for a in answers if a.status == "ok"]
    found.sort(key=lambda f: f[1].gross)
    table = _table(work, found)
    table.lines += without(work, [a for a in answers if a.status != "ok"])
    return Section(
        "Energy",
        _sentence(work, found) or unanswered(work, answers),
        charts=[_chart(work, found, key)] if found else [],
        tables=[(f"Energy of {work.title}", table)],
        notes=[_note(found)] if found else (),
    )


def _note(found: list[tuple[Row, Value]]) -> str:
    names = n.words(dict.fromkeys(name for _, value in found for name in value.load.joules))
    text = (
        f"Counters: {names}; what they do not cover (fans, power supply, discs) is not in these figures. Idle: the "
        "worker is there, its model built, and does nothing. Net: beyond what idling as long would have taken."
    )
    if any(value.short for _, value in found):
        text += f" Windows shorter than {LEAST:.0f} s: these figures only show that measuring works."
    return text


def _table(work: Work, found: list[tuple[Row, Value]]) -> Table:
    table = Table(
        [
            Column("Stack", number=False),
            Column("Gross, J", f"per 1,000 {work.unit}"),
            Column("Net of idle, J", f"per 1,000 {work.unit}"),
            Column("Training, W"),
            Column("Idle, W"),
            Column("Window, s", "idle / training"),
        ]
    )
    for row, value in found:
        marks = [table.mark(_disturbed(value))] if value.foreign else []
        marks += [table.mark(f"A window shorter than {LEAST:.0f} s.")] if value.short else []
        table.rows.append(
            [
                Cell(label(row.stack), swatch=variable(row.stack), mark=", ".join(marks)),
                Cell(n.number(value.gross), sort=value.gross),
                Cell(n.number(value.net), sort=value.net),
                Cell(n.number(value.load.watts), sort=value.load.watts),
                Cell(n.number(value.idle.watts), sort=value.idle.watts),
                Cell(f"{n.number(value.idle.seconds)} / {n.number(value.load.seconds)}", sort=value.load.seconds),
            ]
        )
    return table


def _disturbed(value: Value) -> str:
    """What ran beside the stack, window by window."""
    told = []
    for word, window in (("idle", value.idle), ("training", value.load)):
        others = [_why(window)] if window.disturbed else []
        if window.other_gpu_processes:
            others.append(f"{n.plural(window.other_gpu_processes, 'other process', 'es')} on the GPU")
        if others:
            told.append(f"{n.words(others)} in the {word} window of {n.duration(window.seconds)}")
    return f"Disturbed: not this stack's energy alone; {n.words(told)}."


def _why(window: Window) -> str:
    foreign = window.evidence.foreign_cpu_seconds or 0.0
    if foreign < RESOLUTION_SECONDS:
        return "steal, a quota or heat"
    return f"{n.duration(foreign)} of others' CPU time"


def _sentence(work: Work, found: list[tuple[Row, Value]]) -> str:
    """From the least to the most of those that were alone; the disturbed ones only named."""
    alone = [(row, value) for row, value in found if not value.foreign]
    out = []
    if alone:
        told = [f"{n.number(value.gross)} J in {label(row.stack)}" for row, value in (alone[0], alone[-1])]
        many = f" to {told[1]}" if len(alone) > 1 else ""
        idle = [n.number(watts) for watts in sorted(value.idle.watts for _, value in alone)]
        draws = idle[0] if idle[0] == idle[-1] else f"{idle[0]} to {idle[-1]}"
        out.append(f"Training on a thousand {work.unit} takes {told[0]}{many}; idle, the counted parts draw {draws} W.")
    if lost := [f"{label(row.stack)} ({n.number(value.gross)} J)" for row, value in found if value.foreign]:
        out.append(f"Disturbed, not the stack's energy alone: {n.words(lost)}.")
    return " ".join(out)


def _chart(work: Work, found: list[tuple[Row, Value]], key: str) -> Chart:
    """Net and idle energy on top of each other."""
    with drawing():
        fig = svg.figure(36.0 * len(found) + 62)
        axes = svg.area(fig, left=8, right=24, top=4, bottom=58)
        for y, (row, value) in enumerate(found):
            colour, net = svg.colour(row.stack), max(0.0, value.net)
            axes.barh(y, net, height=0.3, color=colour, linewidth=1, edgecolor=colour)
            axes.barh(y, value.gross - net, left=net, height=0.3, color="none", linewidth=1, edgecolor=colour)
            name = label(row.stack) + (", disturbed" if value.foreign else "")
            axes.text(0, y - 0.27, svg.short(name), va="bottom", ha="left", color=INK)
        axes.set(ylim=(len(found) - 0.6, -0.9))
        across(axes, f"joules per 1,000 {work.unit}", 5)
        handles = [Patch(color=MUTED, label="beyond idle"), Patch(facecolor="none", edgecolor=MUTED, label="idle")]
        fig.legend(handles=handles, loc="lower left", ncols=2, bbox_to_anchor=(8 / WIDTH, 0), handlelength=1)
    title = "Energy of training"
    return Chart(title, "Filled: beyond idle. Hollow: what the idle machine draws.", svg.inline(fig, key, title))
