"""Negatives as the log-uniform (Zipf) sampler of the classic word2vec draws them, and the NCE loss they serve.

Id k of V has probability log((k + 2) / (k + 1)) / log(V + 1). One batch draws ids one after another and
throws repeated ones away until it has enough distinct ids; ``tries`` is how many draws that took.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def probability(vocabulary: int) -> Floats:
    """Return p(id) of a single draw, (vocabulary,)."""
    return np.asarray(np.log1p(1.0 / np.arange(1.0, vocabulary + 1.0)) / math.log(vocabulary + 1.0))


def log_expected(ids: NDArray[Any], tries: NDArray[Any] | int, vocabulary: int) -> NDArray[np.float32]:
    """Return log(1 - (1 - p(id)) ** tries), float32: TensorFlow's expected count of an id among distinct ones.

    Since tries depend on the ids, it is not quite how often an id is drawn: 64 of 50,000 words come 0 to 0.4 % less
    often.

    ``ids`` and ``tries`` are broadcast against each other; any ids can be asked, drawn or not.
    """
    once = np.log1p(1.0 / (np.asarray(ids) + 1.0)) / math.log(vocabulary + 1.0)
    return np.asarray(np.log(-np.expm1(tries * np.log1p(-once))), np.float32)


def draw(
    steps: int, *, vocabulary: int, negatives: int, rng: np.random.Generator
) -> tuple[Ints, NDArray[np.float32], Ints]:
    """Draw distinct ids (steps, negatives), in order, their log expected counts, and tries (steps,)."""
    if not 0 < negatives < vocabulary:
        raise ValueError(f"{negatives} distinct negatives cannot be drawn from {vocabulary} words")
    drawn = np.empty((steps, 0), np.int64)
    new = np.empty((steps, 0), bool)
    while (new.sum(axis=1) < negatives).any():
        uniform = rng.random((steps, max(2 * negatives, drawn.shape[1])))
        more = np.exp(uniform * math.log(vocabulary + 1.0)).astype(np.int64) - 1
        drawn = np.concatenate([drawn, np.minimum(more, vocabulary - 1)], axis=1)
        new = _first_in_row(drawn)
    found = new.cumsum(axis=1)
    kept = new & (found <= negatives)
    ids = drawn[kept].reshape(steps, negatives)
    tries = 1 + (found < negatives).sum(axis=1)
    return ids, log_expected(ids, tries[:, None], vocabulary), tries


def _first_in_row(ids: Ints) -> NDArray[np.bool_]:
    """Return whether an id (N, M) occurs for the first time in its row."""
    order = ids.argsort(axis=1, kind="stable")
    ranked = np.take_along_axis(ids, order, axis=1)
    first = np.ones(ids.shape, bool)
    first[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    out = np.empty_like(first)
    np.put_along_axis(out, order, first, axis=1)
    return out


def nce_loss(true: Floats, negative: Floats) -> float:
    """Return the NCE loss in nats of logits less log expected counts: (B,) of pairs, (B, S) of the shared negatives."""
    return float((np.logaddexp(0.0, -true) + np.logaddexp(0.0, negative).sum(axis=1)).mean())
