"""What tuned modes (--tuned) bring over the documented modes of their framework, where a workload has any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.analysis.ratios import PROVISIONAL_BELOW
from benchmarks.schema.results import Row
from reports import numbers as n
from reports.charts import Chart
from reports.parts import Section, uncertified
from reports.parts.strips import Strip, strips
from reports.ranking import Ranking, Versus, versus
from reports.svg import variable
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
        return f"{n.ratio(self.found.ratio)} times as long ({self.found.told})"


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
        caveats.append(f"Provisional: fewer than {PROVISIONAL_BELOW} passes, so there is no interval.")
    return [
        Section(
            TITLE,
            _sentence(seen) or "No tuned mode has a timing that counts beside a documented mode of its framework.",
            charts=[chart] if (chart := _chart(work, seen, key)) else [],
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


def _chart(work: Work, seen: Sequence[Pair], key: str) -> Chart | None:
    """Per pair the interval as a bar, the estimate as a tick across it, every pass as a mark."""
    drawn = []
    for p in seen:
        stack, v = p.tuned.stack, p.found
        against = label(p.plain.stack).removeprefix(f"{stack.known.framework} ")
        interval = None if v.low is None or v.high is None else (v.low, v.high)
        drawn.append(Strip(stack, f"{label(stack)} against {against}", p.ratios, v.ratio, interval=interval))
    title, xlabel = "Tuned against documented modes", "step time over that of the documented mode"
    caption = "Marks: every pass; upright: the estimate; bar: its interval. Left of the line: tuning pays."
    return strips(drawn, key, title, caption, f"{TITLE}: {work.title}", xlabel, ticks=True)
