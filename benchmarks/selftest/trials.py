"""Trials whose answer is known, drawn from banks of real launches and judged as a run is judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

import numpy as np

from benchmarks.analysis.pilot import PASSES, decide
from benchmarks.analysis.ratios import PROVISIONAL_BELOW
from benchmarks.analysis.verdicts import Pair, judge
from benchmarks.errors import Problem
from benchmarks.selftest.bank import Bank
from benchmarks.selftest.checks import Check

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


def pairs_of_passes(count: int, beside: int, rng: np.random.Generator) -> np.ndarray:
    """(count / 2, 2): launches of ``count`` that lay side by side, ``beside`` at a time, paired as is drawn.

    No launch comes twice. Each pass of the bank gives one pair before any gives a second.
    """
    passes = rng.permutation(np.arange(count).reshape(-1, beside))
    pairs = rng.permuted(passes, axis=1).reshape(len(passes), beside // 2, 2)
    return pairs.transpose(1, 0, 2).reshape(-1, 2)


def run_trials(bank: Bank, *, trials: int, seed: int) -> list[Check]:
    """False verdicts among trials of a stack against itself, and slow-downs found; sides never share a launch.

    A pass of a trial is two launches that lay side by side and were timed in the same rounds, as a pass of a run times
    its stacks: a machine that changes over the minutes changes both. Who is paired with whom, which of the two is
    whose, and which passes come first and so are the pilot, is drawn anew for each trial.
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
        pairs = pairs_of_passes(count, bank.beside, rng)
        first, second = pairs[:, 0], pairs[:, 1]
        for kind, other in (("same", plain), ("slow", slow)):
            word, n, fewer = trial(other[second].tolist(), plain[first].tolist())
            words[kind].append(word)
            passes.append(n)
            capped += fewer
    logs = np.log(plain).reshape(-1, bank.beside)
    spread, within = float(np.std(logs, ddof=1)), math.sqrt(logs.var(axis=1, ddof=1).mean())
    detail = f"{count} launches varying by {spread:.1%}, within a pass by {within:.1%}"
    detail += f"; {fmean(passes):.1f} passes on average"
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
