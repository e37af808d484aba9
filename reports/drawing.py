"""What charts share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from benchmarks.schema.results import Stack
from reports import svg
from reports.svg import SHEET, WIDTH


@contextmanager
def drawing() -> Iterator[None]:
    """With the report's settings, whatever the reader's own matplotlib is set to."""
    settings: dict[Any, Any] = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
    with matplotlib.rc_context(settings | svg.SETTINGS):
        yield


def across(axes: Axes, xlabel: str, ticks: int | None = None) -> None:
    """Let figures run across, with about so many ``ticks``; names stand in the drawing, so there is no other axis."""
    axes.set(xlabel=xlabel, ylabel="")
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    if ticks is not None:
        axes.xaxis.set_major_locator(MaxNLocator(ticks))


def look(stack: Stack) -> dict[str, Any]:
    """Colour of a line and its marks."""
    mark = {"marker": svg.marker(stack), "markersize": 4.5, "markeredgecolor": SHEET}
    return {"color": svg.colour(stack), "markeredgewidth": 0.7, **mark}


def legend_height(handles: int) -> float:
    """Pixels below the axes for a legend in two columns."""
    return 17.0 * ((handles + 1) // 2) + 8


def legend(fig: Any, handles: list[Line2D]) -> None:
    fig.legend(
        handles=handles, loc="lower left", ncols=2, bbox_to_anchor=(8 / WIDTH, 0), handlelength=2.2, columnspacing=1.4,
        labelspacing=0.35, borderpad=0,
    )  # fmt: skip
