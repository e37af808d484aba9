"""A workload's metric for people: its name, how it is written, and the best that can be had of it."""

from __future__ import annotations

from dataclasses import dataclass

from reports import numbers as n


@dataclass(frozen=True)
class Measure:
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

    @property
    def title(self) -> str:
        return self.name[:1].upper() + self.name[1:]

    @property
    def direction(self) -> str:
        return " (lower is better)" if self.lower else ""

    @property
    def sign(self) -> str:
        return "÷" if self.ratio else "−"

    def text(self, value: float | None) -> str:
        """Four decimals for a proportion, otherwise four significant digits."""
        return n.metric(value) if self.proportion else n.number(value, 4)

    def bounds(self, low: float | None, high: float | None) -> str:
        if self.proportion or low is None or high is None:
            return n.bounds(low, high)
        return f"{self.text(low)}–{self.text(high)}"

    def span(self, values: list[float]) -> str:
        low, high = self.text(min(values)), self.text(max(values))
        return low if low == high else f"{low}–{high}"

    def distance(self, value: float, aim: float) -> str:
        """``value`` from ``aim``: a signed difference, or a multiple."""
        if self.ratio:
            return f"{n.number(value / aim, 4)}" if aim else ""
        return n.signed(value - aim) if self.proportion else n.difference(value, aim)

    def over(self, value: float | None, bound: float | None) -> str:
        """``1.21 × floor``, for a metric whose distances are multiples."""
        return f"{n.ratio(value / bound)} × {self.bound}" if self.ratio and value is not None and bound else ""


MEASURES = {
    "accuracy": Measure("accuracy", "optimum", "exact posterior on this test set", lower=False, proportion=True),
    "perplexity": Measure("perplexity", "floor", "the source's own, on this test set", lower=True, ratio=True),
    "nce_loss": Measure("NCE loss", "floor", "ideal observer on this test set", lower=True),
}


def measure(metric: object) -> Measure:
    """Of a declaration's ``metric``; results that lack a declaration are of accuracy."""
    name = "accuracy" if metric is None else str(metric)
    other = Measure(name.replace("_", " "), "optimum", "best possible on this test set", lower=None)
    return MEASURES.get(name, other)
