"""Roofline charts: what was achieved against operations per byte, under the two roofs of a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.experiments.limits.derive import Ceiling
from benchmarks.experiments.limits.schema import Value
from benchmarks.schema.results import Stack
from reports import numbers as n
from reports import svg
from reports.charts import Chart
from reports.drawing import drawing, legend, legend_height, look
from reports.svg import INK, MUTED
from reports.work import Work, label

GIGA = 1e9


def roofline(
    work: Work, found: Sequence[tuple[Stack, Value]], others: Mapping[str, Value], ceiling: Ceiling, key: str
) -> Chart:
    """``found``: stacks of one device; ``others``: the fastest stack there of other workloads of the run."""
    device = found[0][0].device
    with drawing():
        handles = [Line2D([], [], linestyle="", label=svg.short(label(s), 30), **look(s)) for s, _ in found]
        fig = svg.figure(250.0 + legend_height(len(handles)))
        axes = svg.area(fig, left=56, right=24, top=12, bottom=40 + legend_height(len(handles)))
        values = [*(value for _, value in found), *others.values()]
        low = min(ceiling.ridge, *(v.intensity for v in values)) / 4
        high = max(ceiling.ridge, *(v.intensity for v in values)) * 4
        roof, slope = ceiling.flops_per_second / GIGA, ceiling.bytes_per_second / GIGA
        axes.plot([low, ceiling.ridge, high], [low * slope, roof, roof], color=INK, linewidth=1.2)
        axes.text(high, roof * 1.1, f"{n.number(roof)} GFLOP/s", ha="right", va="bottom", color=MUTED)
        axes.text(low, low * slope, f" {n.number(slope)} GB/s", ha="left", va="top", color=MUTED)
        for name, value in others.items():
            spot = (value.intensity, value.flops_per_second / GIGA)
            axes.plot(*spot, "x", color=MUTED, markersize=5)
            axes.annotate(
                svg.short(name, 24), spot, (4, -3), textcoords="offset points", color=MUTED, fontsize=9, va="top"
            )
        for stack, value in found:
            axes.plot(value.intensity, value.flops_per_second / GIGA, linestyle="", clip_on=False, **look(stack))
        least = min(v.flops_per_second / GIGA for v in values)
        axes.set(
            xscale="log", yscale="log", xlim=(low, high), ylim=(min(least, low * slope) / 3, roof * 3),
            xlabel="operations per byte moved at least", ylabel="GFLOP/s",
        )  # fmt: skip
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid()
        legend(fig, handles)
        where = "" if device == "cpu" else f" on {device}"
        title = f"Roofline{where}"
        caption = "Roofs: the best product and the best stream that any stack reached in this run."
        if others:
            caption += " Crosses: the fastest stack of other workloads."
        return Chart(title, caption, svg.inline(fig, key, f"{title} of {work.title}, per stack"))
