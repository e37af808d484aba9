"""Whether stacks reach the target at different times, by seed: the same seed has the same weights and sample order.

Ratios by t tests on logarithms, Holm's procedure over all pairs. Intervals that overlap are no equality: two stacks
are equal only where two one-sided t tests put their ratio within the margin. No time is known more closely than the
distance of two evaluations, so that distance is taken off the margin, and a difference that it can hide is none. Pure
functions of answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Literal, TypeAlias

from benchmarks.analysis.ratios import holm, log_ratio, margin_needed
from benchmarks.experiments.quiet import quiet
from benchmarks.experiments.time_to_accuracy.schema import LEAST_SEEDS, Training, Value

MARGIN = 0.10  # equal: the ratio within 1/1.1 to 1.1
ERROR = 0.05  # of all verdicts of one unit together

Unit: TypeAlias = Literal["seconds", "steps"]
Verdict: TypeAlias = Literal["sooner", "later", "equal", "undecided", "disturbed"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """``ratio``: time of ``first`` over that of ``second``, geometric mean over ``seeds`` of them, and its
    simultaneous interval; the verdict is on ``first``. Disturbed: no verdict, and the ratio is of all seeds.
    """

    first: str
    second: str
    seeds: int
    ratio: float
    low: float
    high: float
    verdict: Verdict


def comparable(values: Mapping[str, Value]) -> list[str]:
    """Stacks with enough seeds, of which every one reached the target: of others the time is not known."""
    return [s for s, v in values.items() if not v.provisional and v.count_reached == len(v.trainings)]


def compare(values: Mapping[str, Value], unit: Unit) -> list[Pair]:
    """Every pair of comparable stacks with enough seeds in common.

    Steps do not depend on who else uses the machine; seconds of seeds in which either was disturbed are left out, and
    where fewer than half would remain there is no verdict.
    """
    found = []
    for first, second in combinations(comparable(values), 2):
        seeds = _paired(values[first], values[second])
        if len(seeds) < LEAST_SEEDS:
            continue
        hit = [unit == "seconds" and (a.disturbed or b.disturbed) for a, b in seeds]
        seeds, trusted = quiet(seeds, hit)
        both = [[getattr(t.points[-1], unit) for t in side] for side in zip(*seeds, strict=True)]
        hidden = fmean(max(_slack(a, unit), _slack(b, unit)) for a, b in seeds)
        needed = margin_needed([math.log(a / b) for a, b in zip(*both, strict=True)]) + hidden
        found.append((first, second, log_ratio(*both), trusted, hidden, needed <= math.log1p(MARGIN)))
    if not found:
        return []
    means, errors, counts = zip(*(f[2] for f in found), strict=True)
    family = holm(means, errors, [count - 1 for count in counts], error=ERROR)
    out = []
    for i, (first, second, (mean, _, count), trusted, hidden, equal) in enumerate(found):
        apart: Verdict = "sooner" if mean < 0 else "later"
        seen = family.rejected[i] and abs(mean) > hidden
        judged: Verdict = apart if seen else "equal" if equal else "undecided"
        out.append(
            Pair(
                first=first,
                second=second,
                seeds=count,
                ratio=math.exp(mean),
                low=math.exp(float(family.low[i])),
                high=math.exp(float(family.high[i])),
                verdict=judged if trusted else "disturbed",
            )
        )
    return out


def _paired(first: Value, second: Value) -> list[tuple[Training, Training]]:
    others = {t.seed: t for t in second.trainings}
    return [(t, others[t.seed]) for t in first.trainings if t.seed in others]


def _slack(training: Training, unit: Unit) -> float:
    """How far below the logarithm of the time that was seen the true one may lie: back to the evaluation before."""
    if len(training.points) > 1:
        earlier = getattr(training.points[-2], unit)
    else:
        earlier = training.build_seconds if unit == "seconds" else 0
    return math.log(getattr(training.points[-1], unit) / earlier) if earlier else math.inf
