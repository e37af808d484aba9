"""What the part ``break_even`` finds for one stack: the raw course of its launches.

Where the courses of two stacks cross is derived by :mod:`benchmarks.parts.break_even.curves`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Literal

from benchmarks.answers import Answer
from benchmarks.results import Result
from benchmarks.samples import Strict, field

TITLE = "Compile break-even"
QUESTION = "after how many steps compiling has paid for itself, with cold and with warm caches"


class Launch(Strict):
    """One fresh process: what a training run pays from building the model on, the import left out."""

    caches: Literal["cold", "warm"] = field("cold: an empty cache folder of its own; warm: that of a cold launch")
    cached_files: int = field("files in the cache folder at the start; 0 warm: the stack keeps nothing there", ge=0)
    build_seconds: float = field("building model and optimiser, loading the shared weights, placing data", gt=0)
    step_seconds: list[float] = field("each of the first steps, synchronised; compiling included", min_length=3)
    evaluation_seconds: list[float] = field(
        "two predictions one after the other on another batch size than the trained one, right after step_seconds; "
        "the first with whatever it traces or compiles",
        min_length=2,
        max_length=2,
    )
    window_steps: int = field("steps per window, from then on", gt=0)
    window_seconds: list[float] = field("each window, synchronised at its end", min_length=2)

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


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = answer.typed
    if value.evaluation_batch == value.batch_size:
        yield "it evaluated with the batch size that it trained"
    if any(launch.cached_files for launch in value.of("cold")):
        yield "a launch called cold found files in its cache"
    for launch in value.launches:
        if any(seconds <= 0 for seconds in [*launch.step_seconds, *launch.evaluation_seconds, *launch.window_seconds]):
            yield "a clock stood still"
    counts = Counter(launch.caches for launch in value.launches)
    place = (answer.part, answer.workload, answer.variant)
    for other in result.answers:
        if (other.part, other.workload, other.variant) != place or other.status != "ok":
            continue
        if Counter(launch.caches for launch in other.typed.launches) != counts:
            yield f"its launches do not pair with those of {other.stack}"


def words(value: Value) -> str:
    told = []
    for caches in ("cold", "warm"):
        if launches := value.of(caches):
            first = median(launch.build_seconds + launch.step_seconds[0] for launch in launches)
            told.append(f"{first:.3g} s {caches}")
    steady = median(launch.steady_seconds for launch in value.launches)
    return f"until the first step is done {' or '.join(told)}, later {1e3 * steady:.3g} ms a step"
