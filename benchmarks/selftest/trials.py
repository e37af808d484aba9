"""Trials whose answer is known, drawn from banks of real launches and judged as a run is judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

import numpy as np

from benchmarks.errors import Problem
from benchmarks.pilot import PASSES, decide
from benchmarks.selftest.bank import Bank
from benchmarks.selftest.checks import Check
from benchmarks.statistics import PROVISIONAL_BELOW
from benchmarks.verdicts import Pair, judge

LEAST_LAUNCHES = 32


def trial(first: Sequence[float], second: Sequence[float]) -> tuple[str, int, bool]:
    """Verdict of the first side against the second, the passes it rests on, and whether the pilot asked for more.

    Both hold the step seconds of fresh launches, one per pass.
    """
    variances = [variance([math.log(s) for s in side[:PASSES]]) for side in (first, second)]
    asked = decide(variances)[3]
    passes = min(asked, len(first), len(second))
    pair = Pair(first="first", second="second", a=tuple(first[:passes]), b=tuple(second[:passes]))
    return judge([pair])["first", "second"].estimate.verdict, passes, asked > passes


def neighbours(count: int, rng: np.random.Generator) -> np.ndarray:
    """(passes, 2): launches that follow each other, in drawn order and each pair either way round."""
    start = int(rng.integers(0, 2))  # (0, 1), (2, 3), ... or (1, 2), (3, 4), ...
    pairs = np.arange(start, count - (count - start) % 2).reshape(-1, 2)
    return rng.permuted(rng.permutation(pairs), axis=1)


def run_trials(bank: Bank, *, trials: int, seed: int) -> list[Check]:
    """False verdicts among trials of a stack against itself, and slow-downs found; sides never share a launch.

    A pass of a trial is two launches that were made one after the other, as a pass of a run makes those of its stacks:
    a machine that changes over the hours changes both. Which of the two is whose, and which passes come first and so
    are the pilot, is drawn anew for each trial.
    """
    count = len(bank.launches)
    if count < LEAST_LAUNCHES or count // 2 < PROVISIONAL_BELOW:
        raise Problem(f"the bank of {bank.name} holds {count} launches; trials need {LEAST_LAUNCHES}")
    plain = np.array([launch.step_seconds(slow=False) for launch in bank.launches])
    slow = np.array([launch.step_seconds(slow=True) for launch in bank.launches])
    rng = np.random.default_rng([seed, 2, *bank.name.encode()])
    words: dict[str, list[str]] = {"same": [], "slow": []}
    passes: list[int] = []
    capped = 0
    for _ in range(trials):
        pairs = neighbours(count, rng)
        first, second = pairs[:, 0], pairs[:, 1]
        for kind, other in (("same", plain), ("slow", slow)):
            word, n, fewer = trial(other[second].tolist(), plain[first].tolist())
            words[kind].append(word)
            passes.append(n)
            capped += fewer
    spread = float(np.std(np.log(plain), ddof=1))
    detail = f"{count} launches varying by {spread:.1%}; {fmean(passes):.1f} passes on average"
    detail += f"; {capped / len(passes):.0%} of trials wanted more than the bank has" if capped else ""
    false = sum(word in ("faster", "slower") for word in words["same"])
    found = sum(word == "slower" for word in words["slow"])

    def check(what: str, number: int, *, low: float = 0.0, high: float = 1.0) -> Check:
        return Check(
            part="bank", what=f"{bank.name}: {what}", count=number, trials=trials, low=low, high=high, detail=detail
        )

    return [
        check("the same stack called different", false, high=0.05),
        check("a 5 % slow-down found", found, low=0.9),
    ]
