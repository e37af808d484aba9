"""From rows to verdicts: every pair of stacks of a workload variant, its ranking, and the canary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from benchmarks.analysis.ratios import (
    FAMILY_ERROR,
    PROVISIONAL_BELOW,
    detectable,
    holm,
    log_ratio,
    ratio,
    verdict,
)
from benchmarks.schema.results import Comparison, Estimate, Ranking, Row, Verdict

LARGEST = 100.0  # log ratios beyond which a number says nothing


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two stacks over the passes they share, as far as they have samples of one kind."""

    first: str
    second: str
    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def judged(self) -> bool:
        return len(self.a) >= PROVISIONAL_BELOW


@dataclass(frozen=True, kw_only=True)
class Judged:
    estimate: Estimate
    detectable: float | None


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of the same workload variant and batch size, in order of appearance."""
    found: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.workload, row.variant, row.batch_size), []).append(row)
    return list(found.values())


def families(rows: Sequence[Row]) -> list[list[tuple[Row, Row]]]:
    """Pairs of one workload variant that are judged together, family by family; the canary is in none.

    Documented stacks with each other, tuned ones with each other, and, for what tuning brings, both within a framework.
    """
    documented, tuned = ([r for r in rows if r.stack.tuned == which and not r.stack.replica] for which in (False, True))
    both = [(a, b) for a in documented for b in tuned if a.stack.kind == b.stack.kind]
    return [list(combinations(documented, 2)), list(combinations(tuned, 2)), both]


def compare_all(rows: Sequence[Row]) -> list[Comparison]:
    """The pairs of rows of the same workload variant, judged by :func:`families`; the canary's pair is judged apart.

    The estimate that is reported leaves disturbed rounds out. Where there were any, the estimate with them is judged
    too, and verdicts that differ make the pair untrustworthy.
    """
    return [comparison for group in groups(rows) for comparison in _compare_group(group)]


def _compare_group(rows: Sequence[Row]) -> list[Comparison]:
    originals = [r for r in rows if not r.stack.replica]
    compared = [comparison for pairs in families(rows) for comparison in _compare_family(pairs)]
    for again in (r for r in rows if r.stack.replica):
        same = [r for r in originals if r.stack.model_copy(update={"replica": again.stack.replica}) == again.stack]
        canary = _compare_family([(r, again) for r in same], canary=True)
        compared = [_held_against(c, canary) for c in compared] + canary
    return compared


def _compare_family(pairs: Sequence[tuple[Row, Row]], *, canary: bool = False) -> list[Comparison]:
    """Comparisons of the pairs that share a pass, their verdicts simultaneous."""
    clean = judge([p for a, b in pairs if (p := undisturbed_pair(a, b))])
    every = judge([p for a, b in pairs if (p := _pair(a, b, set(), clean=False))])
    out = []
    for a, b in pairs:
        names = a.stack.key, b.stack.key
        quiet, whole = clean.get(names), every.get(names)
        headline = quiet or whole
        if headline is None:
            continue
        e = headline.estimate
        changes: dict[str, Any] = {}
        if _differ(a, b) and whole is not None:
            changes = {"undisturbed": quiet.estimate if quiet else None, "everything": whole.estimate}
            word = quiet.estimate.verdict if quiet else "provisional"
            if whole.estimate.verdict != word:
                why = f"{word} without the disturbed rounds, {whole.estimate.verdict} with them"
                changes |= {"verdict": "untrustworthy", "negligible": False, "why": why}
        facts = e.model_dump() | {"detectable": headline.detectable, "canary": canary} | changes
        out.append(Comparison(workload=a.workload, variant=a.variant, first=names[0], second=names[1], **facts))
    return out


def undisturbed_pair(first: Row, second: Row) -> Pair | None:
    """What the verdict of two stacks rests on: passes that did not stay disturbed, without their disturbed rounds."""
    return _pair(first, second, first.disturbed_passes() | second.disturbed_passes(), clean=True)


def _differ(*rows: Row) -> bool:
    """Whether leaving disturbed rounds out changes a sample."""
    return any(row.disturbed_passes() or row.pass_step_seconds() != row.pass_step_seconds(clean=False) for row in rows)


def _pair(first: Row, second: Row, without: set[int], *, clean: bool) -> Pair | None:
    a, b = first.pass_step_seconds(clean=clean), second.pass_step_seconds(clean=clean)
    shared = sorted((a.keys() & b.keys()) - without)
    if not shared:
        return None
    return Pair(
        first=first.stack.key,
        second=second.stack.key,
        a=tuple(a[p] for p in shared),
        b=tuple(b[p] for p in shared),
    )


def judge(pairs: Sequence[Pair], *, error: float = FAMILY_ERROR) -> dict[tuple[str, str], Judged]:
    """Simultaneous verdicts of one family; pairs with too few passes stand outside it and are provisional."""
    out: dict[tuple[str, str], Judged] = {}
    for p in pairs:
        r = ratio(p.a, p.b)
        bare = Estimate(passes=r.passes, ratio=r.ratio, low=r.low, high=r.high, verdict="provisional")
        out[p.first, p.second] = Judged(estimate=bare, detectable=_provisionally(p, error / len(pairs)))
    enough = [p for p in pairs if p.judged]
    if not enough:
        return out
    means, errors, counts = zip(*(log_ratio(p.a, p.b) for p in enough), strict=True)
    degrees = [n - 1 for n in counts]
    family = holm(means, errors, degrees, error=error)
    smallest = detectable(errors, degrees, family.level)
    for i, p in enumerate(enough):
        low, high = float(family.low[i]), float(family.high[i])
        word, negligible = verdict(means[i], bool(family.rejected[i]), low, high)
        changes: dict[str, Any] = {"verdict": word, "negligible": negligible}
        changes |= {"simultaneous_low": math.exp(low), "simultaneous_high": math.exp(high)}
        estimate = out[p.first, p.second].estimate.model_copy(update=changes)
        out[p.first, p.second] = Judged(estimate=estimate, detectable=math.exp(float(smallest[i])))
    return out


def _provisionally(p: Pair, level: float) -> float | None:
    """The ratio that so few passes would find at this level; None with one, or where it is beyond all numbers."""
    _, error, n = log_ratio(p.a, p.b)
    found = float(detectable(error, n - 1, level)) if n > 1 else math.inf
    return math.exp(found) if found < LARGEST else None


def _held_against(c: Comparison, canaries: Iterable[Comparison]) -> Comparison:
    """A verdict that rests on no more than two launches of one stack differ by is untrustworthy.

    A canary that differs negligibly or not at all changes nothing.
    """
    for canary in canaries:
        alarm = canary.verdict in ("faster", "slower") and not canary.negligible
        if alarm and c.verdict in ("faster", "slower", "equivalent"):
            reach = abs(math.log(canary.ratio))
            if abs(math.log(c.ratio)) <= reach:
                why = f"two launches of {canary.first} differ by as much (canary, ratio {canary.ratio:.3f})"
                return c.model_copy(update={"verdict": "untrustworthy", "negligible": False, "why": why})
    return c


def rank_all(rows: Sequence[Row], comparisons: Sequence[Comparison]) -> list[Ranking]:
    """Shared ranks per workload variant, of its documented stacks and of its tuned ones, each among themselves.

    Only of stacks that may be ranked, and none where a verdict is provisional.
    """
    out = []
    for group in groups(rows):
        fit = [r for r in group if may_rank(r) and r.pass_step_seconds()]
        for tuned in (False, True):
            found = rank([r for r in fit if r.stack.tuned == tuned], comparisons)
            out += [found] if found else []
    return out


def rank(rows: Sequence[Row], comparisons: Sequence[Comparison]) -> Ranking | None:
    """Places of the rows of one family; None with fewer than two, and where a verdict is provisional or missing."""
    keys = [row.stack.key for row in rows]
    if len(keys) < 2:
        return None
    of = rows[0]
    place = of.place
    mine = [c for c in comparisons if c.place == place and c.first in keys and c.second in keys]
    if any(c.verdict == "provisional" for c in mine):
        return None
    if len(mine) < len(keys) * (len(keys) - 1) // 2:
        return None  # two of them share no pass
    lost = {key: [c for c in mine if _loses(c, key)] for key in keys}
    first = [key for key in keys if all(any(key in (c.first, c.second) for c in lost[k]) for k in keys if k != key)]
    ranks = {key: 1 + len(c) for key, c in lost.items()}
    best = first[0] if first else None
    return Ranking(workload=of.workload, variant=of.variant, ranks=ranks, best=best, tuned=of.stack.tuned)


def may_rank(row: Row) -> bool:
    """Not the canary, nothing failed, no certificate that did not pass (one not asked for is no failure), and compiled.

    A stack that compiled nothing is the one without a compiler, launched once more.
    """
    sound = row.certificate is None or row.certificate.status == "ok"
    return not row.stack.replica and row.status in ("ok", "interrupted") and sound and not row.compiled_nothing


def _loses(c: Comparison, key: str) -> bool:
    """Whether ``c`` says that ``key`` is slower than the other, by more than negligibly."""
    word: Verdict = "slower" if key == c.first else "faster"
    return key in (c.first, c.second) and c.verdict == word and not c.negligible
