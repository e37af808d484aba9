"""The float64 reference against central differences and against hand-made cases."""

import numpy as np
import pytest

from benchmarks.frameworks.base import Conventions
from benchmarks.inputs import initial_tensors
from benchmarks.layers import BatchNorm, Constant, Conv2D, MaxPool2D
from benchmarks.reference import Context, Reference, forward, softmax_cross_entropy
from benchmarks.workload import discover

TORCH = Conventions(adam_epsilon="after", running_variance="unbiased")
KERAS = Conventions(adam_epsilon="before", running_variance="biased")


@pytest.mark.parametrize("found", discover(), ids=lambda f: f.workload.key)
def test_gradients_agree_with_central_differences(found):
    w = found.workload.without_dropout()
    tensors = initial_tensors(w, 0)
    rng = np.random.default_rng(1)
    x, y = rng.random((4, *w.dataset.shape)), rng.integers(0, 10, 4)
    _, _, gradients = Reference(w, tensors, TORCH).gradients(x, y)
    h = 1e-6
    for name, g in gradients.items():
        where = np.unravel_index(np.abs(g).argmax(), g.shape)
        values = []
        for step in (h, -h):
            r = Reference(w, tensors, TORCH)
            r.tensors[name] = r.tensors[name].copy()
            r.tensors[name][where] += step
            values.append(r.gradients(x, y)[1])
        assert (values[0] - values[1]) / (2 * h) == pytest.approx(g[where], rel=1e-5), name


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
    found = next(f for f in discover() if f.workload.key == "mnist_mlp")
    w = found.workload.without_dropout()
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
    found = next(f for f in discover() if f.workload.key == "mnist_mlp")
    r = Reference(found.workload, initial_tensors(found.workload, 0), TORCH)
    with pytest.raises(ValueError, match="without dropout"):
        r.forward(np.zeros((1, 784)), training=True)
