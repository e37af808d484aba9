"""Times of which some are only known to be longer: trainings that ended without reaching their target.

The product-limit estimator of Kaplan and Meier (1958), and an interval of the median from order statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.analysis.ratios import median_rank


@dataclass(frozen=True, kw_only=True)
class Time:
    """``value``: when it happened, or, where it did not, until when it had not (censored)."""

    value: float
    happened: bool


def waiting(times: Sequence[Time]) -> list[tuple[float, float]]:
    """Each value at which something happened, ascending, and the share still waiting after it."""
    from scipy.stats import CensoredData, ecdf

    seen, censored = ([t.value for t in times if t.happened == which] for which in (True, False))
    share = ecdf(CensoredData(uncensored=seen, right=censored)).sf  # who is censored at a value was still there
    return [(value, float(share.evaluate(value))) for value in sorted(set(seen))]


def median(times: Sequence[Time]) -> float | None:
    """First value after which half or fewer are waiting; None where it was not seen."""
    return next((value for value, share in waiting(times) if share <= 0.5 + 1e-12), None)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Of a median. ``high`` None: no upper end was seen. ``confidence`` is exact where nobody is censored."""

    low: float
    high: float | None
    confidence: float


def median_interval(times: Sequence[Time]) -> Interval:
    """Between two order statistics: the closest with 95 % confidence; of fewer than six the lowest and the highest.

    A censored time counts at its value for the lower end and as endless for the upper one, so the interval is never
    too short.
    """
    rank, confidence = median_rank(len(times))
    low = sorted(t.value for t in times)[rank - 1]
    high = sorted(t.value if t.happened else math.inf for t in times)[-rank]
    return Interval(low=low, high=high if math.isfinite(high) else None, confidence=confidence)
