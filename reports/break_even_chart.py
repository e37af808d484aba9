"""Cumulative wall time against steps, both logarithmic: one chart per framework."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.experiments.break_even.curves import BreakEven, Curve
from benchmarks.experiments.break_even.schema import Launch, Value
from benchmarks.schema.results import Row
from reports import svg
from reports.charts import Chart
from reports.drawing import drawing, legend, legend_height, look
from reports.svg import INK, SHEET
from reports.work import Work, label

DASHES: dict[str, Any] = {"cold": "-", "warm": (0, (3, 2)), "": "-"}
FAINT = 0.45  # opacity of a disturbed launch
POINTS = 160
FARTHEST = 30  # times as many steps as were measured: beyond it a crossing is told, not drawn


def chart(
    work: Work, values: dict[str, Value], rows: dict[str, Row], plain: str, found: list[BreakEven], key: str
) -> Chart:
    """Of the uncompiled stack ``plain`` and those held against it, every launch a line."""
    curves = {
        (stack, caches): [Curve(launch, value.epoch_steps) for launch in launches]
        for stack, value in values.items()
        for caches, launches in _kinds(value).items()
    }
    crossings = [(b, b.steps.value) for b in found if b.stack in values and b.steps]
    measured = max(c.measured for several in curves.values() for c in several)
    last = min(FARTHEST * measured, max([measured, *(2 * at for _, at in crossings)]))
    steps = np.unique(np.geomspace(1, last, POINTS).round())
    handles = []
    with drawing():
        fig = svg.figure(250.0 + legend_height(2 * len(values)))
        axes = svg.area(fig, left=56, right=24, top=8, bottom=36 + legend_height(2 * len(values)))
        for (stack, caches), several in curves.items():
            style = {"color": look(rows[stack].stack)["color"], "linestyle": DASHES[caches], "linewidth": 1.2}
            for curve in several:
                seen = {"alpha": FAINT} if curve.launch.disturbed else {}
                axes.plot(steps, curve.seconds(steps), zorder=3, **style, **seen)
            if several:
                name = label(rows[stack].stack) + (f", {caches}" if caches else "")
                handles.append(Line2D([], [], label=name, **style))
        for b, at in crossings:
            if at <= last:
                of = [c for (stack, caches), several in curves.items() for c in several if _belongs(b, stack, caches)]
                mean = float(np.mean([c.seconds(np.array([at]))[0] for c in of]))
                axes.plot([at], [mean], marker="o", markersize=6, color=INK, markeredgecolor=SHEET, zorder=4)
        axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="seconds since the import")
        axes.grid(axis="both")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        legend(fig, handles)
    name = rows[plain].stack.known.framework
    caption = "Building, steps and the first evaluation; every line a launch. Dot: break-even."
    if any(launch.disturbed for value in values.values() for launch in value.launches):
        caption += " Faint: disturbed."
    title = f"Cumulative time, {name}"
    return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, seconds against steps"))


def _kinds(value: Value) -> dict[str, list[Launch]]:
    """Launches by what is told of their caches: nothing, where the stack keeps none on disk."""
    return {"cold": value.of("cold"), "warm": value.of("warm")} if value.keeps_cache else {"": value.launches}


def _belongs(b: BreakEven, stack: str, caches: str) -> bool:
    return stack == b.stack and (b.caches == "none" or caches in ("", b.caches))
