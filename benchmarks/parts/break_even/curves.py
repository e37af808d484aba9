"""Where the cumulative wall time of a compiling stack falls below that of the uncompiled one, and stays there.

A launch's curve is building, then every measured step, then windows, then its steady step time for ever; the first
evaluation, which compiles anew for its batch size, is paid at the end of the first epoch. Later evaluations are left
out for both. Pure functions of answers: the report and the terminal use them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, geometric_mean, stdev
from typing import Any, Literal, TypeAlias

import numpy as np

from benchmarks.answers import Answer
from benchmarks.parts.break_even.schema import Launch, Value

UNCOMPILED = ("eager", "trainonestep", "torch-trainonestep")  # modes that compile nothing
T_FROM = 5  # launches from which on an interval is Student's t on logarithms; below it is lowest to highest
CONFIDENCE = 0.95

Verdict: TypeAlias = Literal["pays", "never", "undecided"]
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True)
class Curve:
    """Cumulative seconds of a launch; ``epoch_steps`` is where its first evaluation is paid."""

    launch: Launch
    epoch_steps: int

    @property
    def measured(self) -> int:
        """Steps that were taken; beyond them the curve goes on at the steady step time."""
        return len(self.launch.step_seconds) + self.launch.window_steps * len(self.launch.window_seconds)

    def seconds(self, steps: Floats) -> Floats:
        """After each of ``steps``; within a window steps count as equally long."""
        found, single = self.launch, len(self.launch.step_seconds)
        ends = [*range(single + 1), *(single + found.window_steps * (i + 1) for i in range(len(found.window_seconds)))]
        spent = list(accumulate([found.build_seconds, *found.step_seconds, *found.window_seconds]))
        beyond = np.maximum(0.0, steps - ends[-1]) * found.steady_seconds
        evaluated = np.where(steps >= self.epoch_steps, found.evaluation_seconds[0], 0.0)
        out: Floats = np.interp(steps, ends, spent) + beyond + evaluated
        return out


def crossing(compiled: Curve, plain: Curve) -> int | None:
    """Smallest number of steps, 1 at least, from which on ``compiled`` has never taken longer; None: there is none."""
    gain = plain.launch.steady_seconds - compiled.launch.steady_seconds
    last = max(compiled.measured, plain.measured, compiled.epoch_steps, plain.epoch_steps)
    steps = np.arange(1.0, last + 1)
    ahead = compiled.seconds(steps) <= plain.seconds(steps)
    if not ahead[-1]:
        end = np.array([float(last)])
        behind = float(compiled.seconds(end)[0] - plain.seconds(end)[0])
        return last + math.ceil(behind / gain) if gain > 0 else None
    if gain < 0:
        return None  # ahead as far as was seen, and losing it
    late = np.flatnonzero(~ahead)
    return int(steps[late[-1]]) + 1 if len(late) else 1


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Geometric mean over pairs of launches and its interval; ``t``: Student's t on logarithms, else the range."""

    value: float
    low: float
    high: float
    t: bool

    @property
    def how(self) -> str:
        return "95 % interval" if self.t else "lowest to highest"


def estimate(values: Sequence[float]) -> Estimate:
    centre = geometric_mean(values)
    if len(values) < T_FROM:
        return Estimate(value=centre, low=min(values), high=max(values), t=False)
    from scipy.stats import t

    logs = [math.log(v) for v in values]
    half = float(t.ppf(0.5 + CONFIDENCE / 2, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
    return Estimate(value=centre, low=math.exp(fmean(logs) - half), high=math.exp(fmean(logs) + half), t=True)


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Of one compiling stack against the uncompiled one, with caches of one kind.

    ``ratio``: of steady step times, compiled over uncompiled, over all pairs whatever their caches. ``verdict``:
    never, where the ratio's interval lies above 1; pays, where it lies below; otherwise undecided. ``steps`` only
    where it pays; ``extrapolated`` where some crossing lies beyond the measured steps.
    """

    stack: str
    caches: Literal["cold", "warm"]
    verdict: Verdict
    ratio: Estimate
    crossings: tuple[int | None, ...]
    steps: Estimate | None
    epoch_steps: int
    extrapolated: bool

    @property
    def epochs(self) -> float | None:
        return self.steps.value / self.epoch_steps if self.steps else None


def pairs(compiled: Value, plain: Value, caches: str) -> list[tuple[Curve, Curve]]:
    """Launches of one kind in the order in which they were made, next to each other in time."""
    both = zip(compiled.of(caches), plain.of(caches), strict=False)
    return [(Curve(a, compiled.epoch_steps), Curve(b, plain.epoch_steps)) for a, b in both]


def break_even(stack: str, compiled: Value, plain: Value) -> list[BreakEven]:
    """For cold and for warm caches, as far as both have such launches."""
    found = {caches: pairs(compiled, plain, caches) for caches in ("cold", "warm")}
    ratios = [a.launch.steady_seconds / b.launch.steady_seconds for both in found.values() for a, b in both]
    if not ratios:
        return []
    ratio = estimate(ratios)
    verdict: Verdict = "never" if ratio.low > 1 else "pays" if ratio.high < 1 else "undecided"
    out = []
    for caches, both in found.items():
        if not both:
            continue
        crossings = tuple(crossing(a, b) for a, b in both)
        steps = [float(n) for n in crossings if n is not None]
        whole = verdict == "pays" and len(steps) == len(crossings)
        measured = min(min(a.measured, b.measured) for a, b in both)
        out.append(
            BreakEven(
                stack=stack,
                caches=caches,  # type: ignore[arg-type]
                verdict=verdict if whole or verdict != "pays" else "undecided",
                ratio=ratio,
                crossings=crossings,
                steps=estimate(steps) if whole else None,
                epoch_steps=compiled.epoch_steps,
                extrapolated=whole and max(steps) > measured,
            )
        )
    return out


def derive(answers: Iterable[Answer]) -> list[BreakEven]:
    """Every compiling stack against the uncompiled one of its framework, among ``answers`` of one workload variant."""
    values: dict[str, Value] = {a.stack: a.typed for a in answers if a.status == "ok"}
    out = []
    for stack, value in values.items():
        plain = uncompiled(stack)
        if plain is not None and plain in values:
            out += break_even(stack, value, values[plain])
    return out


def uncompiled(stack: str) -> str | None:
    """Key of the stack that ``stack`` is held against; None where it compiles nothing itself."""
    framework, mode, *rest = stack.split(":")
    return None if mode in UNCOMPILED else ":".join([framework, "eager", *rest])
