"""Whether a series of window times has become steady: change points of its mean, and no trend after the last one.

Runs in workers: standard library and NumPy only. Times in any one unit; only ratios matter, so logarithms are used.

The method: isolated spikes are cut back (a garbage collection is no change of level), the noise is estimated from
differences of neighbours (a step or a drift hardly touches them), and the segmentation into constant levels with the
least sum of squares plus ``PENALTY`` × ln(n) × noise² per change is found exactly (Jackson et al. 2005; Killick et al.
2012 prune the same recursion, which at some hundred windows is not needed). What wanders, as step times on shared
machines do, is cut into short segments; then the last one is not long enough and the warm-up goes on.

The warm-up asks after every window and ends with the first yes. ``tests/test_warm_up.py`` drives that loop and holds it
to how often it errs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PENALTY = 4.0  # see tests/test_steady.py for the false alarms this gives
SHORTEST = 3  # windows of a segment: fewer are spikes
SPIKE = 3.0  # noise deviations from the running median beyond which a window is cut back
NEGLIGIBLE = 0.02  # changes and trends smaller than this are none
FEWEST = 12  # windows after the last change: with ten, four times as many slow decays passed
TREND_Z = 1.64  # of Mann and Kendall's test: two-sided 10 %
RULE = 2  # as results name this rule


@dataclass(frozen=True)
class Steady:
    """``start``: window with which the last segment begins; ``changes``: windows, from 0, where the level changed."""

    steady: bool
    start: int
    changes: tuple[int, ...]


def judge(seconds: Sequence[float], *, least: int) -> Steady:
    """Call it steady when the last segment has ``least`` windows, as many as came before it or more, and no trend.

    ``seconds`` are positive, of windows with equally many steps. The second condition keeps a long drift, which is cut
    into stairs, from passing on the last stair. Fewer than ``FEWEST`` windows are never steady, however few are asked
    for, because neither test sees anything in them. ValueError for no windows, a duration that is not positive, and
    ``least`` below 1.
    """
    if least < 1 or not len(seconds) or min(seconds) <= 0:
        raise ValueError("needs at least one window of positive duration, and least ≥ 1")
    logs = np.log(np.asarray(seconds, np.float64))
    changes = change_points(logs)
    start = changes[-1] if changes else 0
    last = logs[start:]
    enough = len(last) >= max(least, start, FEWEST)
    return Steady(enough and not has_trend(last), start, tuple(changes))


def change_points(logs: np.ndarray) -> list[int]:
    """Return the indices at which the level of ``logs`` (n,) changes, in order; none below ``2 * SHORTEST`` values."""
    n = len(logs)
    if n < 2 * SHORTEST:
        return []
    noise = max(noise_of(logs), NEGLIGIBLE / 4)
    calm = _without_spikes(logs, noise)
    sums, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (calm - calm.mean(), (calm - calm.mean()) ** 2))
    penalty = PENALTY * np.log(n) * noise**2
    best, came_from = np.full(n + 1, np.inf), np.zeros(n + 1, int)
    best[0] = -penalty
    for end in range(SHORTEST, n + 1):
        starts = np.arange(end - SHORTEST + 1)
        length = end - starts
        cost = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / length
        total = best[starts] + cost + penalty
        came_from[end] = int(np.argmin(total))
        best[end] = total[came_from[end]]
    found, at = [], n
    while at > 0:
        at = int(came_from[at])
        found.append(at)
    return _large(calm, found[-2::-1])


def _large(calm: np.ndarray, changes: list[int]) -> list[int]:
    """Return only changes of level that matter."""
    kept: list[int] = []
    for i, change in enumerate(changes):
        before = calm[kept[-1] if kept else 0 : change]
        after = calm[change : changes[i + 1] if i + 1 < len(changes) else len(calm)]
        if abs(float(np.median(after) - np.median(before))) > NEGLIGIBLE:
            kept.append(change)
    return kept


def noise_of(logs: np.ndarray) -> float:
    """Return the standard deviation of independent noise, from the median absolute difference of neighbours."""
    return float(1.4826 * np.median(np.abs(np.diff(logs))) / np.sqrt(2)) if len(logs) > 1 else 0.0


def _without_spikes(logs: np.ndarray, noise: float) -> np.ndarray:
    padded = np.pad(logs, 2, mode="edge")
    level = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.asarray(np.clip(logs, level - SPIKE * noise, level + SPIKE * noise))


def has_trend(logs: np.ndarray) -> bool:
    """Whether values rise or fall throughout: Mann and Kendall's test beyond ``TREND_Z`` deviations, and more than
    ``NEGLIGIBLE`` from end to end."""
    n = len(logs)
    if n < 4:
        return False
    later, earlier = np.tril_indices(n, -1)
    gaps = logs[later] - logs[earlier]
    score = float(np.sum(np.sign(gaps)))
    deviations = (abs(score) - 1) / np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    slope = float(np.median(gaps / (later - earlier)))
    return bool(deviations > TREND_Z) and abs(slope) * (n - 1) > NEGLIGIBLE
