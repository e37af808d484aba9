"""The ranking of one :class:`Work`, and how each stack stands to the one measured fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from benchmarks.analysis import verdicts
from benchmarks.analysis.ratios import CONFIDENCE, FAMILY_ERROR, PROVISIONAL_BELOW
from benchmarks.schema.results import Row
from reports import numbers
from reports.work import Work

TUNED = "Tuned"  # title of the family
MOST = 100  # times: where a run finds no more than that, it finds nothing, and how far from it tells no more
JOINT = f"{100 * (1 - FAMILY_ERROR):.0f} %"  # what simultaneous intervals hold with, all together
ALONE = f"{100 * CONFIDENCE:.0f} %"  # a pair's own interval
Standing: TypeAlias = Literal["settled", "shared", "provisional", "alone", "nothing", "untimed"]


@dataclass(frozen=True)
class Versus:
    """One stack against the one measured fastest: ratio of step times, above 1 is slower.

    ``low`` and ``high`` hold jointly for all pairs of the workload where the result says so, otherwise for this one:
    ``kind`` says which, and with what confidence.
    ``detectable`` is the smallest ratio that the run would have found with a probability of 90 %.
    """

    ratio: float
    low: float | None
    high: float | None
    word: str
    detectable: float | None = None
    why: str = ""
    kind: str = f"{ALONE} interval"

    @property
    def beaten(self) -> bool:
        return self.word == "slower" and self.low is not None and self.low >= 1

    @property
    def near(self) -> bool:
        """Whether the two differ by less than 2 %, for sure."""
        return self.word in ("equivalent", "negligibly slower", "negligibly faster")

    @property
    def finds(self) -> str:
        """The smallest difference that would have been found: ``3.1 %``."""
        if self.detectable is None:
            return ""
        return size(self.detectable)

    @property
    def interval(self) -> str:
        return "" if self.low is None or self.high is None else numbers.interval(self.low, self.high)

    @property
    def within(self) -> str:
        """The interval with its kind: ``joint 97 % interval 1.02 to 1.05``; empty without one."""
        return f"{self.kind} {self.interval}" if self.interval else ""

    @property
    def told(self) -> str:
        """``joint 97 % interval 1.02 to 1.05, slower``."""
        return ", ".join(filter(None, [self.within, self.word]))


def size(ratio: float) -> str:
    """A detectable ratio as a difference, ``3.1 %``; from twice as long on as ``2.4 times``, to ``over 100 times``."""
    if ratio > MOST:
        return f"over {MOST} times"
    return f"{numbers.number((ratio - 1) * 100, 2)} %" if ratio < 2 else f"{numbers.number(ratio, 2)} times"


@dataclass(frozen=True)
class Ranking:
    """One family of stacks: the documented ones, or the tuned ones, which are never ranked together.

    ``ranked`` is in order of throughput, after those that no other beats, which are ``sharing``; ``timed`` are stacks
    with a timing that may not be ranked, ``tuned`` is the family that stands beside the documented one. ``title`` is
    empty for results from before there were two.
    """

    title: str
    standing: Standing
    ranked: tuple[Row, ...]
    timed: tuple[Row, ...]
    untimed: tuple[Row, ...]
    against: dict[str, Versus]
    passes: int
    sharing: tuple[Row, ...] = ()
    tuned: Ranking | None = None

    @property
    def families(self) -> tuple[Ranking, ...]:
        return (self,) if self.tuned is None else (self, self.tuned)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every stack of both families with a timing."""
        return tuple(row for family in self.families for row in (*family.ranked, *family.timed))

    @property
    def without(self) -> tuple[Row, ...]:
        """Every stack of both families without one."""
        return tuple(row for family in self.families for row in family.untimed)


def rank(work: Work) -> Ranking:
    """Rank the documented stacks, and the tuned ones apart; where there are only tuned ones, these."""
    documented, tuned = ([r for r in work.rows if r.stack.tuned == which] for which in (False, True))
    before = work.result.verdict_rule < 3  # nobody had asked whether a stack is as its framework's guide has it
    title = "As documented" if not before else "Ordinary modes" if tuned else ""
    if not documented and tuned:
        return _rank(work, tuned, TUNED)
    found = _rank(work, documented, title)
    return replace(found, tuned=_rank(work, tuned, TUNED)) if tuned else found


def _rank(work: Work, rows: Sequence[Row], title: str) -> Ranking:
    steps = {r.stack.key: s for r in rows if (s := r.step_seconds()) is not None}
    timed = sorted((r for r in rows if r.stack.key in steps), key=lambda r: steps[r.stack.key])
    fit = [r for r in timed if verdicts.may_rank(r)]
    places = verdicts.rank(fit, work.result.comparisons)
    ranked = tuple(sorted(fit, key=lambda r: places is not None and places.ranks[r.stack.key] > 1))
    base = ranked[0] if ranked else timed[0] if timed else None
    against = {r.stack.key: versus(work, r, base) for r in timed if base is not None and r is not base}
    standing: Standing = "provisional" if places is None else "settled" if places.best else "shared"
    if len(ranked) < 2:
        standing = "alone" if ranked else "nothing"
    return Ranking(
        title=title,
        standing=standing,
        ranked=ranked,
        timed=tuple(r for r in timed if r not in ranked),
        untimed=tuple(r for r in rows if r.stack.key not in steps),
        against=against,
        passes=min((len(r.pass_step_seconds()) for r in ranked), default=0),
        sharing=tuple(r for r in ranked if places and places.ranks[r.stack.key] == 1),
    )


def versus(work: Work, row: Row, base: Row) -> Versus:
    """What the result stores of ``row`` against ``base``; the bare ratio where it stores nothing."""
    stored = work.comparison(row, base)
    if stored is not None:
        low, high = stored.simultaneous_low or stored.low, stored.simultaneous_high or stored.high
        word = f"negligibly {stored.verdict}" if stored.negligible else stored.verdict
        kind = f"{ALONE} interval"
        if stored.simultaneous_low is not None:  # the canary's pair is judged by itself
            kind = f"{JOINT} interval" if stored.canary else f"joint {JOINT} interval"
        return Versus(stored.ratio, low, high, word, stored.detectable, stored.why, kind)
    mine, theirs = row.step_seconds(), base.step_seconds()
    assert mine is not None and theirs is not None
    few = _passes(row, base) < PROVISIONAL_BELOW
    return Versus(mine / theirs, None, None, "provisional" if few else "not compared")


def _passes(*rows: Row) -> int:
    return min(len(r.pass_step_seconds()) for r in rows)
