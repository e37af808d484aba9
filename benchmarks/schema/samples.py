"""The schema of one launch: what a worker's life leaves behind, raw samples included.

Part of the result schema (:mod:`benchmarks.schema.results`). Units are in the field names or descriptions.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Status: TypeAlias = Literal[
    "ok",
    "unavailable",
    "failed",
    "crashed",
    "timeout",
    "out_of_memory",
    "parity_failed",
    "accuracy_failed",
    "interrupted",
]

QUIET_SHARE = 0.5  # of the planned rounds: a pass with fewer quiet ones has no undisturbed estimate


class Strict(BaseModel):
    """Unknown fields are errors; NaN and infinity are not numbers here."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def field(description: str, **kwargs: Any) -> Any:
    return Field(description=description, **kwargs)


class Key(NamedTuple):
    """Which workload, and which of its variants."""

    workload: str
    variant: str

    def __str__(self) -> str:
        return self.workload if self.variant == "default" else f"{self.workload}/{self.variant}"


class OfWorkload(Strict):
    """What is told of one workload variant."""

    workload: str = field("as in Row")
    variant: str = field("as in Row")

    @property
    def place(self) -> Key:
        return Key(self.workload, self.variant)


class Evidence(Strict):
    """What else happened on the machine while something was timed. Fields that a sample of before lacks are None."""

    wall_seconds: float | None = field(
        "wall seconds in which it was counted, which are what others may take a share of; None in results from before "
        "it was kept: the seconds of the sample",
        default=None,
    )
    cpus: int | None = field(
        "CPUs of the stack, which that is a share of; None in results from before it was kept: those of the run",
        default=None,
    )
    foreign_cpu_seconds: float | None = field(
        "busy time of the run's CPUs (without stat_cpus: of all CPUs) minus that of this run's own processes",
        default=None,
    )
    stat_cpus: int | None = field(
        "how many CPUs foreign CPU and steal were counted on; None where they were not, and in results from before "
        "only the run's own were",
        default=None,
    )
    idle_worker_cpu_seconds: float | None = field(
        "CPU time of this run's other workers, which should be idle; None in samples of before, of which only foreign "
        "CPU was kept, or nothing",
        default=None,
    )
    idle_wait_seconds: float = field("time waited before the lead-in for the other workers to fall idle", default=0.0)
    steal_seconds: float | None = field("time the hypervisor gave to others, on the same CPUs", default=None)
    pressure_seconds: float | None = field("growth of the 'some' total of /proc/pressure/cpu", default=None)
    involuntary_switches: int | None = field(
        "involuntary context switches of the timed worker, all threads", default=None
    )
    throttled_seconds: float | None = field(
        "time a container's CPU quota stopped its tasks (cgroup v2); None where there is no quota", default=None
    )
    cpu_throttles: int | None = field(
        "thermal throttling events of the run's CPUs; None where the system does not count them", default=None
    )
    loop_seconds: tuple[float, float] | None = field(
        "seconds of a fixed loop on the slowest of the run's CPUs, just before the lead-in and just after the block; "
        "None where a thread cannot choose its CPU",
        default=None,
    )
    gpu_clock_mhz: float | None = field("SM clock after the block", default=None)
    gpu_temperature_c: float | None = field("GPU temperature after the block", default=None)
    gpu_throttle_reasons: int | None = field("NVML throttle-reason bit mask after the block", default=None)
    gpu_foreign_processes: int | None = field(
        "processes other than this run's that computed on the GPU before or after the block; None where NVML does not "
        "list the timed worker either, as in many containers",
        default=None,
    )
    gpu_throttled_seconds: float | None = field(
        "time within the block for which heat held the GPU's clocks down, by NVML's counter", default=None
    )


class Sample(Strict):
    """Something timed: a block, a call, a launch, a training, a window."""

    cpu_seconds: float | None = field(
        "CPU seconds of the timed worker, all threads; None in samples from before it was kept", default=None
    )
    evidence: Evidence = field("see Evidence")
    disturbed: bool = field(
        "true when foreign CPU, steal and quota took more than the declared share, or the clock of CPU or GPU was "
        "throttled for heat, or another process computed on the GPU; its own duration is no evidence"
    )

    if TYPE_CHECKING:

        @property
        def seconds(self) -> float:
            """Wall seconds: a field of a call or block, of other kinds the sum of their parts."""

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, data: Any) -> Any:
        """Samples from before all of it was kept have some evidence among their own fields, or none."""
        if not isinstance(data, dict) or "evidence" in data:
            return data
        evidence = {name: data[name] for name in Evidence.model_fields.keys() & data.keys()}
        return {k: v for k, v in data.items() if k not in evidence} | {"evidence": evidence}


class Call(Sample):
    """One timed call."""

    seconds: float = field("wall seconds, device synchronised at both ends", gt=0)


class Block(Call):
    """One timed block of training steps."""

    steps: int = field("training steps in the block", gt=0)
    lead_in_steps: int | None = field(
        "untimed steps just before the block; None in results from before it was kept", default=None
    )

    @property
    def step_seconds(self) -> float:
        return self.seconds / self.steps


class RoundBlock(Block):
    """The timed block of one stack in a round."""

    round: int = field("round within the pass, from 0")
    position: int = field("position of this stack in the round's order, from 0")
    cpu_seconds: float = field("CPU seconds of the timed worker, all threads, during the block")
    lead_in_steps: int = field("untimed steps just before the block")
    round_disturbed: bool | None = field(
        "true when any stack's block of this round was disturbed; None in results from before rounds were repeated",
        default=None,
    )
    repeats: int | None = field("the disturbed round that this one repeats; None of a planned round", default=None)


class WarmUp(Strict):
    """Steps between the first step and the first round."""

    steps: int = field("steps taken")
    seconds: float = field("wall seconds")
    settled: bool = field(
        "whether the windows after the last change point were enough and without trend before the ceiling was reached "
        "(in results without steady_from: whether the last windows agreed)"
    )
    window_steps: int = field("steps per window")
    window_seconds: list[float] = field("seconds of each window, in order")
    steady_from: int | None = field(
        "window, from 0, with which the steady segment began; None if unsettled", default=None
    )
    steady_rule: Literal[1, 2] = field(
        "1: judged from 5 windows on (1 in smoke runs), too few to see a change of level; 2: from 12 on", default=1
    )


class Stretch(Strict):
    """Steps after the rounds without pause or hand-over, garbage collection on: shows stalls that medians hide."""

    window_steps: int = field("steps per window, device synchronised after each", gt=0)
    window_seconds: list[float] = field("seconds of each window, in order", min_length=1)
    collections: int = field("runs of Python's garbage collector during the stretch")

    @property
    def mean_over_median(self) -> float:
        return sum(self.window_seconds) / len(self.window_seconds) / median(self.window_seconds)


class Phases(Strict):
    """Everything before the rounds, each on its own clock, in seconds. None where the launch ended before it."""

    import_seconds: float | None = field(
        "importing the framework and the implementation; in quick runs two workers import at a time", default=None
    )
    build_seconds: float | None = field(
        "building model and optimiser, loading the shared initial weights, placing data", default=None
    )
    first_step_seconds: float | None = field("first training step: tracing and compiling included", default=None)
    warm_up: WarmUp | None = field("see WarmUp", default=None)


class Memory(Strict):
    """High-water marks, reset at the start of each phase. Bytes."""

    imported_resident: int | None = field("resident set after the import", default=None)
    build_peak_resident: int | None = field("peak resident set while building", default=None)
    training_peak_resident: int | None = field("peak resident set from first step to last round", default=None)
    inference_peak_resident: int | None = field("peak resident set during inference", default=None)
    training_peak_device: int | None = field("peak device bytes by the framework's own counter", default=None)
    inference_peak_device: int | None = field("peak device bytes by the framework's own counter", default=None)


class SingleInference(Strict):
    """Batch 1, host memory in to host memory out, synchronised per call."""

    calls: int = field("timed calls")
    seconds: list[float] = field("latency of every call, in order; of text: one word in, the next one out")
    first_seconds: list[float] = field("text: latency from a prompt to its first word", default_factory=list)


class OfflineInference(Strict):
    """Throughput at one batch size, data on the device."""

    batch_size: int = field("samples per call")
    calls: int = field("timed calls")
    seconds: float = field("wall seconds of all calls together", gt=0)
    items: int = field("what throughput counts, per sample: words of a sequence, otherwise 1", default=1)

    @property
    def samples_per_second(self) -> float:
        return self.batch_size * self.items * self.calls / self.seconds


class Inference(Strict):
    single: SingleInference = field("see SingleInference")
    offline: list[OfflineInference] = field("one entry per batch size; the best is the figure")


class Launch(Strict):
    """One process of one stack in one pass."""

    pass_index: int = field("pass, from 0", alias="pass")
    attempt: int = field("1, or more after --resume")
    status: Status = field("of this launch")
    reason: str = field("empty when ok; otherwise what happened, in a sentence", default="")
    log_tail: list[str] = field("last lines of the worker's log, when not ok", default_factory=list)
    caches: Literal["cold", "warm"] = field("whether the private compile caches were empty at the start")
    interleaved: bool = field("false when memory was short and workers were taken in turns")
    versions: dict[str, str] = field("library versions inside the worker", default_factory=dict)
    environment: dict[str, str] = field(
        "environment variables that matter, as the worker had them", default_factory=dict
    )
    settings: dict[str, Any] = field(
        "threads, affinity, denormal policy, TF32 flags, as read back after the import", default_factory=dict
    )
    used: dict[str, Any] = field(
        "what the process really used, read back in the worker after warm-up: oneDNN, instruction set, allocator, "
        "optimiser, compiled graphs",
        default_factory=dict,
    )
    precision_error: float | None = field(
        "relative error of a float32 matrix product against float64 on this stack", default=None
    )
    phases: Phases = field("see Phases", default_factory=Phases)
    blocks: list[RoundBlock] = field("every timed block", default_factory=list)
    stretch: Stretch | None = field("see Stretch", default=None)
    memory: Memory = field("see Memory", default_factory=Memory)
    inference: Inference | None = field("measured in the first pass (quick) or in every pass (full)", default=None)

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    @property
    def planned_blocks(self) -> list[RoundBlock]:
        """Return the blocks of the planned rounds, disturbed or not."""
        return [b for b in self.blocks if b.repeats is None]

    @property
    def quiet_blocks(self) -> list[RoundBlock]:
        """Return the blocks of rounds, repeats included, in which no stack was disturbed."""
        return [b for b in self.blocks if not b.round_disturbed]

    @property
    def is_quiet(self) -> bool:
        """Whether enough rounds were quiet: at least half as many as were planned."""
        return len(self.quiet_blocks) >= QUIET_SHARE * len(self.planned_blocks)

    @property
    def counted_blocks(self) -> list[RoundBlock]:
        """Return what the reported step time rests on: quiet rounds, or all planned ones where too few are quiet."""
        return self.quiet_blocks if self.is_quiet else self.planned_blocks

    def step_seconds(self, *, clean: bool = True) -> float | None:
        """Return the median over blocks of seconds per step; None without blocks.

        ``clean``: over quiet rounds, repeats included; over the planned ones where too few were quiet. Otherwise over
        the planned rounds, disturbed or not: what a run that does not look for disturbance would have found.
        """
        blocks = self.counted_blocks if clean else self.planned_blocks
        return median(b.step_seconds for b in blocks) if blocks else None
