"""The report's charts. One colour per framework, one shade and marker per mode, raw samples always visible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from benchmarks.results import Launch, Row
from reports import numbers as n
from reports import svg
from reports.svg import FAINT, INK, MUTED, RULE, SHEET, WIDTH
from reports.tables import phase
from reports.verdict import Ranking
from reports.work import Work, label, measured, step_seconds

Axes: TypeAlias = Any  # matplotlib's own types ask for more casts than they find mistakes
PHASES = (("import_seconds", "import", 3), ("build_seconds", "build", 1), ("first_step_seconds", "first step", 0))


@dataclass(frozen=True)
class Chart:
    title: str
    caption: str
    svg: Markup


def throughput(work: Work, found: Ranking, key: str) -> Chart | None:
    """A bar for the estimate, a dot for every pass."""
    rows = [*found.ranked, *found.timed]
    if not rows:
        return None
    fig = svg.figure(36.0 * len(rows) + 40)
    axes = svg.area(fig, left=8, right=24, top=4, bottom=36)
    most = 0.0
    for y, row in enumerate(rows):
        step = step_seconds(row)
        assert step is not None
        rate = row.batch_size / step
        rates = [row.batch_size / s for s in row.pass_step_seconds().values()]
        most = max(most, rate, *rates)
        hue = svg.colour(row.stack.framework, row.stack.mode)
        counts = row in found.ranked
        axes.barh(
            y,
            rate,
            height=0.3,
            color=hue if counts else "none",
            edgecolor=hue,
            linewidth=1,
            linestyle="-" if counts else (0, (3, 2)),
        )
        marker = svg.MARKERS.get(row.stack.mode, "o")
        axes.scatter(
            rates,
            [y] * len(rates),
            s=26,
            marker=marker,
            color=INK,
            edgecolors=SHEET,
            linewidths=0.8,
            zorder=3,
            clip_on=False,
        )
        name = svg.short(label(row.stack)) + ("" if counts else ", not ranked")
        axes.text(0, y - 0.27, name, va="bottom", ha="left", color=INK if counts else MUTED)
    axes.set(xlim=(0, most * 1.04), ylim=(len(rows) - 0.6, -0.9), xlabel="training samples per second")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(_plain())
    title = "Training throughput"
    caption = "Bar: geometric mean over passes. Marks: every pass."
    return Chart(title, caption + _absent(found), svg.inline(fig, key, f"{title} of {work.title}, per stack"))


def _absent(found: Ranking) -> str:
    return f" No timing: {n.words(label(r.stack) for r in found.untimed)}." if found.untimed else ""


def accuracy(work: Work, found: Ranking, key: str) -> Chart | None:
    """Metric after every epoch, one line per seed, with the figures to hold it against."""
    rows = [r for r in work.rows if r.accuracy and any(t.curve for t in r.accuracy.trainings)]
    if not rows:
        return None
    entries = len(rows) + sum(v is not None for v in (work.optimum, work.book_figure))
    legend = 17 * ((entries + 1) // 2) + 8
    fig = svg.figure(252.0 + legend)
    axes = svg.area(fig, left=46, right=24, top=8, bottom=36 + legend)
    for row in rows:
        assert row.accuracy is not None
        name: str | None = svg.short(label(row.stack), 30)
        for training in row.accuracy.trainings:
            points = [(p.epoch, p.metric) for p in training.curve]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    color=svg.colour(row.stack.framework, row.stack.mode),
                    linewidth=1.2,
                    marker=svg.MARKERS.get(row.stack.mode, "o"),
                    markersize=4.5,
                    markeredgecolor=SHEET,
                    markeredgewidth=0.7,
                    label=name,
                    clip_on=False,
                    zorder=3,
                )
                name = None
        if row.accuracy.judged and row.accuracy.low is not None:
            axes.axhspan(row.accuracy.low, row.accuracy.high, color=FAINT, linewidth=0, zorder=0)
    if work.optimum is not None:
        axes.axhline(work.optimum, color=INK, linewidth=1, label=f"optimum {n.metric(work.optimum)}")
    if work.book_figure is not None:
        book = f"book {n.metric(work.book_figure)}, real data"
        axes.axhline(work.book_figure, color=INK, linewidth=1, linestyle=(0, (5, 3)), label=book)
    axes.set(xlabel="epochs", ylabel=str(work.get("metric") or "metric"))
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    fig.legend(
        *axes.get_legend_handles_labels(),
        loc="lower left",
        ncols=2,
        bbox_to_anchor=(8 / WIDTH, 0),
        handlelength=1.8,
        columnspacing=1.4,
        labelspacing=0.35,
        borderpad=0,
    )
    title = "Accuracy during training"
    caption = "One line per seed, on the whole test set in evaluation mode."
    if any(r.accuracy and r.accuracy.judged for r in rows):
        caption += " Band: accepted range at the end."
    return Chart(title, caption, svg.inline(fig, key, f"{title} of {work.title}, by epoch"))


def starts(work: Work, found: Ranking, key: str) -> Chart | None:
    """Import, build and first step on top of each other, cold and warm."""
    bars: list[tuple[Row, str, list[Launch]]] = []
    for row in (*found.ranked, *found.timed):
        for caches in ("cold", "warm"):
            launches = [la for la in measured(row) if la.caches == caches]
            if launches:
                bars.append((row, caches, launches))
    if not bars:
        return None
    stacks = list(dict.fromkeys(r.stack.key for r, _, _ in bars))
    fig = svg.figure(20.0 * len(stacks) + 15 * len(bars) + 70)
    axes = svg.area(fig, left=44, right=24, top=8, bottom=58)
    y = 0.0
    last = ""
    for row, caches, launches in bars:
        if row.stack.key != last:
            y += 20 if last else 14
            axes.text(0, y - 9, svg.short(label(row.stack)), va="bottom", ha="left")
            last = row.stack.key
        left = 0.0
        for name, _, shade in PHASES:
            seconds = phase(launches, name) or 0.0
            axes.barh(y, seconds, left=left, height=10, color=svg.colour(row.stack.framework, shade=shade), linewidth=0)
            left += seconds
        axes.text(
            -0.01, y, caches, va="center", ha="right", color=MUTED, fontsize=10, transform=axes.get_yaxis_transform()
        )
        y += 15
    axes.set(xlim=(0, None), ylim=(y - 5, -3), xlabel="seconds from process start")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    handles = [Patch(color=MUTED, alpha=1 - svg.TOWARDS[shade], linewidth=0, label=word) for _, word, shade in PHASES]
    fig.legend(handles=handles, loc="lower left", ncols=3, bbox_to_anchor=(44 / WIDTH, 0), handlelength=1, borderpad=0)
    title = "From start to first step"
    caption = "Medians over launches; cold: empty compile caches, warm: caches of an earlier launch."
    return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, per stack, cold and warm"))


def rounds(work: Work, found: Ranking, key: str) -> Chart | None:
    """Every timed block against its stack's median, one line of marks per pass."""
    rows = [*found.ranked, *found.timed]
    if not rows:
        return None
    lines = sum(len(measured(r)) for r in rows)
    fig = svg.figure(20.0 * len(rows) + 11 * lines + 46)
    axes = svg.area(fig, left=8, right=24, top=4, bottom=36)
    relative = [
        (b.seconds / b.steps) / median(x.seconds / x.steps for la in measured(r) for x in la.blocks) - 1
        for r in rows
        for la in measured(r)
        for b in la.blocks
    ]
    reach = max(0.02, min(0.5, float(np.quantile(np.abs(relative), 0.98)) * 1.15))
    index, y = 0, 0.0
    for row in rows:
        y += 20 if index else 14
        step = median(b.seconds / b.steps for la in measured(row) for b in la.blocks)
        axes.text(
            -reach, y - 9, f"{svg.short(label(row.stack), 40)}, median {n.milliseconds(step)}", va="bottom", ha="left"
        )
        for launch in measured(row):
            axes.axhline(y, color=RULE, linewidth=0.6, zorder=0)
            for block in launch.blocks:
                _mark(axes, relative[index], y, reach, row, block.disturbed)
                index += 1
            y += 11
        axes.plot([0, 0], [y - 11 * len(measured(row)) - 5, y - 6], color=MUTED, linewidth=0.8, zorder=1)
    axes.set(xlim=(-reach, reach), ylim=(y, -3), xlabel="step time of a block against the stack's median")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: "0" if abs(v) < 1e-9 else f"{v * 100:+.3g} %"))
    title = "Every timed block"
    caption = "One line per pass, one mark per round. Hollow: disturbed. Arrow: beyond the axis."
    return Chart(title, caption, svg.inline(fig, key, f"{title} of {work.title}, per stack and pass"))


def _mark(axes: Axes, value: float, y: float, reach: float, row: Row, disturbed: bool) -> None:
    hue = svg.colour(row.stack.framework, row.stack.mode)
    beyond = abs(value) > reach
    marker = (">" if value > 0 else "<") if beyond else svg.MARKERS.get(row.stack.mode, "o")
    axes.scatter(
        [float(np.clip(value, -reach, reach))],
        [y],
        s=20,
        marker=marker,
        color="none" if disturbed else hue,
        edgecolors=INK if disturbed else SHEET,
        linewidths=1.0 if disturbed else 0.5,
        clip_on=False,
        zorder=3,
    )


def _plain() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{value:,.6g}")


Draw: TypeAlias = Callable[[Work, Ranking, str], "Chart | None"]


def drawn(draw: Draw, work: Work, found: Ranking, key: str) -> Chart | None:
    settings: dict[Any, Any] = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
    settings.update(svg.SETTINGS)
    with matplotlib.rc_context(settings):
        return draw(work, found, key)
