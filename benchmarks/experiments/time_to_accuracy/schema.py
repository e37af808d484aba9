"""What the part ``time_to_accuracy`` finds for one stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.experiments import typed
from benchmarks.experiments.time_to_accuracy.survival import Time, median
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Sample, Strict, field
from benchmarks.workload.metrics import METRICS

TITLE = "Time to accuracy"
QUESTION = "seconds and steps to a target declared beforehand, on validation data, over several seeds"
LEAST_SEEDS = 5  # with fewer an answer is provisional: nothing is compared


def is_reached(metric: str, value: float | None, target: float) -> bool:
    """Whether ``value`` of the metric of that name is as good as the target; None, a value not finite, never is."""
    if value is None:
        return False
    return value <= target if METRICS[metric].lower else value >= target


class Point(Strict):
    steps: int = field("training steps taken", gt=0)
    seconds: float = field("seconds of building and training so far; import and evaluation excluded", gt=0)
    metric: float | None = field("metric on the validation data in evaluation mode; None when not finite")


class Training(Sample):
    """One training in a fresh process with empty compile caches; it ends at the first evaluation that reaches."""

    seed: int = field("of initial weights and sample order")
    build_seconds: float = field("building model and optimiser and loading the shared weights; part of seconds", gt=0)
    evaluation_seconds: float = field("of all evaluations together, the clock of seconds stopped", gt=0)
    points: list[Point] = field("every evaluation, in order", min_length=1)

    @property
    def seconds(self) -> float:
        return self.points[-1].seconds


class Value(Strict):
    recipe: str = field("declared recipe that trained")
    metric: str = field("name of the metric")
    target: float = field("declared value of the metric that is to be reached")
    validation_examples: int = field("training examples (images, words) held out to judge; never test data", gt=0)
    every: int = field("steps between evaluations: no time is known more closely", gt=0)
    steps: int = field("steps of the recipe on the rest; a training that has not reached by then is censored", gt=0)
    provisional: bool = field("whether fewer than five seeds trained: then nothing is concluded")
    trainings: list[Training] = field("one per seed", min_length=1)

    def reached(self, training: Training) -> bool:
        return is_reached(self.metric, training.points[-1].metric, self.target)

    @property
    def step_times(self) -> list[Time]:
        """Steps to the target, by seed."""
        return [Time(value=t.points[-1].steps, happened=self.reached(t)) for t in self.trainings]

    @property
    def second_times(self) -> list[Time]:
        """Seconds to the target, by seed."""
        return [Time(value=t.points[-1].seconds, happened=self.reached(t)) for t in self.trainings]

    @property
    def count_reached(self) -> int:
        return sum(map(self.reached, self.trainings))


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    own = [d for d in result.declared if d.place == answer.place]
    declared: dict[str, Any] = own[0].declaration if own else {"recipes": [], "metric": None}
    recipe: dict[str, Any] = next((r for r in declared["recipes"] if r["name"] == value.recipe), {})
    target = recipe.get("target") or {}
    if value.metric != declared["metric"] or value.target != target.get("value"):
        yield f"it trained to {value.metric} {value.target}, declared is {declared['metric']} {target.get('value')}"
    if value.recipe != result.options.recipe:
        yield f"it trained the recipe {value.recipe}, the run's is {result.options.recipe}"
    seeds = [t.seed for t in value.trainings]
    if seeds != list(range(result.options.seed, result.options.seed + len(seeds))):
        yield f"its seeds are {seeds}"
    if value.provisional != (len(seeds) < LEAST_SEEDS):
        yield f"it has {len(seeds)} seeds and {'is' if value.provisional else 'is not'} called provisional"
    for training in value.trainings:
        yield from (f"seed {training.seed}: {violation}" for violation in _course(value, training))


def _course(value: Value, training: Training) -> Iterator[str]:
    steps, seconds = [p.steps for p in training.points], [p.seconds for p in training.points]
    planned = [min(value.every * (i + 1), value.steps) for i in range(len(steps))]
    if steps != planned:
        yield f"evaluated after {steps} steps, planned were {planned}"
    if [training.build_seconds, *seconds] != sorted([training.build_seconds, *seconds]):
        yield "its clock went backwards"
    if any(is_reached(value.metric, p.metric, value.target) for p in training.points[:-1]):
        yield "it went on after it had reached the target"
    if not value.reached(training) and steps[-1] != value.steps:
        yield "it ended before its recipe without reaching the target"


def words(value: Value) -> str:
    metric, count = METRICS[value.metric], len(value.trainings)
    text = f"{metric.name} {metric.text(value.target)} reached by {value.count_reached} of {count} seeds"
    steps, seconds = median(value.step_times), median(value.second_times)
    if steps is not None and seconds is not None:
        text += f", median {steps:,.0f} steps, {seconds:,.1f} s"
    hit = sum(t.disturbed for t in value.trainings)
    aside = [f"at most {value.steps:,} steps"] + ([f"{hit} of {count} trainings disturbed"] if hit else [])
    aside += [f"provisional, {count} seed{'s' if count > 1 else ''}"] if value.provisional else []
    return text + f" ({'; '.join(aside)})"
