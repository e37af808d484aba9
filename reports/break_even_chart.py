"""Cumulative wall time against steps, both logarithmic: one chart per framework."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.parts.break_even.curves import BreakEven, Curve
from benchmarks.parts.break_even.schema import Value
from benchmarks.results import Row
from reports import svg
from reports.charts import Chart
from reports.drawing import drawing, legend, legend_height, look
from reports.svg import INK, SHEET
from reports.work import Work, framework_name, label

DASHES: dict[str, Any] = {"cold": "-", "warm": (0, (3, 2))}
POINTS = 160
FARTHEST = 30  # times as many steps as were measured: beyond it a crossing is told, not drawn


def chart(
    work: Work, values: dict[str, Value], rows: dict[str, Row], plain: str, found: list[BreakEven], key: str
) -> Chart:
    """Of the uncompiled stack ``plain`` and those held against it, every launch a line."""
    curves = {
        (stack, caches): [Curve(launch, value.epoch_steps) for launch in value.of(caches)]
        for stack, value in values.items()
        for caches in ("cold", "warm")
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
                axes.plot(steps, curve.seconds(steps), zorder=3, **style)
            if several:
                handles.append(Line2D([], [], label=f"{label(rows[stack].stack)}, {caches}", **style))
        for b, at in crossings:
            if at <= last:
                mean = float(np.mean([c.seconds(np.array([at]))[0] for c in curves[b.stack, b.caches]]))
                axes.plot([at], [mean], marker="o", markersize=6, color=INK, markeredgecolor=SHEET, zorder=4)
        axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="seconds since the import")
        axes.grid(axis="both")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        legend(fig, handles)
    name = framework_name(rows[plain].stack.framework)
    caption = "Building, steps and the first evaluation; every line a launch. Dot: break-even."
    title = f"Cumulative time, {name}"
    return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, seconds against steps"))
