"""Charts that several parts share: a curve per stack on logarithmic axes, and marks per stack on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from benchmarks.schema.results import Row
from reports import svg
from reports.drawing import across
from reports.svg import FAINT, INK, MUTED, SHEET, WIDTH
from reports.work import label

Place = tuple[float, float]
MARKS = {"float32": "o", "tf32": "s", "bf16": "^"}
FAR = 3.0  # ratio of largest to smallest from which on marks lie on a logarithmic axis


@dataclass(frozen=True)
class Curve:
    """One stack: what is joined by a line, and the raw samples around it; ``doubted`` are samples too, drawn hollow."""

    row: Row
    line: Sequence[Place]
    samples: Sequence[Place]
    doubted: Sequence[Place] = ()


@dataclass(frozen=True)
class Mark:
    value: float
    hollow: bool = False


def log_log(
    curves: Sequence[Curve],
    *,
    key: str,
    title: str,
    xlabel: str,
    ylabel: str,
    ideal: bool = False,
    crossings: Sequence[Place] = (),
) -> Markup:
    """``ideal`` draws y = x. ``crossings`` get a ring each. Curves of a GPU are dashed."""
    handles = [_handle(c.row) for c in curves]
    if ideal:
        handles.append(Line2D([], [], color=INK, linewidth=1, label="ideal"))
    if crossings:
        ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": INK}
        handles.append(Line2D([], [], linewidth=0, label="GPU overtakes CPU", **ring))  # type: ignore[arg-type]
    legend = 17 * ((len(handles) + 1) // 2) + 8
    fig = svg.figure(262.0 + legend)
    axes = svg.area(fig, left=64, right=24, top=8, bottom=40 + legend)
    for c in curves:
        colour, marker = svg.colour(c.row.stack), svg.marker(c.row.stack)
        axes.plot(*_sides(c.line), color=colour, linewidth=1.2, linestyle=_dashes(c.row), zorder=2)
        axes.plot(
            *_sides(c.samples), color=colour, linewidth=0, marker=marker, markersize=4.2, markeredgecolor=SHEET,
            markeredgewidth=0.6, zorder=3, clip_on=False,
        )  # fmt: skip
        axes.plot(
            *_sides(c.doubted), color=colour, linewidth=0, marker=marker, markersize=4.2, markerfacecolor=SHEET,
            markeredgecolor=colour, markeredgewidth=0.9, zorder=3, clip_on=False,
        )  # fmt: skip
    sizes = sorted({x for c in curves for x, _ in c.line})
    if ideal:
        axes.plot([sizes[0], sizes[-1]], [sizes[0], sizes[-1]], color=INK, linewidth=1, zorder=1)
    if crossings:
        axes.plot(
            *_sides(crossings), linewidth=0, marker="o", markersize=9, markerfacecolor="none", markeredgecolor=INK,
            zorder=4, clip_on=False,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2 if ideal else 10)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_xticks(sizes if len(sizes) < 8 else sizes[::2])
    axes.yaxis.set_major_locator(LogLocator(base=2) if ideal else LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")
    fig.legend(
        handles=handles, loc="lower left", ncols=2, bbox_to_anchor=(8 / WIDTH, 0), handlelength=1.8, columnspacing=1.4,
        labelspacing=0.35, borderpad=0,
    )  # fmt: skip
    return svg.inline(fig, key, title)


def marks(
    lines: Sequence[tuple[Row, Mapping[str, Sequence[Mark]]]],
    *,
    key: str,
    title: str,
    xlabel: str,
    at: float | None = None,
    band: tuple[float, float] | None = None,
    ratios: bool = False,
) -> Markup:
    """A line per stack with a mark per value, whose shape is its group's; ``at`` a line across all, ``band`` a range.

    ``ratios`` lie on a logarithmic axis when they are far apart.
    """
    groups = list(dict.fromkeys(group for _, found in lines for group in found))
    fig = svg.figure(30.0 * len(lines) + 72)
    axes = svg.area(fig, left=8, right=24, top=4, bottom=60)
    if at is not None:
        axes.axvline(at, color=MUTED, linewidth=0.8, zorder=1)
    if band is not None:
        axes.axvspan(*band, color=FAINT, linewidth=0, zorder=0)
    for y, (row, found) in enumerate(lines):
        colour = svg.colour(row.stack)
        place = axes.get_yaxis_transform()
        axes.text(0, y - 0.18, svg.short(label(row.stack)), va="bottom", ha="left", transform=place)
        for group, mark in ((g, m) for g, drawn in found.items() for m in drawn):
            face, edge = (SHEET, colour) if mark.hollow else (colour, SHEET)
            axes.plot(
                [mark.value], [y + 0.08], linewidth=0, marker=MARKS.get(group, "D"), markersize=6,
                markerfacecolor=face, markeredgecolor=edge, markeredgewidth=0.9, zorder=3, clip_on=False,
            )  # fmt: skip
    seen = [m.value for _, found in lines for drawn in found.values() for m in drawn] + ([] if at is None else [at])
    if ratios and max(seen) > FAR * min(seen) > 0:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(LogLocator(base=2))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        low, high = min([*seen, *(band or ())]), max([*seen, *(band or ())])
        axes.set_xlim(low - 0.05 * (high - low or low), high + 0.05 * (high - low or high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.set(ylim=(len(lines) - 0.5, -0.7))
    across(axes, xlabel)
    shapes = {"linewidth": 0, "color": MUTED, "markersize": 6, "markeredgecolor": SHEET}
    handles = [Line2D([], [], marker=MARKS.get(g, "D"), label=g, **shapes) for g in groups]  # type: ignore[arg-type]
    fig.legend(handles=handles, loc="lower left", ncols=4, bbox_to_anchor=(8 / WIDTH, 0), handlelength=1, borderpad=0)
    return svg.inline(fig, key, title)


def _handle(row: Row) -> Line2D:
    return Line2D(
        [], [], color=svg.colour(row.stack), linewidth=1.2, linestyle=_dashes(row),
        marker=svg.marker(row.stack), markersize=4.2, markeredgecolor=SHEET, markeredgewidth=0.6,
        label=svg.short(label(row.stack), 30),
    )  # fmt: skip


def _dashes(row: Row) -> Literal["-", "--"]:
    return "--" if row.stack.device == "cuda" else "-"


def _sides(places: Sequence[Place]) -> tuple[list[float], list[float]]:
    return [x for x, _ in places], [y for _, y in places]
