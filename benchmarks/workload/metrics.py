"""A workload's metric for people: its name, its direction, how it is written, and the best that can be had of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

NOTHING = "–"
LEAST = 1e-6  # share that a sentence tells from nothing


@dataclass(frozen=True)
class Metric:
    """``name`` as it stands in a sentence, ``bound`` what the best possible value is called.

    ``lower``: whether less is better; None where nobody said. ``proportion``: a share of the test examples, which has
    a binomial standard error. ``ratio``: differences are told as multiples.
    """

    name: str
    bound: str
    whose: str
    lower: bool | None
    proportion: bool = False
    ratio: bool = False

    def text(self, value: float | None) -> str:
        """Return four decimals for a proportion, otherwise four significant digits."""
        return share(value) if self.proportion else number(value, 4)

    def over(self, value: float | None, bound: float | None) -> str:
        """Return ``1.21 × floor``, for a metric whose distances are multiples."""
        return f"{ratio(value / bound)} × {self.bound}" if self.ratio and value is not None and bound else ""


METRICS = {
    "accuracy": Metric("accuracy", "optimum", "exact posterior on this test set", lower=False, proportion=True),
    "perplexity": Metric("perplexity", "floor", "the source's own, on this test set", lower=True, ratio=True),
    "nce_loss": Metric("NCE loss", "floor", "ideal observer on this test set", lower=True),
}


def metric(declared: object) -> Metric:
    """Return the metric of that name in a declaration; results that lack a declaration are of accuracy."""
    name = "accuracy" if declared is None else str(declared)
    other = Metric(name.replace("_", " "), "optimum", "best possible on this test set", lower=None)
    return METRICS.get(name, other)


def number(value: float | None, digits: int = 3) -> str:
    """Return ``digits`` significant digits, thousands separated; scientific below a thousandth."""
    if value is None:
        return NOTHING
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0.0:
        return "0"
    if abs(rounded) < 1e-3:
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{rounded:,.{decimals(rounded, digits)}f}"


def decimals(value: float, digits: int) -> int:
    """Return how many decimals ``value`` has at so many significant digits."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else digits - 1


def share(value: float | None) -> str:
    """Return four decimals: the resolution of a test set of 10,000, and how the books print it."""
    return NOTHING if value is None else f"{value:.4f}"


def ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else number(value)


def percent(share: float) -> str:
    """Return two significant digits, never in powers of ten; the smallest that is shown is a millionth."""
    if 0 < share < LEAST:
        return "less than 0.0001 %"
    return f"{float(f'{100 * share:.2g}'):.10f}".rstrip("0").rstrip(".") + " %"


def amount(size: float, measure: Metric) -> str:
    """Return a difference in words: points of an accuracy, per cent of any other metric."""
    number = percent(size).removesuffix(" %")
    return f"{number} {'point' if number == '1' else 'points'}" if measure.proportion else f"{number} %"
