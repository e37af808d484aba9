"""How many passes a workload needs, from its first three.

The rule of Kalibera and Jones (2013) in short: spend launches where the variance is. It is given the variances of
single stacks and never a ratio between two, so that it cannot stop when a difference happens to look large.

It plans for their mean, so the promise is to a pair of average spread. Pairs that vary more are found less often: with
six stacks that vary by 0.5 % and two by 2 %, a difference of 5 % between the two is found in 48 %, between one of them
and a calm one in 76 %. What a run could have found stands beside each verdict and is of that very pair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean, variance

from benchmarks.analysis.ratios import FAMILY_ERROR, PROVISIONAL_BELOW, detectable
from benchmarks.analysis.verdicts import families
from benchmarks.schema.results import Options, Pilot, Row

PASSES = 3  # of the pilot
LEAST, MOST = PROVISIONAL_BELOW, 30
MOST_BEFORE = 20  # in results without ``most_passes``; docs/PROTOCOL.md has what it left unfound
DETECT = 0.05  # the difference to be found with 90 % probability between stacks of average spread
TYPICAL_SPREAD = (
    0.02  # of log step seconds over launches of one stack (1 to 4 % was measured), until it is known better
)
ASSURANCE = 0.8  # the variance is itself uncertain: plan for its upper confidence limit


@cache
def largest_spreads(pairs: int) -> dict[int, float]:
    """Passes -> the standard deviation of log step seconds over launches up to which they suffice for ``pairs``."""
    return {
        n: math.log1p(DETECT) / float(detectable(math.sqrt(2 / n), n - 1, FAMILY_ERROR / pairs))
        for n in range(LEAST, MOST + 1)
    }


def passes_needed(spread: float, *, pairs: int) -> int | None:
    """Passes after which one of ``pairs`` of stacks that differs by 5 % is found so with a probability of 90 %.

    ``spread`` is the standard deviation of each one's log step seconds over launches. All pairs are assumed close,
    which is the worst case of Holm's procedure. None: more than the most that are made.
    """
    return next((n for n, largest in largest_spreads(pairs).items() if spread <= largest), None)


@cache
def upper_factor(degrees: int) -> float:
    """From a standard deviation with so many degrees of freedom to its upper 80 % confidence limit."""
    from scipy.stats import chi2

    return math.sqrt(degrees / float(chi2.ppf(1 - ASSURANCE, degrees)))


def decide(
    variances: Sequence[float], *, pairs: int | None = None, pilot: int = PASSES, most: int = MOST
) -> tuple[float | None, float | None, int | None, int]:
    """From variances within stacks, each over ``pilot`` passes: (spread, its upper limit, passes needed, passes).

    ``pairs`` are judged together, by default all there are. The spread is the root of the pooled variance. Without a
    variance there is nothing to plan: the least number.
    """
    if not variances:
        return None, None, None, LEAST
    spread = math.sqrt(fmean(variances))
    upper = spread * upper_factor(len(variances) * (pilot - 1))
    pairs = math.comb(len(variances), 2) if pairs is None else pairs
    needed = passes_needed(upper, pairs=max(1, pairs))
    if needed is not None and needed > most:
        needed = None
    return spread, upper, needed, needed or most


def within_variances(rows: Sequence[Row], *, pilot: int = PASSES) -> list[float]:
    """Variance of log step seconds of each stack about its own mean, of stacks measured in every pass of the pilot."""
    seconds = [row.pass_step_seconds() for row in _piloted(rows, pilot)]
    return [variance([math.log(found[p]) for p in range(pilot)]) for found in seconds]


def _piloted(rows: Sequence[Row], pilot: int) -> list[Row]:
    return [r for r in rows if not r.stack.replica and r.pass_step_seconds().keys() >= set(range(pilot))]


def judge_pilot(rows: Sequence[Row], *, pilot: int, most: int = MOST) -> Pilot:
    """The decision for the rows of one workload variant, for its largest family of pairs."""
    variances = within_variances(rows, pilot=pilot)
    pairs = max(map(len, families(_piloted(rows, pilot))))
    spread, upper, needed, passes = decide(variances, pairs=pairs, pilot=pilot, most=most)
    return Pilot(
        workload=rows[0].workload,
        variant=rows[0].variant,
        pilot=pilot,
        stacks=len(variances),
        spread=spread,
        upper=upper,
        needed=needed,
        passes=passes,
        most_passes=most,
    )


def total(options: Options, decided: Pilot | None) -> int:
    """Passes of a workload variant: fixed, or decided; before the decision those of the pilot."""
    if options.pilot is None:
        return options.passes
    return decided.passes if decided else options.pilot


def replacements(rows: Sequence[Row], passes: int) -> int:
    """1 where one of the decided passes stayed disturbed and so counts for no verdict, otherwise 0: made once."""
    return int(any(index < passes for row in rows for index in row.disturbed_passes()))
