"""The schema of what follows from samples: comparisons, rankings, the pilot's decision.

Part of the result schema (:mod:`benchmarks.schema.results`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from benchmarks.schema.samples import OfWorkload, Strict, field

REFERENCE = "reference"  # stands for the declared references in place of a second stack

Verdict: TypeAlias = Literal["faster", "slower", "equivalent", "undecided", "untrustworthy", "provisional"]


class Estimate(Strict):
    """A ratio of two stacks' step times over some of the rounds, and what it alone would say."""

    passes: int = field("passes in which both stacks have such rounds")
    ratio: float = field("geometric mean over passes of the ratio of per-pass median step times", gt=0)
    low: float | None = field("95 % Student-t interval of this ratio for itself; None below 5 passes", default=None)
    high: float | None = field("as low", default=None)
    simultaneous_low: float | None = field(
        "the interval of the verdict, which holds jointly with those of all other pairs of its family; an "
        "end of exactly 1, 1.02 or 1/1.02 is where the step-down procedure cut it off; None below 5 passes",
        default=None,
    )
    simultaneous_high: float | None = field("as simultaneous_low", default=None)
    verdict: Verdict = field("of first against second; provisional below 5 passes")
    negligible: bool = field("faster or slower, but by less than 2 %", default=False)


class Comparison(OfWorkload):
    """Ratio of two stacks' step times: below 1, ``first`` is faster."""

    first: str = field("Stack.key")
    second: str = field("Stack.key")
    passes: int = field("passes in which both stacks were measured")
    ratio: float = field(
        "geometric mean over passes of the ratio of per-pass median step times, disturbed rounds left out"
    )
    low: float | None = field("95 % Student-t interval of this ratio for itself; None below 5 passes", default=None)
    high: float | None = field("as low", default=None)
    simultaneous_low: float | None = field("as in Estimate", default=None)
    simultaneous_high: float | None = field("as in Estimate", default=None)
    detectable: float | None = field(
        "the smallest ratio above 1 that so many passes would have found with a probability of 90 %, though below 5 "
        "passes no verdict is given; None with a single pass, and below 5 passes in older results",
        default=None,
    )
    verdict: Verdict = field("of first against second; provisional below 5 passes")
    negligible: bool = field("faster or slower, but by less than 2 %", default=False)
    why: str = field("untrustworthy: what speaks against the samples", default="")
    canary: bool = field("both are the same stack: a check that enters no ranking", default=False)
    undisturbed: Estimate | None = field("without the disturbed rounds; None where there were none", default=None)
    everything: Estimate | None = field("with the disturbed rounds; None where there were none", default=None)


class Ranking(OfWorkload):
    """Places of the stacks of one workload that verdicts can tell apart; absent below 5 passes."""

    ranks: dict[str, int] = field("Stack.key -> 1 + the number of stacks that beat it, by more than negligibly")
    best: str | None = field("Stack.key of the one that beats all others; None where first place is shared")
    tuned: bool = field("of the tuned stacks; otherwise of the documented ones", default=False)


class Agreement(OfWorkload):
    """Whether two frameworks learned the same from the same recipe and seeds, by the criterion that it declares."""

    first: str = field("Stack.key of the documented mode that stands for its framework")
    second: str = field("Stack.key, or 'reference': the metrics that the recipe declares for its seeds")
    kind: Literal["seed-locked", "equivalence"] = field(
        "seed-locked: every seed must match; equivalence: the mean over paired seeds, by two one-sided t tests at 5 %"
    )
    seeds: list[int] = field("seeds that both trained to the end")
    difference: float | None = field(
        "of the metric: of the seed that differs most (seed-locked) or the mean (equivalence); of an accuracy first - "
        "second, of any other metric first / second - 1; None without a seed",
        default=None,
    )
    needed: float | None = field(
        "the smallest margin within which these seeds agree; None where it is not judged", default=None
    )
    margin: float = field("the declared margin or tolerance")
    loss_difference: float | None = field(
        "largest relative difference of a seed's mean training loss over all epochs; None where a loss is missing",
        default=None,
    )
    loss_margin: float | None = field("its declared limit; None: not judged by losses", default=None)
    verdict: Literal["agree", "differ", "not shown", "not judged"] = field(
        "not shown: the seeds vary too much to tell; not judged: too few seeds, or another batch size than declared"
    )
    why: str = field("empty when they agree; otherwise what speaks against it or what it would need", default="")


class Pilot(OfWorkload):
    """How many passes of a workload followed from its first ones."""

    pilot: int = field("passes looked at")
    stacks: int = field("stacks measured in all of them")
    spread: float | None = field("pooled standard deviation, within stacks, of log step seconds over passes")
    upper: float | None = field("its upper 80 % confidence limit, which the number of passes is for")
    needed: int | None = field(
        "passes that find a ratio of 1.05 between two stacks of average spread with a probability of 90 %; None: more "
        "than the most"
    )
    passes: int = field("passes decided on")
    most_passes: int = field("passes that the rule decides on at most", default=20)

    @property
    def words(self) -> str:
        """Return the decision in a sentence without its full stop."""
        if self.spread is None or self.upper is None:
            return f"{self.passes} passes: no stack was measured in all of the first {self.pilot}"
        seen = f"launches of a stack vary by {self.spread:.1%} (at most {self.upper:.1%}, 80 % confidence)"
        if self.needed is None:
            return f"{self.passes} passes, the most: {seen}, and a difference of 5 % would need more"
        finds = "they find a difference of 5 % between stacks of average spread with 90 % probability"
        return f"{self.passes} passes: {seen}; {finds}"
