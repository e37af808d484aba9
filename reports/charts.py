"""The report's charts, drawn by seaborn from tidy frames of the raw samples.

One hue per framework, one shade and marker per mode of it, raw samples always visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median
from typing import Any, TypeAlias

import pandas as pd
import seaborn as sns
from markupsafe import Markup
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.schema.results import Row
from reports import numbers as n
from reports import svg
from reports.drawing import across, drawing
from reports.measure import Measure
from reports.ranking import Ranking
from reports.svg import FAINT, INK, MUTED, RULE, SHEET, WIDTH
from reports.work import Work, label, measured

Axes: TypeAlias = Any  # matplotlib's own types ask for more casts than they find mistakes
Frame: TypeAlias = Any  # pandas brings no types
PHASES = (("import_seconds", "import", 3), ("build_seconds", "build", 1), ("first_step_seconds", "first step", 0))
FAR = 4  # ratio of largest to smallest from which on an axis of ratios is logarithmic
CROWD = 8  # epochs from which on a curve goes without marks, but for its last point


@dataclass(frozen=True)
class Chart:
    title: str
    caption: str
    svg: Markup


# The raw samples as tidy frames: one line per measurement.


def pass_frame(rows: Iterable[Row]) -> Frame:
    """One line per pass: what was trained on per second."""
    return pd.DataFrame(
        [
            {"stack": row.stack.key, "pass": index, "rate": row.batch_size * row.items / seconds}
            for row in rows
            for index, seconds in row.pass_step_seconds().items()
        ]
    )


def curve_frame(rows: Iterable[Row]) -> Frame:
    """One line per seed and epoch: the metric on the test set."""
    return pd.DataFrame(
        [
            {"stack": row.stack.key, "seed": training.seed, "epoch": point.epoch, "metric": point.metric}
            for row in rows
            if row.accuracy
            for training in row.accuracy.trainings
            for point in training.curve
        ]
    )


def start_frame(rows: Iterable[Row]) -> Frame:
    """One line per launch and phase: its seconds."""
    return pd.DataFrame(
        [
            {
                "stack": row.stack.key,
                "caches": launch.caches,
                "pass": launch.pass_index,
                "phase": name,
                "seconds": seconds,
            }
            for row in rows
            for launch in measured(row)
            for name, _, _ in PHASES
            for seconds in [getattr(launch.phases, name)]
            if seconds is not None
        ]
    )


def block_frame(rows: Iterable[Row]) -> Frame:
    """One line per timed block: seconds per step, and its distance from the median of its stack."""
    frame = pd.DataFrame(
        [
            {
                "stack": row.stack.key,
                "pass": launch.pass_index,
                "round": block.round,
                "step": block.seconds / block.steps,
                "disturbed": block.disturbed,
            }
            for row in rows
            for launch in measured(row)
            for block in launch.blocks
        ]
    )
    frame["deviation"] = frame["step"] / frame.groupby("stack", sort=False)["step"].transform("median") - 1
    return frame


def _colours(rows: Iterable[Row], shade: int | None = None) -> dict[str, str]:
    return {row.stack.key: svg.colour(row.stack, shade) for row in rows}


# The charts


def throughput(work: Work, found: Ranking, key: str) -> Chart | None:
    """A bar for the estimate, a mark for every pass."""
    rows = [*found.ranked, *found.timed]
    if not rows:
        return None
    frame = pass_frame(rows)
    order = [row.stack.key for row in rows]
    fig = svg.figure(36.0 * len(rows) + 40)
    axes = svg.area(fig, left=8, right=24, top=4, bottom=36)
    sns.barplot(
        data=frame, x="rate", y="stack", hue="stack", order=order, hue_order=order, palette=_colours(rows),
        estimator=geometric_mean, errorbar=None, orient="h", width=0.3, saturation=1, linewidth=1, legend=False,
        ax=axes,
    )  # fmt: skip
    for row, bar in zip(rows, axes.containers, strict=True):
        for patch in bar:
            patch.set_edgecolor(svg.colour(row.stack))
            if row in found.timed:
                patch.set(facecolor="none", linestyle=(0, (3, 2)))
    for row in rows:
        sns.stripplot(
            data=frame[frame["stack"] == row.stack.key], x="rate", y="stack", order=order, orient="h", jitter=False,
            marker=svg.marker(row.stack), size=5.1, color=INK, edgecolor=SHEET, linewidth=0.8, zorder=3, clip_on=False,
            ax=axes,
        )  # fmt: skip
    for y, row in enumerate(rows):
        name = svg.short(label(row.stack)) + ("" if row in found.ranked else ", not ranked")
        axes.text(0, y - 0.27, name, va="bottom", ha="left", color=INK if row in found.ranked else MUTED)
    axes.set(xlim=(0, frame["rate"].max() * 1.04), ylim=(len(rows) - 0.6, -0.9))
    across(axes, f"training {work.unit} per second", 5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    title = "Training throughput" + (f", {found.title.lower()}" if found.title else "")
    caption = "Bar: geometric mean over passes. Marks: every pass."
    return Chart(title, caption + _absent(found), svg.inline(fig, key, f"{title} of {work.title}, per stack"))


def _absent(found: Ranking) -> str:
    return f" No timing: {n.words(label(r.stack) for r in found.untimed)}." if found.untimed else ""


def accuracy(work: Work, found: Ranking, key: str) -> Chart | None:
    """Metric after every epoch, one line per seed, with the figures to hold it against."""
    measure = work.measure
    rows = [r for r in work.rows if r.accuracy and any(t.curve for t in r.accuracy.trainings)]
    if not rows:
        return None
    frame = curve_frame(rows)
    crowded = frame["epoch"].nunique() > CROWD
    handles = [_key(row) for row in rows]
    references: list[tuple[float, Any]] = []
    if work.optimum is not None:
        references.append((work.optimum, "-"))
        handles.append(Line2D([], [], color=INK, linewidth=1, label=f"{measure.bound} {measure.text(work.optimum)}"))
    for figure in (f for f in work.figures if not (f.score or f.aside)):  # the curves are of the metric
        dashes = (0, (5, 3)) if figure.held else (0, (5, 3, 1, 3))
        references.append((figure.value, dashes))
        text = f"{figure.name} {measure.text(figure.value)}" + ("" if work.real else ", real data")
        handles.append(Line2D([], [], color=INK, linewidth=1, linestyle=dashes, label=text))
    legend = 17 * ((len(handles) + 1) // 2) + 8
    fig = svg.figure(252.0 + legend)
    axes = svg.area(fig, left=56, right=24, top=8, bottom=36 + legend)
    look = {"hue": "stack", "palette": _colours(rows), "style": "stack", "markers": _markers(rows), "legend": False}
    marks = {"markersize": 4.5, "markeredgecolor": SHEET, "markeredgewidth": 0.7, "clip_on": False}
    curve = look | ({"markers": False} if crowded else marks)
    sns.lineplot(
        data=frame, x="epoch", y="metric", units="seed", estimator=None, dashes=False, linewidth=1.2, zorder=3,
        ax=axes, **curve,
    )  # fmt: skip
    if crowded:
        ends = frame.loc[frame.groupby(["stack", "seed"], sort=False)["epoch"].idxmax()]
        sns.scatterplot(
            data=ends, x="epoch", y="metric", s=22, edgecolor=SHEET, linewidth=0.7, clip_on=False, zorder=4, ax=axes,
            **look,
        )  # fmt: skip
    for value, dashes in references:
        axes.axhline(value, color=INK, linewidth=1, linestyle=dashes, zorder=2)
    for row in rows:
        if row.accuracy and row.accuracy.judged and row.accuracy.low is not None:
            axes.axhspan(row.accuracy.low, row.accuracy.high, color=FAINT, linewidth=0, zorder=0)
    axes.set(xlabel="epochs", ylabel=f"{measure.name}{measure.direction}", xlim=(0, frame["epoch"].max()))
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _up(axes, measure, [*frame["metric"], *(value for value, _ in references)])
    fig.legend(
        handles=handles,
        loc="lower left",
        ncols=2,
        bbox_to_anchor=(8 / WIDTH, 0),
        handlelength=1.8,
        columnspacing=1.4,
        labelspacing=0.35,
        borderpad=0,
    )
    title = f"{measure.title} during training"
    caption = "One line per seed, on the whole test set in evaluation mode."
    if any(r.accuracy and r.accuracy.judged for r in rows):
        caption += " Band: accepted range at the end."
    return Chart(title, caption, svg.inline(fig, key, f"{title} of {work.title}, by epoch"))


def _up(axes: Axes, measure: Measure, values: list[float]) -> None:
    """The metric's own axis: logarithmic where distances are ratios and the values lie far apart."""
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if measure.proportion:
        return
    if measure.ratio and max(values) > FAR * min(values) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _markers(rows: Iterable[Row]) -> dict[str, str]:
    return {row.stack.key: svg.marker(row.stack) for row in rows}


def _key(row: Row) -> Line2D:
    return Line2D(
        [], [], color=svg.colour(row.stack), linewidth=1.2, marker=svg.marker(row.stack),
        markersize=4.5, markeredgecolor=SHEET, markeredgewidth=0.7, label=svg.short(label(row.stack), 30),
    )  # fmt: skip


def starts(work: Work, found: Ranking, key: str) -> Chart | None:
    """Import, build and first step on top of each other, cold and warm."""
    rows = found.rows
    frame = start_frame(rows)
    if frame.empty:
        return None
    names = [name for name, _, _ in PHASES]
    ends = (
        frame.pivot_table(index=["stack", "caches"], columns="phase", values="seconds", aggfunc="median", sort=False)
        .reindex(columns=names)
        .fillna(0.0)
        .cumsum(axis=1)
        .reset_index()
    )
    ends["line"] = ends["stack"] + " " + ends["caches"]
    rows = tuple(row for row in rows if row.stack.key in set(ends["stack"]))
    lines, heads = _lines(rows, set(ends["line"]))
    fig = svg.figure(17.0 * len(lines) + 72)
    axes = svg.area(fig, left=44, right=24, top=6, bottom=58)
    for name, _, shade in reversed(PHASES):  # the longer bars first, so that each phase begins where the last ended
        sns.barplot(
            data=ends, x=name, y="line", hue="stack", order=lines, palette=_colours(rows, shade), errorbar=None,
            orient="h", width=0.59, saturation=1, dodge=False, linewidth=0, legend=False, ax=axes,
        )  # fmt: skip
    for row, y in zip(rows, heads, strict=True):
        axes.text(0, y + 0.38, svg.short(label(row.stack)), va="bottom", ha="left")
    for y, line in enumerate(lines):
        if y not in heads:
            place = axes.get_yaxis_transform()
            axes.text(
                -0.01, y, line.rsplit(" ")[-1], va="center", ha="right", color=MUTED, fontsize=10, transform=place
            )
    axes.set(xlim=(0, ends[names[-1]].max() * 1.04 or 1), ylim=(len(lines) - 0.4, -0.5))
    across(axes, "seconds from process start", 6)
    handles = [Patch(color=MUTED, alpha=1 - svg.TOWARDS[shade], linewidth=0, label=word) for _, word, shade in PHASES]
    fig.legend(handles=handles, loc="lower left", ncols=3, bbox_to_anchor=(44 / WIDTH, 0), handlelength=1, borderpad=0)
    title = "From start to first step"
    caption = "Medians over launches; cold: empty compile caches, warm: caches of an earlier launch."
    return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, per stack, cold and warm"))


def _lines(rows: Sequence[Row], known: set[str]) -> tuple[list[str], list[int]]:
    """Places from top to bottom: a stack's name, then its bars; and which of them are names."""
    lines: list[str] = []
    heads: list[int] = []
    for row in rows:
        heads.append(len(lines))
        bars = [f"{row.stack.key} {caches}" for caches in ("cold", "warm")]
        lines += [row.stack.key, *(bar for bar in bars if bar in known)]
    return lines, heads


def rounds(work: Work, found: Ranking, key: str) -> Chart | None:
    """Every timed block against its stack's median, one line of marks per pass."""
    rows = found.rows
    if not rows:
        return None
    frame = block_frame(rows)
    reach = max(0.02, min(0.5, float(frame["deviation"].abs().quantile(0.98)) * 1.15))
    fig = svg.figure(20.0 * len(rows) + 11 * sum(len(measured(r)) for r in rows) + 46)
    axes = svg.area(fig, left=8, right=24, top=4, bottom=36)
    y, places = 0.0, {}
    for index, row in enumerate(rows):
        y += 20 if index else 14
        step = median(frame.loc[frame["stack"] == row.stack.key, "step"])
        name = f"{svg.short(label(row.stack), 40)}, median {n.milliseconds(step)}"
        axes.text(-reach, y - 9, name, va="bottom", ha="left")
        top = y
        for launch in measured(row):
            axes.axhline(y, color=RULE, linewidth=0.6, zorder=0)
            places[row.stack.key, launch.pass_index] = y
            y += 11
        axes.plot([0, 0], [top - 5, y - 6], color=MUTED, linewidth=0.8, zorder=1)
    frame["y"] = [places[place] for place in zip(frame["stack"], frame["pass"], strict=True)]
    frame["x"] = frame["deviation"].clip(-reach, reach)
    frame["mark"] = frame["stack"].map(_markers(rows))
    frame.loc[frame["deviation"] > reach, "mark"] = ">"
    frame.loc[frame["deviation"] < -reach, "mark"] = "<"
    markers = {mark: mark for mark in frame["mark"].unique()}
    common = {"x": "x", "y": "y", "style": "mark", "markers": markers, "s": 20, "legend": False, "ax": axes}
    common |= {"clip_on": False, "zorder": 3}
    quiet, disturbed = frame[~frame["disturbed"]], frame[frame["disturbed"]]
    if len(quiet):
        sns.scatterplot(data=quiet, hue="stack", palette=_colours(rows), edgecolor=SHEET, linewidth=0.5, **common)
    if len(disturbed):
        sns.scatterplot(data=disturbed, color="none", edgecolor=INK, linewidth=1.0, **common)
    axes.set(xlim=(-reach, reach), ylim=(y, -3))
    across(axes, "step time of a block against the stack's median", 5)
    axes.grid(visible=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: "0" if abs(v) < 1e-9 else f"{v * 100:+.3g} %"))
    title = "Every timed block"
    caption = "One line per pass, one mark per round. Hollow: disturbed. Arrow: beyond the axis."
    return Chart(title, caption, svg.inline(fig, key, f"{title} of {work.title}, per stack and pass"))


Draw: TypeAlias = Callable[[Work, Ranking, str], "Chart | None"]


def drawn(draw: Draw, work: Work, found: Ranking, key: str) -> Chart | None:
    with drawing():
        return draw(work, found, key)
