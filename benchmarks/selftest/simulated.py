"""A simulated machine with every nuisance that was met on real ones, and how the statistics do on it.

Step times are drawn as logarithms. What the stacks truly differ by is known, so that a false verdict is known too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from benchmarks.analysis.pilot import MOST, PASSES, decide
from benchmarks.analysis.ratios import BOUND, Family, holm, t_half
from benchmarks.selftest.checks import Check

Array: TypeAlias = "np.ndarray[Any, Any]"
STACKS = 8
SLOWER = math.log(1.05)
BATCH = 500  # runs simulated at a time: bounds the memory


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Standard deviations and sizes are of logarithms: 0.02 is 2 %.

    Launch and block deviations are those measured with pairs of processes of one stack (1 to 4 % and 4 to 17 %); the
    others are taken large enough to matter.
    """

    launch: float | tuple[float, ...] = 0.02  # persistent over a launch; one for all stacks, or one each
    block: float = 0.04
    autocorrelation: float = 0.5  # of a launch's blocks, from one to the next
    drift: float = 0.03  # of the machine over a pass, all stacks alike
    between: float = 0.02  # of the machine from pass to pass, all stacks alike
    spikes: float = 0.05  # share of blocks that somebody else makes longer
    spike: float = 0.3  # mean lengthening of those
    steps: float = 0.1  # share of launches whose level changes for good at some round
    step: float = 0.03  # by how much
    rounds: int = 10

    def medians(self, truth: Sequence[float], *, passes: int, runs: int, rng: np.random.Generator) -> Array:
        """Log per-pass medians (runs, passes, stacks) of stacks whose true log step times are ``truth``."""
        k, r = len(truth), self.rounds
        shape = (runs, passes, k, r)
        noise = rng.normal(size=shape) * self.block
        keep = math.sqrt(1 - self.autocorrelation**2)
        for i in range(1, r):
            noise[..., i] = self.autocorrelation * noise[..., i - 1] + keep * noise[..., i]
        time = np.arange(r)[:, None] + np.arange(k)[None, :] / k  # stacks take turns within a round
        drift = rng.normal(size=(runs, passes, 1, 1)) * self.drift * (time.T / r - 0.5)
        launch = rng.normal(size=(*shape[:3], 1)) * np.broadcast_to(self.launch, (k,))[:, None]
        between = rng.normal(size=(runs, passes, 1, 1)) * self.between
        spikes = (rng.random(shape) < self.spikes) * np.log1p(rng.exponential(self.spike, shape))
        stepped = (rng.random((*shape[:3], 1)) < self.steps) * rng.normal(size=(*shape[:3], 1)) * self.step
        after = np.arange(r) >= rng.integers(0, r, (*shape[:3], 1))
        blocks = noise + drift + launch + between + spikes + stepped * after
        out: Array = np.asarray(truth) + np.median(blocks, axis=-1)
        return out


def pairs(stacks: int) -> tuple[Array, Array]:
    first, second = np.triu_indices(stacks, 1)
    return first, second


def ratios(logs: Array) -> tuple[Array, Array]:
    """Mean log ratios and their standard errors (runs, pairs), paired by pass, from medians (runs, passes, stacks)."""
    first, second = pairs(logs.shape[2])
    differences = logs[:, :, first] - logs[:, :, second]
    return differences.mean(1), differences.std(1, ddof=1) / math.sqrt(logs.shape[1])


def false_verdicts(family: Family, means: Array, truth: Array) -> Array:
    """Where a verdict (runs, pairs) says what is not so: a difference, its direction, or that it is below 2 %."""
    inside = (family.low >= -BOUND) & (family.high <= BOUND)
    wrong_way = family.rejected & (np.sign(means) != np.sign(truth))
    wrong_size = inside & (np.abs(truth) > BOUND)
    out: Array = wrong_way | wrong_size
    return out


def judged(logs: Array, truth: Sequence[float]) -> tuple[Array, Array, Array]:
    """Per run: any false verdict; every interval holds its true ratio; the last pair is called different, rightly."""
    means, errors = ratios(logs)
    first, second = pairs(len(truth))
    true = np.asarray(truth)[first] - np.asarray(truth)[second]
    family = holm(means, errors, logs.shape[1] - 1)
    covered = np.asarray(((family.low <= true) & (true <= family.high)).all(1))
    found = family.rejected[:, -1] & (np.sign(means[:, -1]) == np.sign(true[-1]))
    wrong = np.asarray(false_verdicts(family, means, true).any(1))
    return wrong, covered, found


def by_pilot(logs: Array) -> Array:
    """Passes (runs,) that the pilot rule chooses from the first three of ``logs`` (runs, MOST, stacks)."""
    variances = logs[:, :PASSES].var(1, ddof=1)
    return np.array([decide(v.tolist())[3] for v in variances])


def coverage(machine: Machine, what: str, *, runs: int, passes: int, rng: np.random.Generator) -> Check:
    """Of the plain Student-t interval: four pairs of stacks in each run, 5 % apart."""
    truth, inside, seen = [0.0, SLOWER] * (STACKS // 2), 0, 0
    for size in _batches(runs):
        logs = machine.medians(truth, passes=passes, runs=size, rng=rng)
        d = logs[:, :, 0::2] - logs[:, :, 1::2]
        half = t_half(d.std(1, ddof=1) / math.sqrt(passes), passes)
        covered = np.abs(d.mean(1) + SLOWER) <= half
        inside, seen = inside + int(covered.sum()), seen + covered.size
    what = f"{what}, {passes} passes: 95 % interval holds the true ratio"
    return Check(part="simulated", what=what, count=inside, trials=seen, low=0.94, high=0.96)


def reports(
    machine: Machine,
    truth: Sequence[float],
    what: str,
    *,
    runs: int,
    passes: int | None,
    rng: np.random.Generator,
    find: float | None = None,
) -> list[Check]:
    """Runs with a false verdict, and runs in which all simultaneous intervals hold.

    ``passes`` None: as many as the pilot chooses. ``find``: the last two stacks differ, and that must be found in this
    share of runs at least; 0 where the share is only told.
    """
    false = covered = found = 0
    chosen: list[int] = []
    for size in _batches(runs):
        logs = machine.medians(truth, passes=passes or MOST, runs=size, rng=rng)
        counts = by_pilot(logs) if passes is None else np.full(size, passes)
        chosen += counts.tolist()
        for n in np.unique(counts):
            wrong, all_in, hit = judged(logs[counts == n, :n], truth)
            false, covered, found = false + int(wrong.sum()), covered + int(all_in.sum()), found + int(hit.sum())
    what += f", {passes} passes" if passes else ", passes by the pilot"
    detail = f"{np.mean(chosen):.1f} passes on average" if passes is None else ""

    def check(words: str, count: int, *, low: float = 0.0, high: float = 1.0) -> Check:
        return Check(
            part="simulated", what=f"{what}: {words}", count=count, trials=runs, low=low, high=high, detail=detail
        )

    out = [check("a false verdict", false, high=0.05), check("all intervals hold", covered, low=0.95)]
    return [*out, check("the slow-down is found", found, low=find)] if find is not None else out


def run_simulations(*, runs: int, seed: int) -> list[Check]:
    """Every check of this module. ``runs`` per check, at least 5,000 for figures that can be quoted."""
    rng = np.random.default_rng([seed, 1])
    machine = Machine()
    uneven = replace(machine, launch=(0.01,) * (STACKS - 2) + (0.04,) * 2)
    quiet = replace(machine, launch=0.01, block=0.015, between=0.01)  # where 20 passes can find 5 % among eight
    equal = [0.0] * STACKS
    ladder = [math.log(1.03) * i for i in range(STACKS)]
    apart = [0.0, 0.0, *(0.4 * i for i in range(1, STACKS - 1))]
    out = [coverage(machine, "two stacks", runs=runs, passes=n, rng=rng) for n in range(3, 11)]
    for n in (5, 7, 10, None):
        out += reports(machine, equal, "eight equal stacks", runs=runs, passes=n, rng=rng)
    for n in (5, None):
        out += reports(uneven, equal, "eight equal, two of them unsteady", runs=runs, passes=n, rng=rng)
        out += reports(machine, ladder, "eight stacks 3 % apart", runs=runs, passes=n, rng=rng)
        out += reports(machine, apart, "two equal stacks, six far away", runs=runs, passes=n, rng=rng)
    # Nothing is promised where two stacks vary more than the pool that the pilot plans for; what is found is told.
    truth = [0.0] * (STACKS - 1) + [SLOWER]
    out += reports(uneven, truth, "one of two unsteady 5 % slower", runs=runs, passes=None, rng=rng, find=0.0)
    for k in (2, 3, STACKS):
        truth = [0.0] * (k - 1) + [SLOWER]
        out += reports(quiet, truth, f"{k} stacks, one 5 % slower", runs=runs, passes=None, rng=rng, find=0.9)
    return out


def _batches(runs: int) -> list[int]:
    return [min(BATCH, runs - start) for start in range(0, runs, BATCH)]
