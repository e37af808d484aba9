"""What tuned modes (--tuned) bring over the documented modes of their framework, where a workload has any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.schema.results import Row
from reports import numbers as n
from reports import svg
from reports.charts import FAR, Chart
from reports.drawing import drawing
from reports.parts import Section, uncertified
from reports.ranking import Ranking, Versus, versus
from reports.svg import INK, SHEET, variable
from reports.table import Cell, Column, Line, Table, Tone, words
from reports.work import Work, label, plain_mode

TITLE = "What tuning brings"
NOTE = (
    "Ratios are of step times: below 1 the tuned mode is the faster one. Documented modes are those that a run without "
    "--tuned measures. Verdicts and intervals hold jointly for all pairs of this table."
)
TONES: dict[str, Tone] = {"faster": "good", "slower": "bad", "untrustworthy": "warn"}


@dataclass(frozen=True)
class Pair:
    """A tuned row against a documented one of the same framework, device and interpreter."""

    tuned: Row
    plain: Row
    found: Versus

    @property
    def ratios(self) -> list[float]:
        """Of step times, by pass."""
        mine, theirs = self.tuned.pass_step_seconds(), self.plain.pass_step_seconds()
        return [mine[index] / theirs[index] for index in sorted(mine.keys() & theirs.keys())]

    @property
    def told(self) -> str:
        """``0.95 times as long (joint 97 % interval 0.93 to 0.97, faster)``."""
        told = ", ".join(filter(None, [self.found.within, self.found.word]))
        return f"{n.ratio(self.found.ratio)} times as long ({told})"


def pairs(work: Work, found: Ranking) -> list[Pair]:
    """Of what may be ranked, each tuned row with the fastest documented one of its framework first."""
    return [
        Pair(row, plain, versus(work, row, plain))
        for row in (found.tuned.ranked if found.tuned is not None else ())
        for plain in found.ranked
        if plain.stack.kind == row.stack.kind
    ]


def sections(work: Work, found: Ranking, key: str) -> list[Section]:
    """One where the workload has tuned rows; otherwise none."""
    tuned = [row for row in work.rows if row.stack.tuned]
    if not tuned or not work.timed:
        return []
    seen = pairs(work, found)
    table = _table(seen)
    held = {p.tuned.stack.key for p in seen}
    table.lines += [_without(work, row, found) for row in tuned if row.stack.key not in held]
    caveats = uncertified(list({id(row): row for p in seen for row in (p.tuned, p.plain)}.values()))
    if any(p.found.word == "provisional" for p in seen):
        caveats.append("Provisional: fewer than 5 passes, so there is no interval.")
    return [
        Section(
            TITLE,
            _sentence(seen) or "No tuned mode has a timing that counts beside a documented mode of its framework.",
            charts=[_chart(work, seen, key)] if seen else [],
            tables=[(f"Tuned modes of {work.title}", table)],
            notes=[NOTE] if seen else [],
            caveats=caveats,
        )
    ]


def _sentence(seen: Sequence[Pair]) -> str:
    """Each tuned mode against the fastest documented mode of its framework: what tuning really saves."""
    told: dict[str, list[str]] = {}
    first = {p.tuned.stack.key: p for p in reversed(seen)}
    for p in seen:
        if first[p.tuned.stack.key] is p:
            framework = p.plain.stack.known.framework
            best = f"Against {label(p.plain.stack)}, the fastest documented mode of {framework}"
            told.setdefault(best, []).append(f"{p.told} in {label(p.tuned.stack)}")
    return " ".join(f"{best}, a step takes {n.words(clauses)}." for best, clauses in told.items())


def _table(seen: Sequence[Pair]) -> Table:
    table = Table(
        [
            Column("Tuned mode", number=False),
            Column("Against", number=False),
            Column("Ratio", "interval", "step time of the tuned mode over that of the documented one"),
            Column("Verdict", "finds", "below, the smallest difference found nine times in ten", number=False),
        ]
    )
    for p in seen:
        table.rows.append(
            [
                Cell(label(p.tuned.stack), swatch=variable(p.tuned.stack)),
                Cell(label(p.plain.stack)),
                Cell(n.ratio(p.found.ratio), p.found.interval, sort=p.found.ratio),
                Cell(
                    p.found.word,
                    f"finds {p.found.finds}" if p.found.finds else "",
                    tone=TONES.get(p.found.word, ""),
                    mark=table.mark(p.found.why),
                ),
            ]
        )
    return table


def _without(work: Work, row: Row, found: Ranking) -> Line:
    """Why a tuned row is held against nothing."""
    if any(row in family.ranked for family in found.families):
        return Line((label(row.stack),), "alone", "no documented mode of its framework has a timing that counts")
    if row.compiled_nothing:
        told = f"it is {plain_mode(work, row.stack)} launched once more"
        return Line((label(row.stack),), "compiled nothing", told)
    return Line((label(row.stack),), words(row.status), row.reason or "its timing may not be ranked")


def _chart(work: Work, seen: Sequence[Pair], key: str) -> Chart:
    """Per pair the interval as a bar, the estimate as a line across it, every pass as a mark."""
    with drawing():
        fig = svg.figure(34.0 * len(seen) + 46)
        axes = svg.area(fig, left=8, right=24, top=4, bottom=38)
        axes.axvline(1.0, color=INK, linewidth=1, zorder=1)
        for y, p in enumerate(seen):
            stack = p.tuned.stack
            colour = svg.colour(stack)
            if p.found.low is not None and p.found.high is not None:
                axes.plot([p.found.low, p.found.high], [y, y], color=colour, linewidth=4, alpha=0.5, zorder=2)
            axes.plot([p.found.ratio] * 2, [y - 0.16, y + 0.16], color=colour, linewidth=2, zorder=3)
            axes.scatter(
                p.ratios, [y] * len(p.ratios), marker=svg.marker(stack), s=24, color=colour,
                edgecolor=SHEET, linewidth=0.7, zorder=4, clip_on=False,
            )  # fmt: skip
            place = axes.get_yaxis_transform()
            against = label(p.plain.stack).removeprefix(f"{stack.known.framework} ")
            name = svg.short(f"{label(stack)} against {against}", 60)
            axes.text(0, y - 0.25, name, va="bottom", ha="left", transform=place)
        ends = [x for p in seen for x in (*p.ratios, p.found.ratio, p.found.low, p.found.high) if x is not None]
        low, high = min([0.98, *ends]), max([1.02, *ends])
        if high > FAR * low:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set(xlim=(low / 1.02, high * 1.02), ylim=(len(seen) - 0.6, -0.9), ylabel="")
        axes.set_xlabel("step time over that of the documented mode")
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        caption = "Marks: every pass; upright: the estimate; bar: its interval. Left of the line: tuning pays."
        return Chart("Tuned against documented modes", caption, svg.inline(fig, key, f"{TITLE}: {work.title}"))
