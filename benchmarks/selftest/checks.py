"""A promise, how often it was kept, and whether that is enough."""

from __future__ import annotations

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
        """The 95 % Wilson interval of the share."""
        from scipy.stats import binomtest

        low, high = binomtest(self.count, self.trials).proportion_ci(method="wilson")
        return float(low), float(high)

    @property
    def bound(self) -> str:
        if self.low <= 0 and self.high >= 1:
            return "told only"
        if self.low > 0 and self.high < 1:
            return f"{self.low:.0%} to {self.high:.0%}"
        return f"≥ {self.low:.0%}" if self.low > 0 else f"≤ {self.high:.0%}"
