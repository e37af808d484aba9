"""The float64 reference as a whole: gradients against central differences, losses and optimisers written out."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import LANGUAGE, SKIPGRAM, SMALL, batches

from benchmarks.certificate.reference import Reference, softmax_cross_entropy
from benchmarks.certificate.reference_layers import Context, forward
from benchmarks.frameworks.base import Conventions
from benchmarks.layers import BatchNorm, Constant, Conv2D, MaxPool2D
from benchmarks.tasks.inputs import initial_tensors
from benchmarks.workload import SGD, Adagrad, discover

TORCH = Conventions(adam_epsilon="after", running_variance="unbiased")
KERAS = Conventions(adam_epsilon="before", running_variance="biased")
MNIST = {f.workload.key: f.workload for f in discover() if f.workload.dataset.name == "mnist"}


def losses_beside(workload, tensors, batch, name, where, h):
    """The loss with one element of one tensor moved by h and by -h."""
    for step in (h, -h):
        r = Reference(workload, tensors, TORCH)
        r.tensors[name] = r.tensors[name].copy()
        r.tensors[name][where] += step
        yield r.gradients(*batch)[1]


@pytest.mark.parametrize("key", MNIST)
def test_gradients_agree_with_central_differences(key):
    w = dataclasses.replace(MNIST[key].without_dropout(), batch_size=4)
    tensors, (batch,) = initial_tensors(w, 0), batches(w, 1)
    _, _, gradients = Reference(w, tensors, TORCH).gradients(*batch)
    h = 1e-6
    for name, g in gradients.items():
        where = np.unravel_index(np.abs(g).argmax(), g.shape)
        up, down = losses_beside(w, tensors, batch, name, where, h)
        assert (up - down) / (2 * h) == pytest.approx(g[where], rel=1e-5), name


def random_tensors(workload, seed=0):
    """States, too, are not 0."""
    rng = np.random.default_rng(seed)
    moved = {t.name: rng.uniform(0.1, 0.5, t.shape) for t in workload.tensors if not t.trainable}
    return initial_tensors(workload, seed) | moved


@pytest.mark.parametrize("workload", SMALL.values(), ids=SMALL)
def test_gradients_of_small_models_agree_element_by_element(workload):
    tensors, (batch,) = random_tensors(workload), batches(workload, 1)
    _, _, gradients = Reference(workload, tensors, TORCH).gradients(*batch)
    assert set(gradients) == {t.name for t in workload.tensors if t.trainable}
    rng, h = np.random.default_rng(0), 1e-5
    whole = max(np.abs(g).max() for g in gradients.values())
    for name, g in gradients.items():
        for index in rng.choice(g.size, min(g.size, 40), replace=False):
            where = np.unravel_index(index, g.shape)
            up, down = losses_beside(workload, tensors, batch, name, where, h)
            assert (up - down) / (2 * h) == pytest.approx(g[where], rel=0, abs=1e-8 * max(1.0, whole)), name


def test_convolution_against_direct_sums():
    layer = Conv2D(name="c", filters=3, kernel=3, weight=Constant(value=0.0), bias=Constant(value=0.0))
    rng = np.random.default_rng(0)
    x, w, b = rng.random((2, 5, 4, 2)), rng.random((3, 3, 2, 3)), rng.random(3)
    out = forward(layer, x, Context({"weight": w, "bias": b}, True, TORCH))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i in range(5):
        for j in range(4):
            want = np.einsum("nhwc,hwcf->nf", padded[:, i : i + 3, j : j + 3], w) + b
            np.testing.assert_allclose(out[:, i, j], want)


def test_pooling_takes_the_maximum():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    out = forward(MaxPool2D(size=2), x, Context({}, True, TORCH))
    assert out.ravel().tolist() == [5, 7, 13, 15]


@pytest.mark.parametrize(("conventions", "factor"), [(TORCH, 64 / 63), (KERAS, 1.0)])
def test_running_variance_conventions(conventions, factor):
    layer = BatchNorm(name="b", momentum=0.1)
    x = np.random.default_rng(0).normal(3, 2, (64, 5))
    c = Context(
        {"weight": np.ones(5), "bias": np.zeros(5), "running_mean": np.zeros(5), "running_variance": np.ones(5)},
        True,
        conventions,
    )
    out = forward(layer, x, c)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(c.tensors["running_mean"], 0.1 * x.mean(0))
    np.testing.assert_allclose(c.tensors["running_variance"], 0.9 + 0.1 * x.var(0) * factor)


def test_adam_forms_after_one_step():
    """Both forms in closed form: 'before' acts as an epsilon larger by 1 / sqrt(1 - beta2)."""
    w = MNIST["mnist_mlp"].without_dropout()
    tensors = initial_tensors(w, 0)
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 784)), rng.integers(0, 10, 8)
    a, b = Reference(w, tensors, TORCH), Reference(w, tensors, KERAS)
    _, _, g = a.step(x, y)
    b.step(x, y)
    rate, d = 1e-4, w.optimiser.epsilon
    g = g["fc3.bias"]
    # After one step m / one = g and v / two = g², so the two forms are these:
    moved_a, moved_b = (r.tensors["fc3.bias"] - tensors["fc3.bias"] for r in (a, b))
    np.testing.assert_allclose(moved_a, -rate * g / (np.abs(g) + d), rtol=1e-6)
    np.testing.assert_allclose(moved_b, -rate * g / (np.abs(g) + d / np.sqrt(1 - w.optimiser.beta2)), rtol=1e-6)


def test_loss_of_uniform_logits_is_log_of_classes():
    value, g = softmax_cross_entropy(np.zeros((6, 10)), np.arange(6))
    assert value == pytest.approx(np.log(10))
    np.testing.assert_allclose(g.sum(1), 0, atol=1e-15)


def test_training_with_dropout_is_refused():
    w = MNIST["mnist_mlp"]
    r = Reference(w, initial_tensors(w, 0), TORCH)
    with pytest.raises(ValueError, match="without dropout"):
        r.forward(np.zeros((1, 784)), training=True)


# -- sequences ---------------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_a_sequence_costs_the_sum_over_time_or_the_mean(rows, steps, seed):
    rng = np.random.default_rng(seed)
    logits, y = rng.normal(0, 2, (rows, steps, 7)), rng.integers(0, 7, (rows, steps))
    each = [
        math.log(sum(math.exp(v) for v in logits[n, t])) - logits[n, t, y[n, t]]
        for n in range(rows)
        for t in range(steps)
    ]
    mean, g_mean = softmax_cross_entropy(logits, y)
    total, g_total = softmax_cross_entropy(logits, y, summed=True)
    assert mean == pytest.approx(sum(each) / (rows * steps))
    assert total == pytest.approx(sum(each) / rows)
    np.testing.assert_allclose(g_total, steps * g_mean)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(g_total, (p - np.eye(7)[y]) / rows, atol=1e-12)


def test_the_summed_loss_is_the_one_a_workload_declares():
    (batch,) = batches(LANGUAGE, 1)
    tensors = random_tensors(LANGUAGE)
    mean = dataclasses.replace(LANGUAGE, loss="softmax_cross_entropy")
    (_, total, _), (_, value, _) = (Reference(w, tensors, TORCH).gradients(*batch) for w in (LANGUAGE, mean))
    assert total == pytest.approx(LANGUAGE.dataset.steps * value)


def test_state_goes_on_with_the_next_batch_but_gradients_do_not_go_back():
    first, second = batches(LANGUAGE, 2)
    tensors, name, where, h = random_tensors(LANGUAGE), "lstm.recurrent_weight", (2, 3), 1e-5
    r = Reference(LANGUAGE, tensors, TORCH)
    r.forward(first[0], training=True)
    state = {part: r.tensors[part] for part in ("lstm.h", "lstm.c")}
    g = r.gradients(*second)[2][name][where]
    up, down = losses_beside(LANGUAGE, tensors | state, second, name, where, h)
    assert (up - down) / (2 * h) == pytest.approx(g, rel=1e-6)

    def through_both(step):
        other = Reference(LANGUAGE, tensors, TORCH)
        other.tensors[name] = other.tensors[name].copy()
        other.tensors[name][where] += step
        other.forward(first[0], training=True)
        return other.gradients(*second)[1]

    assert (through_both(h) - through_both(-h)) / (2 * h) != pytest.approx(g, rel=1e-3)


def test_evaluation_of_a_sequence_starts_at_0_and_moves_no_state():
    (batch,) = batches(LANGUAGE, 1)
    tensors = random_tensors(LANGUAGE)
    r = Reference(LANGUAGE, tensors, TORCH)
    out = r.evaluate(batch[0])
    assert all(np.array_equal(r.tensors[name], tensors[name]) for name in tensors)
    zero = {name: np.zeros_like(tensors[name]) for name in ("lstm.h", "lstm.c")}
    fresh = Reference(LANGUAGE, tensors | zero, TORCH)
    np.testing.assert_array_equal(out, fresh.forward(batch[0], training=True)[0])
    assert not np.allclose(out, r.forward(batch[0], training=True)[0])


# -- noise-contrastive estimation --------------------------------------------------------------------


def test_nce_loss_and_logits_written_out():
    tensors, (batch,) = random_tensors(SKIPGRAM), batches(SKIPGRAM, 1)
    centre, context, negatives, log_true, log_noise = batch
    assert context[0] == context[1] == negatives[0]
    logits, value, _ = Reference(SKIPGRAM, tensors, TORCH).gradients(*batch)
    e, w, b = (tensors[name].astype(float) for name in ("embedding.weight", "nce.weight", "nce.bias"))
    total = 0.0
    for n in range(len(centre)):
        true = e[centre[n]] @ w[context[n]] + b[context[n]] - log_true[n]
        noise = [e[centre[n]] @ w[k] + b[k] - log_noise[s] for s, k in enumerate(negatives)]
        np.testing.assert_allclose(logits[n], [true, *noise], rtol=1e-12)
        total += math.log(1 + math.exp(-true)) + sum(math.log(1 + math.exp(v)) for v in noise)
    assert value == pytest.approx(total / len(centre))


def test_evaluation_of_word_vectors_is_the_cosine_with_every_word():
    tensors = random_tensors(SKIPGRAM)
    rows = tensors["embedding.weight"].astype(float)
    out = Reference(SKIPGRAM, tensors, TORCH).evaluate(np.array([4, 0, 4]))
    assert out.shape == (3, 30)
    for n, word in enumerate((4, 0, 4)):
        for other in range(30):
            size = math.sqrt(rows[word] @ rows[word]) * math.sqrt(rows[other] @ rows[other])
            assert out[n, other] == pytest.approx(rows[word] @ rows[other] / size)


# -- optimisers --------------------------------------------------------------------------------------


def steps_of(workload, count=3):
    """Tensors before each step, the step's gradients, tensors after it."""
    r = Reference(workload, random_tensors(workload), TORCH)
    for batch in batches(workload, count):
        before = dict(r.tensors)
        gradients = r.step(*batch)[2]
        yield before, gradients, dict(r.tensors)


def test_adagrad_written_out():
    rate, sums = SKIPGRAM.optimiser.learning_rate, {}
    assert isinstance(SKIPGRAM.optimiser, Adagrad)
    for before, gradients, after in steps_of(SKIPGRAM):
        for name, g in gradients.items():
            sums[name] = sums.get(name, 0.1) + g**2
            np.testing.assert_allclose(after[name], before[name] - rate * g / sums[name] ** 0.5, rtol=1e-12)


@pytest.mark.parametrize("rounded", [False, True])
def test_the_initial_accumulator_is_the_declared_one(rounded):
    w = dataclasses.replace(SKIPGRAM, optimiser=Adagrad(learning_rate=0.5, initial_accumulator=4.0))
    tensors, (batch,) = initial_tensors(w, 0), batches(w, 1)
    r = Reference(w, tensors, TORCH, rounded=rounded)
    _, _, g = r.step(*batch)
    want = tensors["nce.bias"] - 0.5 * g["nce.bias"] / np.sqrt(4 + g["nce.bias"] ** 2)
    np.testing.assert_allclose(r.tensors["nce.bias"], want, rtol=1e-6 if rounded else 1e-12)
    assert (r.tensors["nce.bias"] == r.tensors["nce.bias"].astype(np.float32)).all() == rounded


@given(st.floats(0.01, 100.0), st.floats(0.01, 10.0))
def test_sgd_clips_all_gradients_together(clip, rate):
    w = dataclasses.replace(LANGUAGE, optimiser=SGD(learning_rate=rate, clip_norm=clip))
    for before, gradients, after in steps_of(w, 1):
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
        for name, g in gradients.items():
            moved = after[name] - before[name]
            np.testing.assert_allclose(moved, -rate * g * min(1.0, clip / norm), rtol=1e-8, atol=1e-12 * rate)


def test_the_norm_counts_a_repeated_word_with_the_sum_of_its_rows():
    """One word only: the embedding's gradient is one row, whose norm is that of the sum, not of the parts."""
    w = dataclasses.replace(LANGUAGE, optimiser=SGD(learning_rate=1.0, clip_norm=0.1))
    r = Reference(w, random_tensors(w), TORCH)
    before = dict(r.tensors)
    _, _, g = r.step(np.full((3, 5), 7), np.full((3, 5), 2))
    assert np.flatnonzero(np.abs(g["embedding.weight"]).sum(1)).tolist() == [7]
    moved = np.concatenate([(r.tensors[name] - before[name]).ravel() for name in g])
    assert np.linalg.norm(moved) == pytest.approx(0.1)


def test_sgd_without_a_clip_takes_the_gradient_as_it_is():
    w = dataclasses.replace(LANGUAGE, optimiser=SGD(learning_rate=0.25))
    for before, gradients, after in steps_of(w):
        for name, g in gradients.items():
            np.testing.assert_allclose(after[name], before[name] - 0.25 * g, rtol=1e-12)
