"""What the part ``break_even`` finds for one stack: the raw course of its launches.

Where the courses of two stacks cross is derived by :mod:`benchmarks.experiments.break_even.curves`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Literal

from benchmarks.experiments import typed
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result, Stack
from benchmarks.schema.run_info import compiled_nothing
from benchmarks.schema.samples import Sample, Strict, field
from benchmarks.workload import DeclarationError
from benchmarks.workload.read_back import read_back

TITLE = "Compile break-even"
QUESTION = "after how many steps compiling has paid for itself, with cold and with warm caches"


class Launch(Sample):
    """One fresh process: what a training run pays from building the model on, the import left out."""

    caches: Literal["cold", "warm"] = field("cold: an empty cache folder of its own; warm: that of a cold launch")
    compiled_graphs: int | None = field(
        "graphs of the step, by the compiler's own count; None where nothing is compiled or, once, nothing was counted",
        default=None,
        ge=0,
    )
    cached_files: int = field("files in the cache folder at the start; 0 warm: the stack keeps nothing there", ge=0)
    build_seconds: float = field("building model and optimiser, loading the shared weights, placing data", gt=0)
    call_steps: int = field("steps of a call: 1, or as many as the mode takes together", gt=0)
    call_seconds: list[float] = field("each of the first calls, synchronised; compiling included", min_length=3)
    evaluation_seconds: list[float] = field(
        "two predictions one after the other on another batch size than the trained one, right after call_seconds; "
        "the first with whatever it traces or compiles",
        min_length=2,
        max_length=2,
    )
    window_steps: int = field("steps per window, from then on, in whole calls", gt=0)
    window_seconds: list[float] = field("each window, synchronised at its end", min_length=2)

    @property
    def seconds(self) -> float:
        """All that was timed."""
        return self.build_seconds + sum(self.call_seconds) + sum(self.evaluation_seconds) + sum(self.window_seconds)

    @property
    def steady_seconds(self) -> float:
        """Of a step, once everything is compiled: median over the later half of the windows."""
        return median(self.window_seconds[len(self.window_seconds) // 2 :]) / self.window_steps


class Value(Strict):
    batch_size: int = field("samples per training step", gt=0)
    evaluation_batch: int = field("rows of a prediction", gt=0)
    epoch_steps: int = field("steps of an epoch of the run's recipe", gt=0)
    launches: list[Launch] = field("cold ones first", min_length=1)

    def of(self, caches: str) -> list[Launch]:
        return [launch for launch in self.launches if launch.caches == caches]

    @property
    def keeps_cache(self) -> bool:
        """Whether cold launches left files for warm ones; otherwise the two kinds do not differ."""
        return any(launch.cached_files for launch in self.of("warm"))


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    if value.evaluation_batch == value.batch_size:
        yield "it evaluated with the batch size that it trained"
    if any(launch.cached_files for launch in value.of("cold")):
        yield "a launch called cold found files in its cache"
    if value.keeps_cache and not all(launch.cached_files for launch in value.of("warm")):
        yield "a launch called warm found nothing in its cache, where others found what a cold one had left"
    for launch in value.launches:
        if any(seconds <= 0 for seconds in [*launch.call_seconds, *launch.evaluation_seconds, *launch.window_seconds]):
            yield "a clock stood still"
        if launch.window_steps % launch.call_steps:
            yield "its windows are not whole calls"
    yield from _epoch(result, answer, value)
    counts = Counter(launch.caches for launch in value.launches)
    place = (answer.part, answer.workload, answer.variant)
    for other in result.answers:
        if (other.part, other.workload, other.variant) != place or other.status != "ok":
            continue
        if Counter(launch.caches for launch in typed(other).launches) != counts:
            yield f"its launches do not pair with those of {other.stack}"


def _epoch(result: Result, answer: Answer, value: Value) -> Iterator[str]:
    """Steps of an epoch anew, from the declaration and the data."""
    place = answer.place
    declared = [d.declaration for d in result.declared if d.place == place]
    data = [d for d in result.data if d.place == place]
    if not declared or not data:
        yield "this result does not hold its declaration and data, so nothing tells the steps of an epoch"
        return
    try:
        workload = dataclasses.replace(read_back(declared[0]), batch_size=value.batch_size)
        examples = workload.recipe(result.options.recipe).train_examples or data[0].train_examples
    except DeclarationError as error:
        yield f"the steps of an epoch cannot be told: {error}"
        return
    if value.epoch_steps != (steps := workload.steps(examples)):
        yield f"an epoch of {examples:,} examples has {steps:,} steps, it says {value.epoch_steps:,}"


def declined(stack: Stack, value: Value) -> bool:
    """Whether the compiler of ``stack`` compiled nothing; before graphs were counted, it kept nothing that it keeps."""
    graphs = [launch.compiled_graphs for launch in value.launches]
    if set(graphs) == {None}:
        return stack.known.caches and bool(value.of("warm")) and not value.keeps_cache
    return compiled_nothing(graphs)


def words(value: Value) -> str:
    kinds = {"cold": value.of("cold"), "warm": value.of("warm")}
    if not value.keeps_cache:
        kinds = {"(keeps no cache on disk)": value.launches}
    told = []
    for kind, launches in kinds.items():
        if launches:
            first = median(launch.build_seconds + launch.call_seconds[0] for launch in launches)
            told.append(f"{first:.3g} s {kind}")
    steady = median(launch.steady_seconds for launch in value.launches)
    call = "step is" if value.launches[0].call_steps == 1 else f"{value.launches[0].call_steps} steps are"
    hit = sum(launch.disturbed for launch in value.launches)
    disturbed = f"; {hit} of {len(value.launches)} launches disturbed" if hit else ""
    return f"until the first {call} done {' or '.join(told)}, later {1e3 * steady:.3g} ms a step{disturbed}"
