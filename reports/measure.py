"""A workload's metric on the page: what :mod:`benchmarks.workload.metrics` says, with titles and ranges."""

from __future__ import annotations

import dataclasses

from benchmarks.workload.metrics import METRICS, Metric, metric
from reports import numbers as n


@dataclasses.dataclass(frozen=True)
class Measure(Metric):
    @property
    def title(self) -> str:
        return self.name[:1].upper() + self.name[1:]

    @property
    def direction(self) -> str:
        return " (lower is better)" if self.lower else ""

    @property
    def sign(self) -> str:
        return "÷" if self.ratio else "−"

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


def measure(declared: object) -> Measure:
    """Of a declaration's ``metric``; results that lack a declaration are of accuracy."""
    return Measure(**dataclasses.asdict(metric(declared)))


MEASURES = {name: measure(name) for name in METRICS}
