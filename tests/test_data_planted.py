"""The planted language: what is drawn has the probabilities claimed, and the optimum claimed is the optimum."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import chisquare

from benchmarks.data import log_uniform, planted, skipgram
from benchmarks.data.planted import Split

FULL, SMALL = 50_000, 80
SIZES = (planted.MIN_VOCABULARY, SMALL, 700, FULL)


@lru_cache(maxsize=8)
def drawn(count: int, vocabulary: int = SMALL, seed: int = 0, split: Split = "train") -> np.ndarray:
    return planted.sample(count, vocabulary=vocabulary, seed=seed, split=split)


# Version 1 for ever. A failure here means that the data changed: take a new planted.VERSION, or undo the change.
PINNED: dict[Split, tuple[list[int], str]] = {
    "train": (
        [11187, 15792, 2015, 7, 3, 1910, 1874, 16360, 984, 2, 19, 5148, 23245, 8, 31505, 23],
        "1e79459c0b1fb19b0b6da4952df14c146850e4956b049d316802e7409f32bb7f",
    ),
    "test": (
        [5120, 1408, 37623, 8, 9010, 6, 38383, 28476, 1, 27, 27, 513, 158, 131, 131, 252],
        "c7b9fbf08b509a83184e01d1989ae7aa4c1a4820374aaf2fdcda59483c080f6d",
    ),
}


@pytest.mark.parametrize("split", list(PINNED))
def test_version_1_is_what_it_always_was(split: Split) -> None:
    first, digest = PINNED[split]
    ids = planted.sample(20_000, vocabulary=FULL, seed=0, split=split)
    assert planted.VERSION == 1
    assert ids.dtype == np.int64
    assert ids[:16].tolist() == first
    assert hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest() == digest


@pytest.mark.parametrize("count", [0, 1, 999, 66_000, 150_000])
def test_a_shorter_sample_is_the_beginning_of_a_longer(count: int) -> None:
    found = planted.sample(count, vocabulary=SMALL, seed=0, split="train")
    assert len(found) == count
    np.testing.assert_array_equal(found, drawn(400_000)[:count])


def test_streams_and_seeds_differ() -> None:
    samples = [drawn(5_000, FULL, seed, split) for seed in (0, 1, 2) for split in ("train", "test")]
    alike = float((planted.language(FULL).frequency ** 2).sum())  # how often two independent streams agree
    for i, one in enumerate(samples):
        for two in samples[:i]:
            assert abs((one == two).mean() - alike) < 5 * math.sqrt(alike / len(one))


@pytest.mark.parametrize("vocabulary", SIZES)
def test_language_is_a_language(vocabulary: int) -> None:
    known = planted.language(vocabulary)
    assert (np.diff(known.frequency) < 0).all()
    ranks = np.arange(vocabulary) + planted.SHIFT
    np.testing.assert_allclose(known.frequency * ranks, known.frequency[0] * planted.SHIFT)
    assert known.frequency.sum() == pytest.approx(1.0)
    assert known.mass.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(known.dense.sum(axis=1), 1.0)
    assert known.dense.min() >= 0 and known.dense[:, 0].min() > 0.02 - 1e-12
    assert known.dense.shape[1] == len(known.mass) == 1 + sum(known.grid.shape) <= 128
    assert len(np.unique(known.grid)) == known.grid.size
    with pytest.raises(ValueError):
        known.frequency[0] = 0.0
    if vocabulary == FULL:
        assert known.grid.shape == (80, 10)


def test_no_language_below_a_size() -> None:
    with pytest.raises(ValueError, match="at least 64 words, got 63"):
        planted.sample(10, vocabulary=63, seed=0, split="train")


def transitions(vocabulary: int) -> np.ndarray:
    """p(next | word), (V, V), from shares and topics written out."""
    known = planted.language(vocabulary)
    shares = np.zeros((vocabulary, len(known.mass)))
    for word in range(vocabulary):
        for topic, share in zip(known.topics[word], known.shares[word], strict=True):
            shares[word, topic] += share
    of_topic = known.frequency[:, None] * shares
    return shares @ (of_topic / of_topic.sum(axis=0)).T


@pytest.mark.parametrize("vocabulary", [64, SMALL, 700])
def test_probabilities_are_those_of_the_chain(vocabulary: int) -> None:
    """Stationary distribution by power iteration, then the average of the step forward and the step back."""
    step = transitions(vocabulary)
    stationary = np.full(vocabulary, 1 / vocabulary)
    for _ in range(200):
        stationary = stationary @ step
    np.testing.assert_allclose(stationary, planted.language(vocabulary).frequency, rtol=1e-9)
    back = step.T * stationary / stationary[:, None]
    ids = np.arange(vocabulary)
    found = planted.pair_log_probability(ids[:, None], ids, vocabulary=vocabulary)
    np.testing.assert_allclose(np.exp(found), (step + back) / 2, rtol=1e-9)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)


@pytest.mark.parametrize("split", ["train", "test"])
def test_pairs_are_as_frequent_as_claimed(split: Split) -> None:
    """Over the seams of the chains drawn side by side too: there are some 1,500 in this sample."""
    ids = drawn(400_000, SMALL, 0, split)
    counts = np.bincount(ids[:-1] * SMALL + ids[1:], minlength=SMALL**2)
    words = np.arange(SMALL)
    log_p = planted.pair_log_probability(words[:, None], words, vocabulary=SMALL)
    expected = (planted.language(SMALL).frequency[:, None] * np.exp(log_p)).reshape(-1) * (len(ids) - 1)
    assert chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-3


def test_seams_do_not_show() -> None:
    """Words two and more apart are as the chain has them, wherever a chain ends."""
    ids = drawn(400_000)
    step = transitions(SMALL)
    joint = planted.language(SMALL).frequency[:, None] * np.linalg.matrix_power(step, 3)
    counts = np.bincount(ids[:-3:3] * SMALL + ids[3::3], minlength=SMALL**2)
    expected = joint.reshape(-1) * counts.sum() / joint.sum()
    assert chisquare(counts, expected).pvalue > 1e-3


def test_marginal_is_zipf() -> None:
    ids = drawn(400_000, FULL)
    p = planted.language(FULL).frequency
    edges = np.unique(np.geomspace(1, FULL, 40).astype(int)) - 1  # bins of ranks
    expected = np.add.reduceat(p, edges) * len(ids)
    counts = np.add.reduceat(np.bincount(ids, minlength=FULL), edges)
    # a word is a little likelier near itself, so that counts vary somewhat more than independent ones
    assert (((counts - expected) ** 2 / expected).sum()) < 3 * len(edges)


def expected_loss(score: np.ndarray, log_expected: np.ndarray) -> float:
    """NCE loss over all pairs when every word is a negative as often as its expected count says."""
    p = planted.language(SMALL).frequency
    words = np.arange(SMALL)
    log_p = planted.pair_log_probability(words[:, None], words, vocabulary=SMALL)
    logit = score - log_expected
    per_pair = np.exp(log_p) * np.logaddexp(0, -logit) + np.exp(log_expected) * np.logaddexp(0, logit)
    return float(p @ per_pair.sum(axis=1))


def test_the_optimum_is_where_no_score_is_better() -> None:
    words = np.arange(SMALL)
    best = planted.pair_log_probability(words[:, None], words, vocabulary=SMALL)
    log_expected = log_uniform.log_expected(words, 12, SMALL).astype(np.float64)
    least = expected_loss(best, log_expected)
    generator = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            change = size * generator.normal(size=(SMALL, SMALL))
            more, less = (expected_loss(best + sign * change, log_expected) - least for sign in (1, -1))
            assert more > 0 and less > 0
            if size <= 1e-2:
                assert more == pytest.approx(less, rel=0.1)  # no slope is left, the rest is curvature


def losses(ids: np.ndarray, score: np.ndarray) -> np.ndarray:
    """NCE loss of a table of scores (V, V) on each test batch."""
    return np.array(
        [
            log_uniform.nce_loss(score[w, c] - log_true, score[w][:, n] - log_noise)
            for w, c, n, log_true, log_noise in skipgram.held_out_batches(ids, vocabulary=SMALL, window=1, negatives=8)
        ]
    )


def test_nothing_beats_the_optimum_on_drawn_batches() -> None:
    """Not by more than chance: another observer's advantage lies within its standard error."""
    ids = drawn(60_000, SMALL, 1, "test")
    words = np.arange(SMALL)
    best = planted.pair_log_probability(words[:, None], words, vocabulary=SMALL)
    optimum = losses(ids, best)
    train = drawn(400_000)
    counted = np.full((SMALL, SMALL), 0.5)
    np.add.at(counted, (train[:-1], train[1:]), 1)
    np.add.at(counted, (train[1:], train[:-1]), 1)
    generator = np.random.default_rng(0)
    others = {
        "unigrams": np.broadcast_to(np.log(planted.language(SMALL).frequency), (SMALL, SMALL)),
        "counts": np.log(counted / counted.sum(axis=1, keepdims=True)),
        "higher": best + 0.2,
        "lower": best - 0.2,
        "sharper": 1.1 * best,
        "blunter": 0.9 * best,
        "blurred": best + 0.3 * generator.normal(size=best.shape),
    }
    for name, score in others.items():
        worse = losses(ids, score) - optimum
        error = worse.std() / math.sqrt(len(worse))
        assert worse.mean() > (4 * error if name != "counts" else -4 * error), name


def test_optimal_loss_is_the_loss_of_the_log_probability() -> None:
    ids = drawn(2_000)
    words = np.arange(SMALL)
    best = planted.pair_log_probability(words[:, None], words, vocabulary=SMALL)
    found = [
        planted.optimal_loss(*batch, vocabulary=SMALL)
        for batch in skipgram.held_out_batches(ids, vocabulary=SMALL, window=1, negatives=8)
    ]
    np.testing.assert_allclose(found, losses(ids, best), rtol=1e-12)


def test_optimum_lies_far_below_what_frequencies_alone_reach() -> None:
    ids = drawn(20_000, FULL, 0, "test")
    log_p = np.log(planted.language(FULL).frequency)
    best, flat = [], []
    for batch in skipgram.held_out_batches(ids, vocabulary=FULL, window=1, negatives=64):
        _, context, noise, log_true, log_noise = batch
        best.append(planted.optimal_loss(*batch, vocabulary=FULL))
        flat.append(log_uniform.nce_loss(log_p[context] - log_true, (log_p[noise] - log_noise)[None].repeat(128, 0)))
    assert 4.0 < np.mean(best) < 4.3
    assert np.mean(flat) > np.mean(best) + 0.9


def test_similarity_is_the_cosine_of_shares() -> None:
    known = planted.language(FULL)
    grid = known.grid
    pairs = np.array([[grid[3, 4], grid[3, 9]], [grid[3, 4], grid[8, 4]], [grid[3, 4], grid[3, 4]], [0, grid[3, 4]]])
    group, form, same, background = planted.similarity(pairs, vocabulary=FULL)
    one, two = known.dense[known.row[pairs[0]], 1:]
    assert group == pytest.approx(one @ two / math.sqrt((one @ one) * (two @ two)))
    assert same == pytest.approx(1.0)
    assert background == 0.0
    assert 0.5 < group < 0.9
    assert 0.1 < form < 0.5


def test_questions_hold_in_the_planted_vectors() -> None:
    """The shares themselves answer nearly all: what a model misses, it has not learnt."""
    known = planted.language(FULL)
    vectors = known.dense[1:, 1:] / np.linalg.norm(known.dense[1:, 1:], axis=1, keepdims=True)
    a, b, c, d = known.row[planted.analogies(200, vocabulary=FULL)].T - 1
    score = (vectors[b] - vectors[a] + vectors[c]) @ vectors.T
    for given in (a, b, c):
        score[np.arange(200), given] = -np.inf
    assert (score.argmax(axis=1) == d).mean() > 0.9
    pairs = planted.questions(100, vocabulary=FULL)
    assert pairs.shape == (300, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    kinds = planted.similarity(pairs, vocabulary=FULL).reshape(3, 100).mean(axis=1)
    assert kinds[0] > kinds[1] + 0.2 > kinds[2] + 0.3


def test_neighbours_are_the_rest_of_the_group() -> None:
    grid = planted.language(FULL).grid
    found = planted.neighbours(int(grid[7, 3]), vocabulary=FULL)
    assert sorted([*found, grid[7, 3]]) == sorted(grid[7])
    assert len(planted.neighbours(0, vocabulary=FULL)) == 0
    assert len(planted.neighbours(FULL - 1, vocabulary=FULL)) == 0


def test_names_tell_the_place() -> None:
    names = planted.words(vocabulary=FULL)
    assert names.shape == (FULL,)
    assert len(set(names.tolist())) == FULL
    assert (names[0], names[FULL - 1]) == ("w00000", "w49999")
    assert names[planted.language(FULL).grid[12, 3]] == "g012_03"
