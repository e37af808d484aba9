"""Ratios of step times over passes. The pass is the unit of analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmarks.results import Comparison, Row, Verdict

PROVISIONAL_BELOW = 5
NEGLIGIBLE = 0.02
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """first / second: geometric mean over passes, and the Student-t interval where there are enough passes."""

    passes: int
    ratio: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> Verdict:
        if self.low is None or self.high is None:
            return "provisional"
        if 1 - NEGLIGIBLE <= self.low and self.high <= 1 + NEGLIGIBLE:
            return "equivalent"
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "undecided"


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Paired by pass; both hold the per-pass median seconds of a step, in the same order of passes."""
    if len(first) != len(second) or not first:
        raise ValueError("both stacks need the same passes, at least one")
    logs = [math.log(a / b) for a, b in zip(first, second, strict=True)]
    mean, n = fmean(logs), len(logs)
    low = high = None
    if n >= PROVISIONAL_BELOW:
        from scipy.stats import t

        half = float(t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * stdev(logs) / math.sqrt(n)
        low, high = math.exp(mean - half), math.exp(mean + half)
    return Ratio(passes=n, ratio=math.exp(mean), low=low, high=high)


def compare(first: Row, second: Row) -> Comparison | None:
    """The comparison of two rows of one workload variant over the passes they share; None when they share none."""
    a, b = first.pass_step_seconds(), second.pass_step_seconds()
    shared = sorted(a.keys() & b.keys())
    if not shared:
        return None
    r = ratio([a[p] for p in shared], [b[p] for p in shared])
    return Comparison(
        workload=first.workload,
        variant=first.variant,
        first=first.stack.key,
        second=second.stack.key,
        passes=r.passes,
        ratio=r.ratio,
        low=r.low,
        high=r.high,
        verdict=r.verdict,
    )


def compare_all(rows: Sequence[Row]) -> list[Comparison]:
    """Every pair of rows of the same workload variant, in the order of the rows."""
    pairs = [
        compare(a, b)
        for i, a in enumerate(rows)
        for b in rows[i + 1 :]
        if (a.workload, a.variant, a.batch_size) == (b.workload, b.variant, b.batch_size)
    ]
    return [pair for pair in pairs if pair is not None]


def margin_needed(first: Sequence[float], second: Sequence[float]) -> float:
    """The smallest margin within which two one-sided t tests at 5 % call paired values equivalent."""
    from scipy.stats import t

    differences = [a - b for a, b in zip(first, second, strict=True)]
    n = len(differences)
    if n < 2:
        raise ValueError("agreement needs at least two pairs")
    return abs(fmean(differences)) + float(t.ppf(0.95, n - 1)) * stdev(differences) / math.sqrt(n)
