"""What the part ``energy`` finds for one stack."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.experiments import typed
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Sample, Strict, field

TITLE = "Energy"
QUESTION = "joules per thousand samples by the energy counters of GPU and processor, idle power shown"
LEAST = 30.0  # seconds of a window: counters of GPUs are renewed every 20 to 100 ms and see a part of the time


class Reading(Strict):
    """What was counted in a stretch of a window."""

    seconds: float = field("wall seconds since the reading before", gt=0)
    joules: dict[str, float] = field("counter -> joules since the reading before")


class Window(Sample):
    readings: list[Reading] = field("about one a second", min_length=1)
    other_gpu_processes: int | None = field(
        "on a GPU: most processes beside this worker that NVML saw there at either end of the window; None on a CPU "
        "and where NVML does not tell",
        ge=0,
    )

    @property
    def seconds(self) -> float:
        return sum(reading.seconds for reading in self.readings)

    @property
    def joules(self) -> dict[str, float]:
        """By counter."""
        names = self.readings[0].joules
        return {name: sum(reading.joules[name] for reading in self.readings) for name in names}

    @property
    def foreign(self) -> bool:
        """Whether its joules are not this stack's alone."""
        return self.disturbed or bool(self.other_gpu_processes)

    @property
    def watts(self) -> float:
        """Mean power, all counters together."""
        return sum(self.joules.values()) / self.seconds


class Value(Strict):
    batch_size: int = field("samples per step", gt=0)
    items: int = field("what throughput counts, per sample: words of a sequence, otherwise 1", gt=0)
    steps: int = field("training steps in the window under load", gt=0)
    idle: Window = field("this worker resident, model built and warm, doing nothing")
    load: Window = field("training, nothing else resident")

    @property
    def samples(self) -> int:
        return self.steps * self.batch_size * self.items

    @property
    def gross(self) -> float:
        """Joules per thousand samples."""
        return 1000 * sum(self.load.joules.values()) / self.samples

    @property
    def net(self) -> float:
        """Joules per thousand samples beyond what the idle machine would have drawn in the same time."""
        return 1000 * (self.load.watts - self.idle.watts) * self.load.seconds / self.samples

    @property
    def foreign(self) -> bool:
        """Whether others' work lies in one of its windows."""
        return self.idle.foreign or self.load.foreign

    @property
    def short(self) -> bool:
        """Whether a window is shorter than counters need."""
        return min(self.idle.seconds, self.load.seconds) < LEAST


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    names = set(value.load.joules)
    cuda = answer.stack.split(":")[2] == "cuda"
    for word, window in (("idle", value.idle), ("load", value.load)):
        if any(set(reading.joules) != names for reading in window.readings):
            yield f"its counters change within the {word} window or between windows"
        elif any(joules < 0 for reading in window.readings for joules in reading.joules.values()):
            yield f"a counter of the {word} window counted backwards"
        elif not all(joules > 0 for joules in window.joules.values()):
            yield f"a counter of the {word} window did not move"
        if window.other_gpu_processes is not None and not cuda:
            yield f"its {word} window tells of processes on a GPU"
    if not names:
        yield "it read no counter"
    if ("GPU" in names) != cuda:
        yield f"its counters are {', '.join(sorted(names))}"
    if value.short and result.options.profile != "smoke":
        yield f"its windows are shorter than {LEAST:.0f} s"


def words(value: Value) -> str:
    text = f"{value.gross:.3g} J per 1,000 samples, {value.net:.3g} J beyond idle"
    text += f" ({value.load.watts:.3g} W training, {value.idle.watts:.3g} W idle; {', '.join(value.load.joules)})"
    text += "; disturbed: not this stack's energy alone" if value.foreign else ""
    return text + (f"; windows of {value.load.seconds:.1f} s are too short to be quoted" if value.short else "")
