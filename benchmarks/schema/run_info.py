"""The result schema: under which circumstances a run measured. Machine, interpreters, stacks, what was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from benchmarks.schema import earlier
from benchmarks.schema.samples import Strict, field

Profile: TypeAlias = Literal["smoke", "quick", "full"]


def compiled_nothing(graphs: Iterable[int | None]) -> bool:
    """Whether a compiler made no graph of the training step, by its own count in every process.

    Such a stack is the one without its compiler, launched once more. None where nothing is compiled or nothing counted.
    """
    return set(graphs) == {0}


class Described(Strict):
    """What a framework says of one of its modes."""

    framework: str = field("the framework's name for people")
    mode: str = field("the mode's name for people, after the framework's")
    compiles: str = field("the mode that it is without its compiler; empty where nothing is compiled before it runs")
    caches: bool = field("whether it keeps what it compiled on disk for the next process")
    twin_of: str = field("the mode of which it is the same with one thing changed; empty where it is nobody's twin")


class Stack(Strict):
    """With what: framework, mode, device, precision and interpreter."""

    framework: str = field("a framework with an adapter, such as torch")
    mode: str = field("a mode of the framework, such as eager; `list` shows all")
    device: Literal["cpu", "cuda"] = field("where the steps run")
    precision: Literal["float32"] = field(
        "declared precision; what was really used is probed, see Launch", default="float32"
    )
    interpreter: str = field("name given with --env, or 'default'", default="default")
    tuned: bool = field("whether its mode runs only where it is asked for, as its adapter declares", default=False)
    replica: int = field("1 for the canary: the same stack launched once more; otherwise 0", default=0)
    described: Described | None = field("as its framework says; None in results from before it was asked", default=None)

    @property
    def known(self) -> Described:
        """What its framework said of its mode or, of a result that does not hold it, what was true then."""
        return self.described or Described.model_validate(earlier.described(self.framework, self.mode))

    @property
    def label(self) -> str:
        """For people: ``torch compile``; device and interpreter are added where they are not the default."""
        device = "" if self.device == "cpu" else f" {self.device}"
        extra = "" if self.interpreter == "default" else f" ({self.interpreter})"
        return f"{self.framework} {self.mode}{device}{extra}{' again' if self.replica else ''}"

    @property
    def uncompiled(self) -> str:
        """Key of the stack that it is without its compiler; empty where nothing is compiled before it runs."""
        plain = self.known.compiles
        return f"{self.framework}:{plain}:{self.device}:{self.interpreter}" if plain else ""

    @property
    def kind(self) -> tuple[str, str, str]:
        """What stacks that differ in their mode only have in common."""
        return self.framework, self.device, self.interpreter

    @property
    def key(self) -> str:
        return f"{self.framework}:{self.mode}:{self.device}:{self.interpreter}{':again' if self.replica else ''}"


class Machine(Strict):
    """The machine's passport."""

    name: str = field("a label, not a host name")
    cpu: str = field("model name")
    physical_cores: int | None = field("as the operating system reports them")
    logical_cores: int | None = field("as the operating system reports them")
    governor: str | None = field("CPU frequency governor, where readable")
    memory_bytes: int = field("physical memory")
    gpus: list[dict[str, str]] = field("name, memory, driver per GPU", default_factory=list)
    cuda_driver: str | None = field("CUDA version the driver supports", default=None)
    system: str = field("operating system and kernel")
    libc: str = field("C library and version", default="")
    virtualised: bool | None = field("whether the CPU reports a hypervisor", default=None)


class Interpreter(Strict):
    name: str = field("as given with --env, or 'default'")
    python: str = field("version and implementation")
    packages: dict[str, str] = field("installed distributions that matter, with versions")


class Options(Strict):
    """What was asked for, after defaults."""

    workloads: list[str] = field("workload variants measured, in order")
    frameworks: list[str] = field("--framework; empty means all")
    modes: list[str] = field("--mode; empty means all")
    tuned: bool = field("--tuned: tuned modes too", default=False)
    devices: list[str] = field("--device")
    profile: Profile = field("--profile")
    data: Literal["embedded", "real"] = field("--data")
    passes: int = field("fresh processes of every stack; with a pilot, at least")
    rounds: int = field("interleaved rounds in a pass")
    batch_size: int | None = field("--batch-size; None means the declared one")
    threads: int = field("threads and CPUs of every stack")
    seed: int = field("of weights, sample order and schedules")
    accuracy_seeds: int = field("trainings per trained stack")
    recipe: str = field("recipe trained")
    measure: list[str] = field("what was measured: training, inference, certificate, accuracy, and parts by name")
    interpreters: list[str] = field("names of the interpreters")
    require: list[str] = field("stacks that had to be available")
    pilot: int | None = field("passes after which their number is decided; None: it was fixed", default=None)
    canary: bool = field("whether one stack of each workload was launched twice", default=False)
    isolate: bool = field("--solo", default=False)
    budget_seconds: float | None = field("--budget; None means as long as it takes", default=None)
    price_per_hour: float | None = field(
        "--price-per-hour: what an hour of this machine costs, in the user's currency; None: nothing is priced",
        default=None,
    )
