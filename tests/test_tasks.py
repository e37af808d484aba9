"""What each kind of data asks of a worker: batches, augmentation, metrics, generation; no framework, stub programs."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import LANGUAGE, RESNET, SKIPGRAM

from benchmarks import tasks
from benchmarks.data import skipgram
from benchmarks.tasks.images import ImagesTask
from benchmarks.tasks.inputs import generator, save_arrays
from benchmarks.tasks.text import GENERATED, PROMPT, TextTask, top_k
from benchmarks.workload import Recipe, Unmeasured

AUGMENTED = Recipe(
    name="book", data="real", epochs=1, augmentation="resize40_flip_crop32", accepted=Unmeasured(reason="a test")
)
PLAIN = dataclasses.replace(AUGMENTED, augmentation=None)


def hands(**parts):
    """A program on the host."""
    return SimpleNamespace(**{"place": lambda a: a, "to_numpy": np.asarray} | parts)


def rng(seed=0):
    return np.random.default_rng(seed)


# -- text --------------------------------------------------------------------------------------------


def text_task(folder, *, rows=3, steps=5, vocabulary=11, **arrays):
    save_arrays(folder, arrays)
    dataset = dataclasses.replace(LANGUAGE.dataset, steps=steps)
    assert vocabulary == dataset.vocabulary
    return TextTask(dataclasses.replace(LANGUAGE, dataset=dataset, batch_size=rows), folder, 0)


@given(st.integers(0, 120), st.integers(1, 7), st.integers(1, 6))
def test_rows_of_text_are_read_on_without_a_gap(length, rows, steps):
    text = np.arange(length)  # every word tells its position
    with tempfile.TemporaryDirectory() as folder:
        task = text_task(Path(folder), rows=rows, steps=steps, train=text)
        found = list(task.epoch(0))
        assert len(found) == task.workload.steps(length)
        for batch in found:
            x, y = batch.arrays
            assert x.shape == y.shape == (rows, steps)
            np.testing.assert_array_equal(y, x + 1)
            np.testing.assert_array_equal(batch.ids, x[:, 0])
    stretch = length // rows
    read = np.concatenate([batch.arrays[0] for batch in found], 1) if found else np.empty((rows, 0), int)
    np.testing.assert_array_equal(read, stretch * np.arange(rows)[:, None] + np.arange(read.shape[1]))
    assert stretch - steps <= read.shape[1] + 1 <= max(stretch, 1)  # only what fills no batch is left


def test_every_epoch_of_text_is_the_same(tmp_path):
    task = text_task(tmp_path, train=rng().integers(0, 11, 200))
    one, two = (list(task.epoch(number)) for number in (0, 1))
    assert len(one) == len(two) == 13
    assert all(np.array_equal(a.arrays, b.arrays) for a, b in zip(one, two, strict=True))
    assert tasks.epoch_digest(task, 1) != tasks.epoch_digest(task, 2)


def test_what_a_language_model_takes(tmp_path):
    task = text_task(tmp_path, train=np.arange(60) % 11)
    (batch,) = tasks.first(task, 1)
    for x, h, c in (task.forward_inputs(batch), task.predict_inputs(batch)):
        assert x is batch.arrays[0]
        assert h.shape == c.shape == (3, 6)
        assert h is not c
        assert not h.any() and not c.any()


class Summing:
    """A language whose next word depends on the sum of all words so far, so that a lost state shows."""

    def __init__(self, seed=0):
        self.table = rng(seed).normal(0, 2, (11, 11))
        self.calls = []

    def predict(self, x, h, c):
        self.calls.append(x.shape)
        assert h.dtype == c.dtype == np.float32
        np.testing.assert_array_equal(c, 2 * h)  # neither state is swapped nor made anew
        sums = h[:, :1].astype(int) + x.cumsum(1)
        last = np.repeat(sums[:, -1:], h.shape[1], 1).astype(np.float32)
        return self.table[sums % 11].astype(np.float32), last, 2 * last


def test_perplexity_of_a_program_that_knows_the_distribution(tmp_path):
    test = rng(1).integers(0, 11, 100)
    known = Summing()
    scores = text_task(tmp_path, test=test).evaluate(hands(predict=known.predict))
    total, count = 0.0, 0
    for row in test[:99].reshape(3, 33):
        for t in range(30):  # 6 batches of 5 words; the rest fills none
            logits = known.table[sum(row[: t + 1]) % 11]
            total += math.log(sum(math.exp(v) for v in logits)) - logits[row[t + 1]]
            count += 1
    assert list(scores) == ["perplexity"]
    assert scores["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-6)


def test_perplexity_of_equal_chances_is_the_vocabulary(tmp_path):
    task = text_task(tmp_path, test=rng(1).integers(0, 11, 100))
    same = hands(predict=lambda x, h, c: (np.full((*x.shape, 11), 3.0, np.float32), h, c))
    assert task.evaluate(same)["perplexity"] == pytest.approx(11)


def test_perplexity_is_the_exponent_of_the_entropy_for_who_knows_the_source(tmp_path):
    """A chain whose next word is one of two, with probabilities 1/4 and 3/4, whatever the word."""
    draws, words = rng(2).random(30_000) < 0.25, [0]
    for up in draws:
        words.append((words[-1] + (1 if up else 2)) % 11)
    task = text_task(tmp_path, rows=10, steps=20, test=np.array(words))
    p = np.zeros((11, 11))
    p[np.arange(11), (np.arange(11) + 1) % 11], p[np.arange(11), (np.arange(11) + 2) % 11] = 0.25, 0.75
    logits = np.log(np.maximum(p, 1e-30))
    found = task.evaluate(hands(predict=lambda x, h, c: (logits[x], h, c)))["perplexity"]
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    error = math.log(3) * math.sqrt(0.25 * 0.75 / 30_000)  # of the mean of -log p, which differs by log 3
    assert abs(math.log(found) - entropy) < 4 * error


@pytest.mark.parametrize("k", [1, 5])
def test_generation_goes_on_from_word_and_state(tmp_path, k):
    known, prompt = Summing(3), np.array([[4, 9, 1]])
    found = text_task(tmp_path).generate(hands(predict=known.predict), prompt, count=8, k=k, rng=rng(5))
    assert known.calls == [(1, 3)] + [(1, 1)] * 7
    words, draw = [4, 9, 1], rng(5)
    for word in found:
        logits = known.table[sum(words) % 11].astype(np.float32)
        assert word == (logits.argmax() if k == 1 else top_k(logits, k, draw))
        words.append(int(word))
    assert len(words) == 11


@pytest.mark.parametrize("calls", [1, GENERATED - 1, 2 * GENERATED])
def test_latencies_of_generation(tmp_path, calls):
    known = Summing()
    found = text_task(tmp_path, test=rng().integers(0, 11, 40)).single(hands(predict=known.predict), calls)
    assert len(found["seconds"]) == known.calls.count((1, 1)) == calls
    assert len(found["first_seconds"]) == known.calls.count((1, PROMPT)) == -(-calls // (GENERATED - 1))


def test_offline_text_is_as_large_as_asked(tmp_path):
    made = text_task(tmp_path, test=rng().integers(0, 11, 40)).offline(20)
    assert all((x.shape, h.shape, c.shape) == ((20, 5), (20, 6), (20, 6)) for x, h, c in made)
    assert len({x.tobytes() for x, _, _ in made}) == 4


# -- choice of a word --------------------------------------------------------------------------------

# -- images ------------------------------------------------------------------------------------------


def image_task(folder, workload=RESNET, seed=0, recipe=PLAIN, **arrays):
    save_arrays(folder, tasks.prepare(workload, recipe, arrays))
    return tasks.task(workload, folder, seed)


LARGE = dataclasses.replace(
    RESNET, dataset=dataclasses.replace(RESNET.dataset, shape=(32, 32, 3)), batch_size=4
)  # the same layers on images as large as CIFAR's


def pictures(count=10, seed=0):
    """Bytes in the declared form: (value / 255 - 0.5) / 0.5."""
    pixels = rng(seed).integers(0, 256, (count, 32, 32, 3))
    x = ((pixels / 255 - 0.5) / 0.5).astype(np.float32)
    return {"train_x": x, "train_y": np.arange(count), "test_x": x[:3], "test_y": np.arange(3)}


def test_batches_of_images_are_shuffled_pairs(tmp_path):
    arrays = pictures()
    task = image_task(tmp_path, LARGE, **arrays)
    one, two = (list(task.epoch(number)) for number in (0, 1))
    assert len(one) == 2 == LARGE.steps(10)
    for ids, (x, y) in one:
        np.testing.assert_array_equal(x, arrays["train_x"][ids])
        np.testing.assert_array_equal(y, ids)
    assert [b.ids.tolist() for b in one] != [b.ids.tolist() for b in two]
    assert task.forward_inputs(one[0])[0] is task.predict_inputs(one[0])[0] is one[0].arrays[0]


def test_without_augmentation_nothing_is_prepared():
    arrays = pictures()
    assert tasks.prepare(LARGE, PLAIN, arrays) is arrays


def test_augmented_batches(tmp_path):
    arrays = pictures()
    task = image_task(tmp_path, LARGE, recipe=AUGMENTED, **arrays)
    plain = ImagesTask(LARGE, tmp_path, 0)
    for number in (0, 1):
        for (ids, (x, y)), again in zip(task.epoch(number), plain.epoch(number), strict=True):
            assert x.shape == (4, 32, 32, 3)
            assert x.dtype == np.float32
            assert -1 <= x.min() < -0.5 and 0.5 < x.max() <= 1
            np.testing.assert_array_equal(y, ids)
            np.testing.assert_array_equal(x, again.arrays[0])
    np.testing.assert_array_equal(np.load(tmp_path / "test_x.npy"), arrays["test_x"])


def test_every_epoch_and_seed_crops_anew(tmp_path):
    """All images are the same, so that the order does not show, but the crops do."""
    arrays = pictures()
    arrays["train_x"] = np.repeat(arrays["train_x"][:1], 10, 0)
    made = [image_task(tmp_path, LARGE, seed, AUGMENTED, **arrays) for seed in (0, 1)]
    seen = [
        np.concatenate([x for _, (x, _) in task.epoch(n)]) for task, n in ((made[0], 0), (made[0], 1), (made[1], 0))
    ]
    for i, one in enumerate(seen):
        assert len({x.tobytes() for x in one}) >= 7  # of 8; one of 162 crops may come again
        for other in seen[:i]:
            assert sum(np.array_equal(x, y) for x, y in zip(one, other, strict=True)) <= 1


def test_augmentation_keeps_the_scale(tmp_path):
    """Of one colour, every crop is the image itself."""
    grey = np.repeat(np.arange(0, 250, 25), 32 * 32 * 3).reshape(10, 32, 32, 3)
    x = ((grey / 255 - 0.5) / 0.5).astype(np.float32)
    task = image_task(tmp_path, LARGE, recipe=AUGMENTED, **pictures() | {"train_x": x})
    for ids, (found, _) in task.epoch(0):
        np.testing.assert_allclose(found, x[ids], atol=1e-6)


@pytest.mark.parametrize("count", [3, 499, 500, 501, 1_234])
def test_accuracy_counts_every_test_image_once(tmp_path, count):
    y = rng().integers(0, 10, count)
    x = np.zeros((count, 8, 8, 3), np.float32)
    x[:, 0, 0, 0] = guess = np.where(rng(1).random(count) < 0.7, y, (y + 1) % 10)
    task = image_task(tmp_path, test_x=x, test_y=y)
    sizes = []

    def predict(images):
        sizes.append(len(images))
        return np.eye(10)[images[:, 0, 0, 0].astype(int)]

    assert task.evaluate(hands(predict=predict)) == {"accuracy": (guess == y).mean()}
    assert set(sizes) == {min(500, count)}  # one shape, for functions that are traced


def test_accuracy_with_batch_statistics_comes_from_the_training_mode(tmp_path):
    y = np.arange(40) % 10
    workload = dataclasses.replace(RESNET, also_batch_statistics=True)
    task = image_task(tmp_path, workload, test_x=np.zeros((40, 8, 8, 3), np.float32), test_y=y)
    sizes = []

    def forward(images):  # always says 0
        sizes.append(len(images))
        return np.eye(10)[np.zeros(len(images), int)]

    scores = task.evaluate(hands(predict=lambda images: np.eye(10)[np.ones(len(images), int)], forward=forward))
    assert list(scores) == ["accuracy", "accuracy_batch_statistics"]
    assert scores == {"accuracy": 0.1, "accuracy_batch_statistics": 4 / 32}
    assert sizes == [16, 16]


# -- pairs -------------------------------------------------------------------------------------------


def pairs_task(folder, seed=0, **arrays):
    save_arrays(folder, arrays)
    return tasks.task(SKIPGRAM, folder, seed)


def test_pairs_are_those_of_the_sampler(tmp_path):
    ids = rng().integers(0, 30, 100)
    task = pairs_task(tmp_path, seed=7, train=ids)
    for number in (0, 1):
        want = skipgram.batches(
            ids, vocabulary=30, window=1, negatives=5, batch_size=8, rng=generator(7, "pairs", number)
        )
        found = list(task.epoch(number))
        for batch, arrays in zip(found, want, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(batch.arrays, arrays, strict=True))
            assert task.forward_inputs(batch) == batch.arrays
            assert task.predict_inputs(batch) == batch.arrays[:1]
        assert np.concatenate([batch.ids for batch in found]).tolist() == list(range(8 * len(found)))
    digests = {tasks.epoch_digest(pairs_task(tmp_path, seed), n) for seed in (0, 1) for n in (1, 2)}
    assert len(digests) == 4


@pytest.mark.parametrize("words", [0, 1, 2, 5, 6, 9, 10, 100])
def test_steps_of_an_epoch_of_pairs(tmp_path, words):
    task = pairs_task(tmp_path, train=np.zeros(words, int))
    assert len(list(task.epoch(0))) == SKIPGRAM.steps(words)


def test_word_vectors_are_scored_as_they_were_trained(tmp_path):
    arrays = {"test": rng().integers(0, 30, 400), "words": np.array([f"w{i}" for i in range(30)])}
    e, w, b = rng(1).normal(0, 1, (30, 4)), rng(2).normal(0, 1, (30, 4)), rng(3).normal(0, 1, 30)
    tensors = {"embedding.weight": e, "nce.weight": w, "nce.bias": b}
    scores = pairs_task(tmp_path, train=arrays["test"], **arrays).evaluate(hands(tensors=lambda: tensors))
    losses = []
    for centre, context, noise, log_true, log_noise in skipgram.held_out_batches(
        arrays["test"], vocabulary=30, window=1, negatives=5
    ):
        true = (e[centre] * w[context]).sum(1) + b[context] - log_true
        negative = e[centre] @ w[noise].T + b[noise] - log_noise
        losses.append((np.log1p(np.exp(-true)) + np.log1p(np.exp(negative)).sum(1)).mean())
    assert len(losses) == 6
    assert next(iter(scores)) == "nce_loss"
    assert scores["nce_loss"] == pytest.approx(np.mean(losses))


def angles(*degrees):
    """Vectors in the plane, of many lengths: cosines must not depend on them."""
    at = np.radians(degrees)
    return (np.arange(1, len(at) + 1) * np.array([np.cos(at), np.sin(at)])).T.astype(np.float32)


def test_nearest_words_are_those_of_the_smallest_angles(tmp_path):
    """Every word is asked but the first, which stands for all others; rows beyond the words are unused."""
    words = np.array(["UNK", "king", "queen", "apple"])
    task = pairs_task(tmp_path, words=words)
    tensors = {"embedding.weight": angles(100, 0, 20, 50, 1)}
    assert task.samples(hands(tensors=lambda: tensors)) == {
        "king": "queen, apple, UNK",
        "queen": "king, apple, UNK",
        "apple": "queen, king, UNK",
    }


def test_planted_words_are_asked_where_there_are_some(tmp_path):
    words = np.array([f"w{i}" for i in range(30)])
    task = pairs_task(tmp_path, words=words, groups=np.array([[9, 4], [20, 7]]))
    degrees = rng().permutation(30) * 6.0
    found = task.samples(hands(tensors=lambda: {"embedding.weight": angles(*degrees)}))
    assert list(found) == ["w4", "w7", "w9", "w20"]
    for word, told in found.items():
        at = degrees[int(word[1:])]
        by_angle = sorted(range(30), key=lambda i: abs(degrees[i] - at))  # no two equal but on either side
        assert len(told.split(", ")) == skipgram.NEAREST
        assert {abs(degrees[int(w[1:])] - at) for w in told.split(", ")} == {
            abs(degrees[i] - at) for i in by_angle[1:9]
        }


def test_the_words_asked_are_spread_over_the_frequent_ones():
    assert skipgram.asked(50_000, None).tolist() == [1 + int(319 * i / 15) for i in range(16)]
    assert skipgram.asked(1, None).tolist() == []
    grid = rng().permutation(800).reshape(80, 10) + 20
    assert skipgram.asked(50_000, grid).tolist() == [20 + int(319 * i / 15) for i in range(16)]


def test_images_have_no_samples(tmp_path):
    assert (
        image_task(tmp_path, test_x=np.zeros((3, 8, 8, 3), np.float32), test_y=np.zeros(3, int)).samples(hands()) == {}
    )


def test_inference_on_word_vectors(tmp_path):
    asked = []
    task = pairs_task(tmp_path)
    found = task.single(hands(predict=lambda words: asked.append(words.tolist()) or words), 40)
    assert len(found["seconds"]) == 40
    assert asked == [[i % 30] for i in range(40)]
    made = [words for (words,) in task.offline(50)]
    assert all(words.shape == (50,) and 0 <= words.min() <= words.max() < 30 for words in made)
    assert len({words.tobytes() for words in made}) == 4


# -- of all kinds ------------------------------------------------------------------------------------


def test_data_that_fill_no_batch_are_refused(tmp_path):
    with pytest.raises(ValueError, match="do not fill one batch"):
        tasks.first(text_task(tmp_path, train=np.arange(15)), 1)
    assert len(tasks.first(text_task(tmp_path, train=np.arange(18)), 4)) == 4
