"""A chart of ratios: one strip of marks per stack and thing measured, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.schema.results import Stack
from reports import svg
from reports.charts import FAR, Chart
from reports.drawing import across, drawing
from reports.svg import INK, MUTED, SHEET

STEP = 34.0  # pixels from strip to strip


@dataclass(frozen=True)
class Strip:
    """``values`` are ratios, 1 being what all are held against, ``middle`` the one that is told of them.

    ``aside`` is told after the name, ``interval`` is that of ``middle``.
    """

    stack: Stack
    name: str
    values: Sequence[float]
    middle: float
    aside: str = ""
    interval: tuple[float, float] | None = None


def strips(
    found: Sequence[Strip], key: str, title: str, caption: str, described: str, xlabel: str, *, ticks: bool = False
) -> Chart | None:
    """Draw ``middle`` as a line from 1, or as a tick across its interval."""
    if not found:
        return None
    with drawing():
        fig = svg.figure(STEP * len(found) + 46)
        axes = svg.area(fig, left=8, right=24, top=4, bottom=38)
        across(axes, xlabel)
        values = [v for strip in found for v in (*strip.values, strip.middle, *(strip.interval or ()))]
        low, high = min([0.98, *values]), max([1.02, *values])
        if high > FAR * low:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.axvline(1.0, color=INK, linewidth=1, zorder=1)
        for y, strip in enumerate(found):
            colour = svg.colour(strip.stack)
            if strip.interval is not None:
                axes.plot(strip.interval, [y, y], color=colour, linewidth=4, alpha=0.5, zorder=2)
            if ticks:
                axes.plot([strip.middle] * 2, [y - 0.16, y + 0.16], color=colour, linewidth=2, zorder=3)
            else:
                axes.plot([1.0, strip.middle], [y, y], color=colour, linewidth=3, solid_capstyle="butt", zorder=2)
            axes.scatter(
                strip.values, [y] * len(strip.values), marker=svg.marker(strip.stack), s=24,
                color=colour, edgecolor=SHEET, linewidth=0.7, zorder=4, clip_on=False,
            )  # fmt: skip
            place = axes.get_yaxis_transform()
            axes.text(0, y - 0.25, svg.short(strip.name, 60), va="bottom", ha="left", transform=place)
            axes.text(1, y - 0.25, strip.aside, va="bottom", ha="right", color=MUTED, transform=place)
        axes.set(xlim=(low / 1.02, high * 1.02), ylim=(len(found) - 0.6, -0.9))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        return Chart(title, caption, svg.inline(fig, key, described))
