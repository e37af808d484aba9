"""Where the cumulative wall time of a compiling stack falls below that of the uncompiled one, and stays there.

A launch's curve is building, then every measured step, then windows, then its steady step time for ever; the first
evaluation, which compiles anew for its batch size, is paid at the end of the first epoch. Later evaluations are left
out for both. Pure functions of answers: the report and the terminal use them.

A mode that takes several steps a call pays for whole calls. Pairs of launches of which one was disturbed count only
where less than half of the pairs would be left, and then for no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import geometric_mean
from typing import Any, Literal, TypeAlias

import numpy as np

from benchmarks.analysis.ratios import log_ratio, t_interval
from benchmarks.experiments import typed
from benchmarks.experiments.break_even.schema import Launch, Value
from benchmarks.experiments.quiet import quiet
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Stack

T_FROM = 5  # launches from which on an interval is Student's t on logarithms; below it is lowest to highest

Verdict: TypeAlias = Literal["pays", "never", "undecided", "disturbed"]
Caches: TypeAlias = Literal["cold", "warm", "none"]  # none: neither stack keeps any on disk
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True)
class Curve:
    """Cumulative seconds of a launch; ``epoch_steps`` is where its first evaluation is paid."""

    launch: Launch
    epoch_steps: int

    @property
    def measured(self) -> int:
        """Steps that were taken; beyond them the curve goes on at the steady step time."""
        found = self.launch
        return found.call_steps * len(found.call_seconds) + found.window_steps * len(found.window_seconds)

    def seconds(self, steps: Floats) -> Floats:
        """After each of ``steps``, which come in whole calls; within a window calls count as equally long."""
        found = self.launch
        lengths = [found.call_steps] * len(found.call_seconds) + [found.window_steps] * len(found.window_seconds)
        ends = list(accumulate([0, *lengths]))
        spent = list(accumulate([found.build_seconds, *found.call_seconds, *found.window_seconds]))
        paid = np.ceil(steps / found.call_steps) * found.call_steps
        beyond = np.maximum(0.0, paid - ends[-1]) * found.steady_seconds
        evaluated = np.where(steps >= self.epoch_steps, found.evaluation_seconds[0], 0.0)
        out: Floats = np.interp(paid, ends, spent) + beyond + evaluated
        return out


def crossing(compiled: Curve, plain: Curve) -> int | None:
    """Smallest number of steps, 1 at least, from which on ``compiled`` has never taken longer; None: there is none."""
    gain = plain.launch.steady_seconds - compiled.launch.steady_seconds
    last = max(compiled.measured, plain.measured, compiled.epoch_steps, plain.epoch_steps)
    period = math.lcm(compiled.launch.call_steps, plain.launch.call_steps)
    steps = np.arange(1.0, last + period + 1)
    behind = compiled.seconds(steps) - plain.seconds(steps)
    late = np.flatnonzero(behind > 0)
    open_ended = late[late >= last]  # among the steps of the last period, which repeats, less ``gain`` a step
    if gain < 0 or (gain == 0 and len(open_ended)):
        return None  # perhaps ahead as far as was seen, but losing it
    if len(open_ended):
        repeats = np.ceil(behind[open_ended] / (gain * period)) - 1  # periods in which that step is behind once more
        return int((steps[open_ended] + repeats * period).max()) + 1
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
    low, high = t_interval(*log_ratio(values, [1.0] * len(values)))
    return Estimate(value=centre, low=low, high=high, t=True)


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Of one compiling stack against the uncompiled one, with caches of one kind.

    ``ratio``: of steady step times, compiled over uncompiled, over all pairs whatever their caches. ``verdict``:
    never, where the ratio's interval lies above 1; pays, where it lies below; otherwise undecided; disturbed, and so
    none, where it would rest on pairs of which more than half were disturbed. ``steps`` only where it pays;
    ``extrapolated`` where some crossing lies beyond the measured steps.
    """

    stack: str
    caches: Caches
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
    """For cold and for warm caches, as far as both have such launches; for all launches where neither keeps caches."""
    found: dict[Caches, list[tuple[Curve, Curve]]] = {
        "cold": pairs(compiled, plain, "cold"),
        "warm": pairs(compiled, plain, "warm"),
    }
    every = found["cold"] + found["warm"]
    if not every:
        return []
    if not (compiled.keeps_cache or plain.keeps_cache):
        found = {"none": every}
    counted, trusted = _quiet(every)
    ratio = estimate([a.launch.steady_seconds / b.launch.steady_seconds for a, b in counted])
    verdict: Verdict = "never" if ratio.low > 1 else "pays" if ratio.high < 1 else "undecided"
    out = []
    for caches, both in found.items():
        if not both:
            continue
        both, sound = _quiet(both)
        crossings = tuple(crossing(a, b) for a, b in both)
        steps = [float(n) for n in crossings if n is not None]
        sound = trusted and (sound or verdict != "pays")  # the ratio, which rules the rest, is of all kinds
        whole = sound and verdict == "pays" and len(steps) == len(crossings)
        measured = min(min(a.measured, b.measured) for a, b in both)
        ended: Verdict = verdict if whole or verdict != "pays" else "undecided"
        out.append(
            BreakEven(
                stack=stack,
                caches=caches,
                verdict=ended if sound else "disturbed",
                ratio=ratio,
                crossings=crossings,
                steps=estimate(steps) if whole else None,
                epoch_steps=compiled.epoch_steps,
                extrapolated=whole and max(steps) > measured,
            )
        )
    return out


def _quiet(both: list[tuple[Curve, Curve]]) -> tuple[list[tuple[Curve, Curve]], bool]:
    return quiet(both, [a.launch.disturbed or b.launch.disturbed for a, b in both])


def derive(answers: Iterable[Answer], stacks: Mapping[str, Stack]) -> list[BreakEven]:
    """Hold every compiling stack among ``answers`` of one workload variant against the one without its compiler.

    ``stacks`` are the result's, by key.
    """
    values: dict[str, Value] = {a.stack: typed(a) for a in answers if a.status == "ok"}
    out = []
    for stack, value in values.items():
        plain = stacks[stack].uncompiled
        if plain in values:
            out += break_even(stack, value, values[plain])
    return out
