"""What to declare after trainings: ranges, references and limits, derived from result files by one protocol.

``python -m benchmarks.analysis.ranges results/accuracy/*.json`` prints them for every recipe that the files train.
docs/PROTOCOL.md, "Accuracy ranges", describes the protocol.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

from benchmarks.analysis.agreement import difference, finished, loss_difference
from benchmarks.schema.results import Result, Training, read
from benchmarks.workload import JUDGING
from benchmarks.workload.metrics import Metric, metric

ERRORS = 3  # standard errors on either side of a range
SAFETY = 3  # a limit is so many times the largest difference seen
LEAST_IMAGES, LEAST_SHARE = 5, 1e-6  # the least limits: rounding on another machine
DECIMALS, DIGITS = 3, 4  # of a proportion's bounds, of other bounds

Key: TypeAlias = tuple[str, str, str]  # workload, variant, recipe


@dataclass
class Trained:
    """Trainings of one recipe as it is declared: stack -> seed -> training. Frameworks are compared, modes are not."""

    measure: Metric
    tests: int
    recipe: dict[str, Any]
    stacks: dict[str, dict[int, Training]] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[Training, Training]]:
        """The same seed in two frameworks, each in the mode that trained from most seeds."""
        most: dict[str, dict[int, Training]] = {}
        for label, seeds in self.stacks.items():
            framework = label.split()[0]
            if len(seeds) > len(most.get(framework, {})):
                most[framework] = seeds
        for one, two in combinations(most.values(), 2):
            yield from ((one[seed], two[seed]) for seed in sorted(one.keys() & two.keys()))

    def values(self, score: str | None = None) -> list[list[float]]:
        """Of the metric, or of another score, for each stack over its seeds."""
        return [
            [value for t in seeds.values() if (value := t.metric if score is None else t.also.get(score)) is not None]
            for seeds in self.stacks.values()
        ]

    def bounds(self, score: str | None = None) -> tuple[float, float]:
        """Lowest to highest, widened by three of the larger of the seeds' deviation and the binomial error."""
        values = self.values(score)
        every = [value for seeds in values for value in seeds]
        share = self.measure.proportion and (score is None or score.startswith("accuracy"))
        mean = fmean(every)
        binomial = math.sqrt(mean * (1 - mean) / self.tests) if share else 0.0
        wider = ERRORS * max(deviation(values), binomial)
        proportion = share or score is not None
        return _outward(min(every) - wider, proportion, math.floor), _outward(max(every) + wider, proportion, math.ceil)

    def tolerance(self) -> float:
        """Of seed-locked metrics."""
        sizes = [abs(difference(a.metric, b.metric, self.measure)) for a, b in self.pairs() if a.metric and b.metric]
        least = LEAST_IMAGES / self.tests if self.measure.proportion else LEAST_SHARE
        return _limit(sizes, least)

    def loss(self) -> float:
        """Of mean training losses."""
        return _limit([d for a, b in self.pairs() if (d := loss_difference(a, b)) is not None], LEAST_SHARE)

    def references(self) -> tuple[float, ...]:
        """The median stack's metric for seeds 0, 1, ... as far as there are some."""
        out: list[float] = []
        stacks = self.stacks.values()
        while values := sorted(t.metric for s in stacks if (t := s.get(len(out))) and t.metric is not None):
            out.append(values[len(values) // 2])
        return tuple(float(f"{value:.10g}") for value in out)


def deviation(values: Sequence[Sequence[float]]) -> float:
    """Of seeds, pooled over stacks: the root of the mean variance of those with two seeds or more."""
    variances = [stdev(seeds) ** 2 for seeds in values if len(seeds) > 1]
    return math.sqrt(fmean(variances)) if variances else 0.0


def _outward(value: float, proportion: bool, towards: Any) -> float:
    decimals = DECIMALS if proportion or not value else DIGITS - 1 - math.floor(math.log10(abs(value)))
    return float(round(towards(round(value * 10**decimals, 6)) / 10**decimals, max(decimals, 0)))


def _limit(sizes: Sequence[float], least: float) -> float:
    """Rounded up to one digit."""
    limit = max(SAFETY * max(sizes, default=0.0), least)
    power = 10.0 ** math.floor(math.log10(limit))
    return float(f"{math.ceil(round(limit / power, 6)) * power:.1g}")


def work(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe as plain JSON types does, without what judges it."""
    return {k: v for k, v in recipe.items() if k not in JUDGING}


def trained(results: Iterable[Result]) -> dict[Key, list[Trained]]:
    """Trainings of documented stacks; recipes of one name that do different work are kept apart."""
    out: dict[Key, list[Trained]] = {}
    for result in results:
        declared = {d.place: d.declaration for d in result.declared}
        tests = {d.place: d.test_examples for d in result.data}
        for row in result.rows:
            seeds, key = finished(row), row.place
            if not seeds or row.stack.tuned or row.accuracy is None or row.batch_size != declared[key]["batch_size"]:
                continue
            recipe = next(r for r in declared[key]["recipes"] if r["name"] == row.accuracy.recipe)
            same = out.setdefault((*key, row.accuracy.recipe), [])
            kept = next((t for t in same if t.recipe == work(recipe)), None)
            if kept is None:
                kept = Trained(metric(declared[key].get("metric")), tests[key], work(recipe))
                same.append(kept)
            kept.stacks.setdefault(row.stack.label, {}).update(seeds)
    return out


def lines(key: Key, found: Trained) -> Iterator[str]:
    """What to declare, ready to be copied."""
    workload, variant, recipe = key
    seeds = sorted({seed for trainings in found.stacks.values() for seed in trainings})
    yield f"{workload}/{variant}, recipe {recipe}: {', '.join(found.stacks)}; seeds {', '.join(map(str, seeds))}"
    every = [value for values in found.values() for value in values]
    apart = deviation(found.values())
    yield f"    # Measured {min(every):.5g} to {max(every):.5g}, seeds' deviation {apart:.2g}."
    low, high = found.bounds()
    yield f"    low={low}, high={high}"
    names = sorted({name for s in found.stacks.values() for t in s.values() for name in t.also})
    for name in names:
        if not name.startswith(("pairs_", "questions")):
            low, high = found.bounds(name)
            yield f'    Beside(score="{name}", low={low}, high={high})'
    yield f"    loss={found.loss()}"
    yield f"    seed-locked: tolerance={found.tolerance()}, references={found.references()}"


def main(paths: Sequence[str]) -> None:
    """Print what to declare from the result files."""
    for key, kept in sorted(trained(read(Path(path)) for path in paths).items()):
        for found in kept:
            print("\n".join(lines(key, found)))


if __name__ == "__main__":
    main(sys.argv[1:])
