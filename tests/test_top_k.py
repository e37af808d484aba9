"""Drawing the next word from logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from benchmarks.tasks.text import log_probability, top_k


def rng(seed=0):
    return np.random.default_rng(seed)


logits_lists = st.lists(st.integers(-3, 3), min_size=1, max_size=8)  # with ties


@given(logits_lists)
def test_top_1_is_the_largest_and_draws_nothing(values):
    source = rng()
    assert top_k(np.array(values, np.float32), 1, source) == values.index(max(values))
    assert source.random() == rng().random()


@given(logits_lists, st.integers(2, 5), st.integers(0, 99))
def test_top_k_is_one_of_the_k_largest(values, k, seed):
    best = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    assert top_k(np.array(values, np.float32), k, rng(seed)) in best


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_top_k_draws_in_proportion(shift):
    logits = np.array([0.5, -9.0, 1.5, 0.0, 1.0], np.float32) + np.float32(shift)
    source, count = rng(1), 4_000
    seen = np.bincount([top_k(logits, 3, source) for _ in range(count)], minlength=5)
    assert seen[1] == seen[3] == 0
    weights = np.exp([0.5, 1.5, 1.0])
    assert chisquare(seen[[0, 2, 4]], count * weights / weights.sum()).pvalue > 1e-4


@given(st.integers(0, 99), st.sampled_from([np.float32, np.float64]), st.floats(-1e3, 1e3))
def test_probabilities_sum_to_one(seed, kind, shift):
    logits = (rng(seed).normal(0, 3, (2, 4, 1, 9)) + shift).astype(kind)
    every = log_probability(np.broadcast_to(logits, (2, 4, 9, 9)), np.broadcast_to(np.arange(9), (2, 4, 9)))
    np.testing.assert_allclose(np.exp(every).sum(-1), 1, rtol=1e-5 if kind is np.float32 else 1e-12)
    np.testing.assert_allclose(every - every[..., :1], (logits - logits[..., :1])[:, :, 0], atol=1e-4)
