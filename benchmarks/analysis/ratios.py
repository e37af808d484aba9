"""Ratios of step times over passes: intervals, each for itself and simultaneous. The pass is the unit of analysis.

Why Holm over paired t statistics and not a variance pooled over stacks: stacks differ in how much their launches vary.
Simulated with eight equal stacks of which one or two vary three or four times as much as the others, Tukey's range with
a pooled variance called 12 to 15 % of reports different, Holm 4 to 5 %. Where most stacks lie far apart, as they do,
Holm finds a close pair about as often as one t test would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, TypeAlias

import numpy as np

from benchmarks.schema.results import Verdict

PROVISIONAL_BELOW = 5
NEGLIGIBLE = 0.02
BOUND = math.log1p(NEGLIGIBLE)  # the same on both sides of a ratio of 1: 1 / 1.02 to 1.02
CONFIDENCE = 0.95  # of the interval of a ratio for itself
ONE_SIDED = 0.9  # of the two-sided interval whose ends are those of one-sided tests at 5 %
# What the verdicts of one workload may err together. 5 % is the promise; the pilot, which looks at samples to choose
# how many there are, costs up to 0.9 points of it (simulated, two stacks, launches varying by 0.5 to 3 %), and the
# rest is for what is not normal. At 5 % instead of 3 % a run would need 5 to 10 % fewer passes.
FAMILY_ERROR = 0.03
POWER = 0.9  # with which a difference counts as detectable

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """first / second: geometric mean over passes, and the Student-t interval where there are enough passes."""

    passes: int
    ratio: float
    low: float | None
    high: float | None


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Paired by pass; both hold the per-pass median seconds of a step, in the same order of passes."""
    mean, error, n = log_ratio(first, second)
    low = high = None
    if n >= PROVISIONAL_BELOW:
        low, high = t_interval(mean, error, n)
    return Ratio(passes=n, ratio=math.exp(mean), low=low, high=high)


def t_half(error: Any, n: int, confidence: float = CONFIDENCE) -> Any:
    """Half of Student's t interval of a mean of ``n`` values with this standard error, or these."""
    from scipy.stats import t

    return t.ppf(0.5 + confidence / 2, n - 1) * error


def t_interval(mean: float, error: float, n: int) -> tuple[float, float]:
    """Ends of the 95 % Student t interval of a ratio whose logarithm has this mean and standard error over ``n``."""
    half = float(t_half(error, n))
    return math.exp(mean - half), math.exp(mean + half)


def median_rank(n: int) -> tuple[int, float]:
    """Rank, from 1, of the lowest and highest of ``n`` values between which their median lies, and how surely it does.

    The shortest interval with 95 % confidence; of fewer than six values from the lowest to the highest.
    """
    from scipy.stats import binom

    rank = max(1, int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)))
    return rank, 1 - 2 * float(binom.cdf(rank - 1, n, 0.5))


def log_ratio(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, int]:
    """Mean over passes of log(first / second), its standard error (NaN with one pass), and the number of passes."""
    if len(first) != len(second) or not first:
        raise ValueError("both stacks need the same passes, at least one")
    logs = [math.log(a / b) for a, b in zip(first, second, strict=True)]
    n = len(logs)
    return fmean(logs), (stdev(logs) / math.sqrt(n) if n > 1 else math.nan), n


@dataclass(frozen=True, kw_only=True)
class Family:
    """Judgements that hold together; arrays of shape (..., m), logarithms of ratios.

    ``rejected``: where "no difference" is rejected by Holm's step-down procedure, so that the probability of any false
    rejection is at most the family's error, whatever the other ratios are. ``level`` is the error at which each pair
    was tested; a pair that is not rejected but whose interval of that level lies inside the negligible is equivalent.
    ``low`` and ``high`` are Bonferroni's simultaneous intervals, cut down to what the procedure proved beyond them: at
    0 where a difference has only one possible sign, at the bounds of the negligible where a pair is equivalent.
    """

    rejected: np.ndarray[Any, np.dtype[np.bool_]]
    low: Numbers
    high: Numbers
    level: Numbers


def holm(means: Any, errors: Any, degrees: Any, *, error: float = FAMILY_ERROR) -> Family:
    """Holm's procedure over the last axis of mean log ratios (..., m) with standard errors and degrees of freedom."""
    from scipy.stats import rankdata, t

    means, errors, degrees = np.broadcast_arrays(
        np.asarray(means, float), np.asarray(errors, float), np.asarray(degrees, float)
    )
    m = means.shape[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(means == 0, 0.0, np.abs(means) / errors)  # identical passes: 0 / 0 is no difference
    p = 2 * t.sf(statistic, degrees)
    order = np.argsort(p, axis=-1, kind="stable")
    steps = error / np.arange(m, 0, -1)
    passed = np.logical_and.accumulate(np.take_along_axis(p, order, -1) <= steps, axis=-1)
    rejected = np.zeros(p.shape, bool)
    np.put_along_axis(rejected, order, passed, -1)
    ranks = rankdata(p, method="min", axis=-1).astype(int) - 1  # equal evidence, equal level
    left = m - rejected.sum(-1, keepdims=True)
    level = np.where(rejected, steps[ranks], error / np.maximum(left, 1))
    equivalent = ~rejected & (np.abs(means) + t.isf(level / 2, degrees) * errors <= BOUND)
    half = t.isf(error / m / 2, degrees) * errors
    low, high = means - half, means + half
    least = np.where(rejected & (means > 0), 0.0, np.where(equivalent, -BOUND, -np.inf))
    most = np.where(rejected & (means < 0), 0.0, np.where(equivalent, BOUND, np.inf))
    return Family(rejected=rejected, low=np.maximum(low, least), high=np.minimum(high, most), level=level)


def verdict(mean: float, rejected: bool, low: float, high: float) -> tuple[Verdict, bool]:
    """Of one pair of a :class:`Family`, and whether the difference is negligible: inside 1/1.02 to 1.02."""
    inside = -BOUND <= low and high <= BOUND
    if rejected:
        return ("faster" if mean < 0 else "slower"), inside
    return ("equivalent" if inside else "undecided"), False


def detectable(error: Any, degrees: Any, level: Any) -> Any:
    """The smallest log ratio that a two-sided t test finds with a probability of 90 %.

    ``error``: standard error of the mean log ratio; ``level``: of the test. By the noncentral t distribution: the usual
    sum of two t quantiles would promise 90 % and keep 87 %.
    """
    from scipy.special import nctdtrinc
    from scipy.stats import t

    return nctdtrinc(degrees, 1 - POWER, t.isf(np.asarray(level) / 2, degrees)) * error


def margin_needed(differences: Sequence[float]) -> float:
    """The smallest margin within which two one-sided t tests at 5 % put the mean of paired differences."""
    return abs(fmean(differences)) + _one_sided(differences)


def margin_exceeded(differences: Sequence[float], margin: float) -> bool:
    """Whether a one-sided t test at 5 % puts the mean of paired differences beyond the margin."""
    return abs(fmean(differences)) - _one_sided(differences) > margin


def seeds_needed(differences: Sequence[float], margin: float, most: int = 1000) -> int | None:
    """How many pairs with this mean and deviation would lie within the margin; None: the mean alone is too far off."""
    mean, deviation = abs(fmean(differences)), stdev(differences)
    enough = (n for n in range(2, most) if mean + float(t_half(deviation / math.sqrt(n), n, ONE_SIDED)) <= margin)
    return next(enough, None)


def _one_sided(differences: Sequence[float]) -> float:
    n = len(differences)
    if n < 2:
        raise ValueError("agreement needs at least two pairs")
    return float(t_half(stdev(differences) / math.sqrt(n), n, ONE_SIDED))
