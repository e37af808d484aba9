"""What a visit to the museum leaves: raw samples of right and wrong measurements; what is told is derived from them."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median
from typing import Literal

from pydantic import ValidationError, model_validator

from benchmarks.analysis.evidence import contradictions
from benchmarks.errors import Problem
from benchmarks.schema.files import atomic_write
from benchmarks.schema.results import Block, Interpreter, Machine, Status, Strict, field

VERSION = 1
# Two launches of one and the same stack differ by 1 to 4 %, so less than this is no effect of a mistake.
NEGLIGIBLE = 0.05
NOT_VISITED = "not visited: the time for the visit was over"
NOISY_SHARE = 0.1  # of the right samples that may be disturbed


class Claimed(Block):
    """One timed block, and what the measurement claims of it."""

    seconds: float = field("wall seconds that the measurement claims for the block", gt=0)
    steps: int = field("training steps that the measurement claims for the block", gt=0)


class Judged(Strict):
    """What the parity certificate said."""

    status: Status = field("ok, parity_failed, or how it failed on the way")
    reason: str = field("empty when ok", default="")
    failed: list[str] = field("names of the checks and probes that failed, in the certificate's order")


class Scores(Strict):
    """Trainings of the workload's recipe, done right and done wrong from the same seeds."""

    metric: str = field("name of the metric on the test set")
    recipe: str = field("name of the declared recipe")
    seeds: list[int] = field("of initial weights and sample order", min_length=1)
    right: list[float] = field("metric of each seed, done right")
    wrong: list[float] = field("metric of each seed, done wrong")
    optimum: float | None = field("best possible value on these data, where it is known", default=None)

    @model_validator(mode="after")
    def _one_per_seed(self) -> Scores:
        if not len(self.seeds) == len(self.right) == len(self.wrong):
            raise ValueError("every seed is trained right and wrong")
        return self


class Case(Strict):
    """One exhibit on one workload and stack. ``right`` and ``wrong`` are paired: measured one after the other."""

    workload: str = field("key of the workload variant")
    stack: str = field("FRAMEWORK:MODE:DEVICE")
    form: str = field("which form of the mistake; empty where there is one", default="")
    status: Status = field("ok, unavailable (the reason says why), or how it failed")
    reason: str = field("empty when ok; otherwise what happened, in a sentence", default="")
    log_tail: list[str] = field("last lines of the worker's log, when it failed", default_factory=list)
    batch_size: int | None = field("samples per step", default=None)
    right: list[Claimed] = field("as it should be measured, by repetition", default_factory=list)
    wrong: list[Claimed] = field("with the mistake, by repetition", default_factory=list)
    single_steps: list[list[float]] = field(
        "seconds of steps timed one by one, by repetition; only where an exhibit rests on them", default_factory=list
    )
    sound: Judged | None = field("certificate of the right program", default=None)
    faulty: Judged | None = field("certificate of the wrong program", default=None)
    scores: Scores | None = field("what the mistake does to what is learned", default=None)

    @model_validator(mode="after")
    def _paired(self) -> Case:
        if len(self.right) != len(self.wrong) or (self.status == "ok") != bool(self.right):
            raise ValueError("a case holds as many right samples as wrong ones, and some exactly when it is ok")
        return self

    @property
    def factors(self) -> list[float]:
        """Wrong over right seconds per step, by repetition."""
        return [w.step_seconds / r.step_seconds for r, w in zip(self.right, self.wrong, strict=True)]

    @property
    def factor(self) -> float:
        """How far the number moved: median over repetitions."""
        return median(self.factors)

    @property
    def low(self) -> float:
        return min(self.factors)

    @property
    def high(self) -> float:
        return max(self.factors)

    @property
    def moved(self) -> bool:
        """By more than launches differ, and in the same direction in every repetition."""
        return abs(math.log(self.factor)) > math.log1p(NEGLIGIBLE) and (self.low > 1 or self.high < 1)

    @property
    def disturbed(self) -> int:
        """Right samples that something else disturbed."""
        return sum(s.disturbed for s in self.right)


class Exhibit(Strict):
    name: str = field("a module in benchmarks/museum/exhibits")
    cases: list[Case] = field("one per place where it was shown", min_length=1)

    @property
    def shown(self) -> list[Case]:
        return [case for case in self.cases if case.status == "ok"]

    @property
    def farthest(self) -> float:
        """Size of the largest move, as an absolute logarithm; -1 where nothing could be shown."""
        return max((abs(math.log(case.factor)) for case in self.shown), default=-1.0)


class Museum(Strict):
    schema_version: Literal[1] = field("of this file", default=VERSION)
    started: str = field("ISO 8601, UTC")
    seconds: float = field("that the whole visit took")
    minutes: float | None = field("after which no further case was begun; None: all were")
    command: str = field("as typed")
    profile: Literal["smoke", "quick"] = field("smoke: amounts for tests, figures mean nothing")
    device: Literal["cpu", "cuda"] = field("of every stack")
    threads: int = field("threads and CPUs of each stack")
    machine: Machine = field("the machine's passport")
    interpreter: Interpreter = field("Python and the distributions that matter")
    git_commit: str | None = field("commit of the working tree")
    git_dirty: bool | None = field("whether it had changes")
    exhibits: list[Exhibit] = field("in alphabetical order of their names", min_length=1)

    @property
    def cases(self) -> list[Case]:
        return [case for exhibit in self.exhibits for case in exhibit.cases]

    @property
    def not_visited(self) -> list[Case]:
        """Cases that the visit had no time left for."""
        return [case for case in self.cases if case.reason == NOT_VISITED]

    @property
    def disturbed(self) -> tuple[int, int]:
        """Right samples that something else disturbed, and all of them."""
        return sum(c.disturbed for c in self.cases), sum(len(c.right) for c in self.cases)

    @property
    def noisy(self) -> bool:
        """Whether so many right samples were disturbed that the figures should be measured again."""
        some, every = self.disturbed
        return some > NOISY_SHARE * every


def write(museum: Museum, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, museum.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Museum:
    try:
        found = Museum.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise Problem(f"{path} is no visit to the museum: {str(error).splitlines()[0]}") from None
    if wrong := contradictions(found, cpus=found.threads):
        raise Problem(f"{path}: {wrong} samples are marked against their own evidence")
    return found
