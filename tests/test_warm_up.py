"""The warm-up's loop on simulated step times: how often it misses what goes on, and how often it stays for nothing.

It asks after every window, so its errors are not those of one judgement. All of the quick profile's amounts, steps of
4 ms; a level is given per window, windows vary by 3 %.
"""

import math

import numpy as np
import pytest

from benchmarks.protocol import steady
from benchmarks.protocol.profiles import PROFILES
from benchmarks.worker.session import Session

QUICK = PROFILES["quick"]
TRIALS, STEP, NOISE = 100, 0.004, 0.03


class Simulated:
    """As much of a session as the loop needs: step times of ``level(window)`` and noise per window."""

    together = 1

    def __init__(self, level, *, seed=0, step=STEP, noise=NOISE, draw=None):
        self._level, self._step, self._noise = level, step, noise
        rng = np.random.default_rng(seed)
        self._draw = (lambda: rng.standard_t(3) / math.sqrt(3)) if draw == "heavy" else rng.standard_normal
        self.windows = -1  # the step before the first window

    def whole_calls(self, steps):
        return steps

    def steps(self, count):
        first, self.windows = self.windows < 0, self.windows + 1
        if first:
            return count * self._step
        return count * self._step * self._level(self.windows - 1) * math.exp(self._noise * self._draw())

    def warm_up(self):
        return Session.do_warm_up(
            self, floor_seconds=QUICK.warm_floor, ceiling_seconds=QUICK.warm_ceiling, windows=QUICK.warm_windows
        )


def trials(level, **words):
    """(windows, settled, what is still to go of ``level``, as a share) of each trial."""
    for seed in range(TRIALS):
        one = Simulated(level, seed=seed, **words)
        answer = one.warm_up()
        yield one.windows, answer["settled"], level(one.windows) / level(10**6) - 1


@pytest.mark.parametrize("draw", [None, "heavy"])
def test_noise_alone_ends_with_the_floor(draw):
    """Half as many windows again as the floor has: measured, 6 % at normal noise, none at heavy tails."""
    found = list(trials(lambda window: 1.0, draw=draw))
    assert all(settled for _, settled, _ in found)
    assert np.mean([windows > 1.5 * steady.FEWEST for windows, _, _ in found]) <= 0.08
    assert np.median([windows for windows, _, _ in found]) * 10 * STEP <= 1.1 * QUICK.warm_floor


@pytest.mark.parametrize(
    ("size", "after", "missed"),
    [(1.5, after, 0.0) for after in (2, 3, 5, 8, 10)] + [(1.1, 2, 0.0), (1.1, 3, 0.02), (1.1, 5, 0.05), (1.1, 8, 0.1)],
)
def test_a_step_is_well_behind_when_it_ends(size, after, missed):
    """Ended fewer than ten windows after the step: of 1.5 never, of 1.1 in 0 to 8 %, the later the more often."""
    found = list(trials(lambda window: size if window < after else 1.0))
    assert np.mean([windows < after + 10 for windows, _, _ in found]) <= missed
    assert all(settled for _, settled, _ in found)


@pytest.mark.parametrize(("size", "windows", "missed"), [(0.3, 10, 0.05), (1.0, 3, 0.0)])
def test_a_decay_is_nearly_over_when_it_ends(size, windows, missed):
    """More than 5 % still to go: 4 % of trials of a decay by 30 %, none of one that halves within two windows."""
    left = [gap for _, _, gap in trials(lambda window: 1 + size * math.exp(-window / windows))]
    assert np.mean([gap > 0.05 for gap in left]) <= missed
    assert np.median(left) <= NOISE


def test_a_decay_much_slower_than_the_floor_is_missed():
    """By 30 % with a time constant of 30 windows: nine trials in ten end with more than 5 % to go, half with 15 %."""
    left = [gap for _, _, gap in trials(lambda window: 1 + 0.3 * math.exp(-window / 30))]
    assert 0.8 <= np.mean([gap > 0.05 for gap in left]) <= 0.95, "say so in docs/BIAS.md"
    assert np.median(left) <= 0.16


def test_too_few_steps_for_a_judgement_are_not_called_settled():
    """Steps of a second: six or seven windows fit below the ceiling, and nothing can be said of them."""
    one = Simulated(lambda window: 1.0, step=1.0)
    answer = one.warm_up()
    assert one.windows <= QUICK.warm_ceiling + 1
    assert (answer["settled"], answer["steady_from"]) == (False, None)


def test_the_answer_says_by_which_rule():
    assert Simulated(lambda window: 1.0, noise=0.0).warm_up()["steady_rule"] == steady.RULE
