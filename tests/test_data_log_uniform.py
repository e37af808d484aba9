"""The sampler of negatives against its own definition, written out word by word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chisquare

from benchmarks.data import log_uniform

SIZES = [(50_000, 64), (100, 5), (12, 11), (40, 1), (2, 1)]  # vocabulary, negatives


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("vocabulary", [1, 2, 40, 50_000])
def test_probability(vocabulary: int) -> None:
    found = log_uniform.probability(vocabulary)
    some = range(0, vocabulary, max(1, vocabulary // 50))
    expected = [(math.log(k + 2) - math.log(k + 1)) / math.log(vocabulary + 1) for k in some]
    np.testing.assert_allclose(found[list(some)], expected, rtol=1e-9)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(found) < 0).all()


def one_by_one(vocabulary: int, negatives: int, uniform: np.ndarray) -> tuple[list[int], int]:
    """Ids and tries of one batch from a row of uniform numbers."""
    ids: list[int] = []
    for tries, u in enumerate(uniform, start=1):
        k = min(int(math.exp(u * math.log(vocabulary + 1))) - 1, vocabulary - 1)
        if k not in ids:
            ids.append(k)
        if len(ids) == negatives:
            return ids, tries
    raise AssertionError("too few numbers")


class Recorded:
    """A generator that keeps the uniform numbers it gave."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def random(self, shape: tuple[int, int]) -> np.ndarray:
        self.given.append(rng(len(self.given)).random(shape))
        return self.given[-1]


@pytest.mark.parametrize(("vocabulary", "negatives"), SIZES)
def test_draws_are_rejection_sampling_one_by_one(vocabulary: int, negatives: int) -> None:
    recorded = Recorded()
    ids, expected, tries = log_uniform.draw(30, vocabulary=vocabulary, negatives=negatives, rng=recorded)  # type: ignore[arg-type]
    assert (ids.dtype, expected.dtype, tries.dtype) == (np.int64, np.float32, np.int64)
    assert ids.shape == expected.shape == (30, negatives)
    assert tries.shape == (30,)
    p = log_uniform.probability(vocabulary)
    for row, numbers in enumerate(np.concatenate(recorded.given, axis=1)):
        assert (ids[row].tolist(), tries[row]) == one_by_one(vocabulary, negatives, numbers)
        np.testing.assert_allclose(expected[row], np.log(1 - (1 - p[ids[row]]) ** tries[row]), rtol=1e-4, atol=1e-6)


def test_log_expected_of_any_ids() -> None:
    ids, tries = np.array([[0, 1], [7, 49_999]]), np.array([[64], [90]])
    found = log_uniform.log_expected(ids, tries, 50_000)
    p = log_uniform.probability(50_000)
    expected = [[math.log1p(-((1 - p[k]) ** n)) for k in row] for row, n in zip(ids, (64, 90), strict=True)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(
        np.exp(log_uniform.log_expected(np.arange(9), 1, 9)), log_uniform.probability(9), rtol=1e-5
    )
    assert np.isfinite(log_uniform.log_expected(np.arange(50_000), 10**6, 50_000)).all()


@pytest.mark.parametrize(("vocabulary", "p_value"), [(1_000, 1e-3), (50_000, 1e-3)])
def test_a_single_draw_has_the_log_uniform_probability(vocabulary: int, p_value: float) -> None:
    ids, _, tries = log_uniform.draw(60_000, vocabulary=vocabulary, negatives=1, rng=rng())
    assert (tries == 1).all()
    bins = np.minimum(ids[:, 0], 100)
    p = log_uniform.probability(vocabulary)
    expected = np.append(p[:100], p[100:].sum()) * len(ids)
    assert chisquare(np.bincount(bins, minlength=101), expected * len(ids) / expected.sum()).pvalue > p_value


def test_expected_counts_are_how_often_an_id_is_drawn() -> None:
    """Tries depend on the ids drawn, so that TensorFlow's count is no exact probability, but close to one."""
    steps = 20_000
    ids, _, tries = log_uniform.draw(steps, vocabulary=50_000, negatives=64, rng=rng())
    first = np.arange(200)
    seen = np.bincount(ids.reshape(-1), minlength=50_000)[:200] / steps
    expected = np.exp(log_uniform.log_expected(first[:, None], tries, 50_000).astype(np.float64)).mean(axis=1)
    error = np.sqrt(expected * (1 - expected) / steps)
    assert (np.abs(seen - expected) < 5 * error + 0.01 * expected).all()
    assert abs((seen / expected).mean() - 1) < 0.01


def test_draws_are_distinct_and_repeatable() -> None:
    one = log_uniform.draw(500, vocabulary=50_000, negatives=64, rng=rng(3))
    two = log_uniform.draw(500, vocabulary=50_000, negatives=64, rng=rng(3))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (np.diff(np.sort(one[0], axis=1), axis=1) > 0).all()
    assert (one[2] >= 64).all()
    assert (log_uniform.draw(500, vocabulary=50_000, negatives=64, rng=rng(4))[0] != one[0]).any()


def test_no_steps_are_no_draws() -> None:
    ids, expected, tries = log_uniform.draw(0, vocabulary=50, negatives=4, rng=rng())
    assert ids.shape == expected.shape == (0, 4)
    assert tries.shape == (0,)


@pytest.mark.parametrize(("vocabulary", "negatives"), [(10, 10), (10, 11), (10, 0), (1, 1)])
def test_more_than_there_are_is_an_error(vocabulary: int, negatives: int) -> None:
    with pytest.raises(ValueError, match="distinct negatives"):
        log_uniform.draw(3, vocabulary=vocabulary, negatives=negatives, rng=rng())


def test_nce_loss_written_out() -> None:
    true, noise = rng(1).normal(size=5), rng(2).normal(size=(5, 3))
    expected = sum(math.log1p(math.exp(-true[i])) + sum(math.log1p(math.exp(v)) for v in noise[i]) for i in range(5))
    assert log_uniform.nce_loss(true, noise) == pytest.approx(expected / 5, rel=1e-12)
    assert log_uniform.nce_loss(np.array([-900.0]), np.array([[900.0]])) == 1800.0
