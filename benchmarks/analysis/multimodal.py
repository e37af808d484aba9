"""Whether a handful of step times falls into two groups, so that one median says little of either.

The statistic is Engelman and Hartigan's (1969): the largest ratio of the sum of squares between two groups to that
within them, over all ways to cut the sorted logarithms in two, here with at least two members each, so that one outlier
is no group. Its distribution under one normal distribution depends on the number of values only and is simulated. A
group counts when it also lies ``GAP`` away: what is smaller changes no choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.schema.results import Multimodal
from benchmarks.schema.samples import Launch

FEWEST = 5  # values; below it no division is convincing
GAP = 0.03
ALPHA = 0.01  # for all tests of one row together
DRAWS = 20_000


def find(launches: Sequence[Launch]) -> list[Multimodal]:
    """Divided passes (quiet blocks) and divided launches (their medians) of one row, ``ALPHA`` over all its tests."""
    samples: list[tuple[int | None, list[float]]] = []
    good = [la for la in launches if la.status == "ok" and la.blocks]
    samples += [(la.pass_index, [b.seconds / b.steps for b in la.quiet_blocks]) for la in good]
    samples.append((None, [s for la in good if (s := la.step_seconds()) is not None]))
    samples = [(where, values) for where, values in samples if len(values) >= FEWEST]
    tested = ((where, divide(values)) for where, values in samples)
    return [
        Multimodal(pass_index=where, low_seconds=low, high_seconds=high, low_count=few, high_count=many, p=p)
        for where, (low, high, few, many, p) in tested
        if p <= ALPHA / len(samples) and high > low * (1 + GAP)
    ]


def divide(seconds: Sequence[float]) -> tuple[float, float, int, int, float]:
    """Geometric means of the two groups, their sizes, and the share of normal samples that part as well.

    Needs ``FEWEST`` positive values.
    """
    if len(seconds) < FEWEST or min(seconds) <= 0:
        raise ValueError(f"needs at least {FEWEST} positive values")
    logs = np.sort(np.log(np.asarray(seconds, np.float64)))
    ratios = _ratios(logs[None])[0]
    cut = 2 + int(np.argmax(ratios))
    null = _null(len(logs))
    p = (1 + int(np.sum(null >= ratios.max()))) / (len(null) + 1)
    low, high = (float(np.exp(part.mean())) for part in (logs[:cut], logs[cut:]))
    return low, high, cut, len(logs) - cut, p


def _ratios(rows: np.ndarray) -> np.ndarray:
    """Between over within sums of squares of sorted ``rows`` (m, n), cut after 2, 3, ... n - 2 values: (m, n - 3)."""
    n = rows.shape[1]
    rows = rows - rows.mean(axis=1, keepdims=True)
    sums, cuts = np.cumsum(rows, axis=1)[:, 1 : n - 2], np.arange(2, n - 1)
    between = sums**2 * (1 / cuts + 1 / (n - cuts))
    total = np.sum(rows**2, axis=1, keepdims=True)
    within = np.maximum(total - between, 1e-12 * total + 1e-300)
    return np.asarray(between / within)


@cache
def _null(n: int) -> np.ndarray:
    """The statistic of ``DRAWS`` samples of ``n`` normal values. The same in every process."""
    rows = np.random.default_rng(n).standard_normal((DRAWS, n))
    return np.asarray(_ratios(np.sort(rows, axis=1)).max(axis=1))
