"""Skip-gram pairs as a loader starts from them: all of a text, and what a batch of them shares."""

from __future__ import annotations

import numpy as np

from benchmarks.data.log_uniform import draw, log_expected
from benchmarks.workload import Pairs


def pairs_of(declared: Pairs, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and context of every pair in a text, in its order."""
    window = declared.window
    at = np.arange(window, len(words) - window)
    offsets = np.array([d for d in range(-window, window + 1) if d])
    ids = np.asarray(words, np.int64)
    return ids[at].repeat(len(offsets)), ids[at[:, None] + offsets].ravel()


def with_negatives(
    declared: Pairs, centre: np.ndarray, context: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """A batch of pairs with its negatives and log expected counts, as a training step takes it."""
    size = declared.vocabulary
    drawn, noise, tries = draw(1, vocabulary=size, negatives=declared.negatives, rng=rng)
    return centre, context, drawn[0], log_expected(context, tries, size), noise[0]
