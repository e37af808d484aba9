"""What the part ``sweep_threads`` finds for one stack."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import TimedLaunch, doubts, mean_step
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Status, Strict, field
from benchmarks.workload.metrics import number

TITLE = "Threads"
QUESTION = "how training scales from one thread to all of the run's, on a CPU"


class Count(Strict):
    """One number of threads, each bound to a CPU of its own."""

    threads: int = field("threads, and CPUs that the worker was bound to", gt=0)
    status: Status = field("the first launch that failed decides")
    reason: str = field("empty when ok", default="")
    launches: list[TimedLaunch] = field("fresh processes, taken in turns with those of other counts")

    @property
    def step_seconds(self) -> float:
        return mean_step(self.launches)

    @property
    def spoilt(self) -> bool:
        """Whether a launch of it was disturbed so much that no verdict may rest on it."""
        return any(la.spoilt for la in self.launches)

    @property
    def doubts(self) -> str:
        """As :func:`benchmarks.experiments.quiet.doubts`."""
        return doubts([la.blocks for la in self.launches], settled=all(la.settled for la in self.launches))


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    counts: list[Count] = field("1, 2, 4 and so on up to the run's threads, fewest first")

    @property
    def measured(self) -> list[Count]:
        return [c for c in self.counts if c.status == "ok"]

    @property
    def speed_ups(self) -> dict[int, float]:
        """Threads -> step time with one thread over step time with so many; empty where one was not measured."""
        steps = {c.threads: c.step_seconds for c in self.measured}
        return {threads: steps[1] / step for threads, step in steps.items()} if 1 in steps else {}

    @property
    def efficiencies(self) -> dict[int, float]:
        """Threads -> speed-up per thread: 1 is ideal."""
        return {threads: gain / threads for threads, gain in self.speed_ups.items()}


def counts(most: int) -> list[int]:
    """1, 2, 4, ... and ``most`` itself."""
    return sorted({most, *(2**k for k in range(most.bit_length()) if 2**k <= most)})


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    if [c.threads for c in value.counts] != counts(result.options.threads):
        yield f"its counts are not 1, 2, 4 and so on up to the run's {result.options.threads}"
    if answer.stack.split(":")[2] != "cpu":
        yield "threads of a stack that does not run on a CPU"
    if not value.measured:
        yield "it is ok without a single count measured"
    for c in value.counts:
        if (c.status == "ok") == bool(c.reason):
            yield f"{c.threads} threads: a reason belongs to every status but ok"
        if c.status == "ok" and not c.launches:
            yield f"{c.threads} threads: ok without a launch"


def words(value: Value) -> str:
    steps = ", ".join(f"{c.threads}: {number(c.step_seconds * 1e3)} ms" for c in value.measured)
    gains = value.speed_ups
    text = f"step by threads {steps}"
    if len(gains) > 1:
        most = max(gains)
        text += f"; {number(gains[most])} times as fast on {most}, {value.efficiencies[most]:.0%} of ideal"
    text += "".join(f"; {c.threads} threads: mostly disturbed" for c in value.measured if c.spoilt)
    return text + "".join(f"; {c.threads} threads {c.status}" for c in value.counts if c.status != "ok")
