"""Times of which some are only known to be longer: trainings that ended without reaching their target.

The product-limit estimator of Kaplan and Meier (1958), and an interval of the median from order statistics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Time:
    """``value``: when it happened, or, where it did not, until when it had not (censored)."""

    value: float
    happened: bool


def waiting(times: Sequence[Time]) -> list[tuple[float, float]]:
    """Each value at which something happened, ascending, and the share still waiting after it."""
    share, out = 1.0, []
    for value in sorted({t.value for t in times if t.happened}):
        at_risk = sum(t.value >= value for t in times)  # who is censored at this very value was still there
        share *= 1 - sum(t.happened and t.value == value for t in times) / at_risk
        out.append((value, share))
    return out


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
    n = len(times)
    rank = 1
    while rank + 1 <= n - rank and _confidence(n, rank + 1) >= CONFIDENCE:
        rank += 1
    lows = sorted(t.value for t in times)
    highs = sorted(t.value if t.happened else math.inf for t in times)
    high = highs[n - rank]
    return Interval(low=lows[rank - 1], high=high if math.isfinite(high) else None, confidence=_confidence(n, rank))


def _confidence(n: int, rank: int) -> float:
    """That the median lies between the ``rank``-th lowest and the ``rank``-th highest of ``n``."""
    beyond: int = sum(math.comb(n, k) for k in range(rank))
    return 1 - 2 * beyond / float(2**n)
