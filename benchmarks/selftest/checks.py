"""A promise, how often it was kept, and whether that is enough."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """``count`` of ``trials`` did what ``what`` says; their share must lie within ``low`` and ``high``."""

    part: str
    what: str
    count: int
    trials: int
    low: float = 0.0
    high: float = 1.0
    detail: str = ""

    @property
    def share(self) -> float:
        return self.count / self.trials

    @property
    def passed(self) -> bool:
        return self.low <= self.share <= self.high

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.count, self.trials)

    @property
    def bound(self) -> str:
        if self.low <= 0 and self.high >= 1:
            return "told only"
        if self.low > 0 and self.high < 1:
            return f"{self.low:.0%} to {self.high:.0%}"
        return f"≥ {self.low:.0%}" if self.low > 0 else f"≤ {self.high:.0%}"


def wilson(count: int, trials: int, *, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % Wilson interval of a proportion."""
    if trials < 1 or not 0 <= count <= trials:
        raise ValueError(f"{count} of {trials} is no proportion")
    p, n = count / trials, trials
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
