"""Memory of training, per stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from benchmarks.experiments import typed
from benchmarks.experiments.memory.schema import Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Stack
from reports import numbers as n
from reports import svg
from reports.charts import Chart
from reports.drawing import across, drawing
from reports.parts import Section, unanswered, without
from reports.svg import MUTED, variable
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

MIB = 2**20
BAR, NAME = 17.0, 19.0  # pixels from bar to bar, and what a stack's name takes above its first
PALE = 0.35  # opacity of the import, which training did not cause


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    stacks = {row.stack.key: row.stack for row in work.rows}
    names = {key: label(stack) for key, stack in stacks.items()}
    found = sorted(((a.stack, typed(a)) for a in answers if a.status == "ok"), key=lambda f: f[1].above_baseline or 0)
    device = any(value.training_peak_device is not None for _, value in found)
    table = Table([Column("Stack", number=False), Column("Training, MiB", "above the import"), Column("Import, MiB")])
    table.columns += [Column("Device, MiB"), Column("Largest batch")] if device else []
    for stack, value in found:
        above = value.above_baseline
        swatch = variable(stacks[stack])
        cells = [Cell(names[stack], swatch=swatch), NONE if above is None else Cell(n.number(above / MIB), sort=above)]
        cells.append(Cell(n.number(value.imported_resident / MIB), sort=value.imported_resident))
        if device:
            peak, largest = value.training_peak_device, value.largest_batch
            cells += [NONE if peak is None else Cell(n.number(peak / MIB), sort=peak)]
            cells += [NONE if largest is None else Cell(f"{largest:,}", sort=largest)]
        table.rows.append(cells)
    table.lines += without(work, answers)
    return Section(
        "Memory",
        _sentence(found, names) or unanswered(work, answers),
        charts=[_chart(work, [(stacks[stack], value) for stack, value in found], key)] if found else [],
        tables=[(f"Memory of {work.title}", table)],
    )


def _chart(work: Work, found: list[tuple[Stack, Value]], key: str) -> Chart:
    """A bar per stack: the imported framework, and what training took above it; below it what it took on a device."""
    device = any(value.training_peak_device is not None for _, value in found)
    with drawing():
        y, bars = 0.0, []  # place, where it begins, how long it is, look
        names = []
        for stack, value in found:
            names.append((y, label(stack)))
            y += NAME
            colour = svg.colour(stack)
            solid: dict[str, Any] = {"facecolor": colour, "edgecolor": colour, "linewidth": 0.8}
            bars.append((y, 0, value.imported_resident, {"color": MUTED, "alpha": PALE, "linewidth": 0}))
            if value.above_baseline is not None:
                bars.append((y, value.imported_resident, value.above_baseline, solid))
            if value.training_peak_device is not None:
                y += BAR
                bars.append((y, 0, value.training_peak_device, solid | {"facecolor": "none"}))
            y += BAR
        fig = svg.figure(y + 66)
        axes = svg.area(fig, left=8, right=24, top=4, bottom=58)
        for place, start, length, look in bars:
            axes.barh(place, length / MIB, left=start / MIB, height=10, **look)
        for place, name in names:
            axes.text(0, place + 11, svg.short(name), va="bottom", ha="left")
        most = max(start + length for _, start, length, _ in bars) / MIB
        axes.set(xlim=(0, most * 1.04), ylim=(y - 6, -4))
        across(axes, "MiB", 6)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        handles = [
            Patch(color=MUTED, alpha=PALE, linewidth=0, label="import"),
            Patch(color=MUTED, linewidth=0, label="training above it"),
        ]
        if device:
            handles.append(Patch(facecolor="none", edgecolor=MUTED, linewidth=0.8, label="on the device"))
        fig.legend(
            handles=handles, loc="lower left", ncols=3, bbox_to_anchor=(8 / svg.WIDTH, 0), handlelength=1, borderpad=0
        )
    title = "Peak memory of training"
    caption = "Resident bytes of the process: the imported framework, and the peak of building and training above it."
    caption += " Hollow: bytes on the device by the framework's own counter." if device else ""
    return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, per stack"))


def _sentence(found: list[tuple[str, Value]], names: dict[str, str]) -> str:
    marks = [(value.above_baseline, stack) for stack, value in found if value.above_baseline is not None]
    if not marks:
        return ""
    (least, first), (most, last) = min(marks), max(marks)
    if len(marks) == 1:
        return f"Training takes {n.number(least / MIB)} MiB beyond the imported framework ({names[first]})."
    return (
        f"Beyond the imported framework, training takes least memory in {names[first]} ({n.number(least / MIB)} MiB) "
        f"and most in {names[last]} ({n.number(most / MIB)} MiB); each was alone on the machine."
    )
