"""Every layer of the float64 reference: against central differences, and against the mathematics written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import WIDE

from benchmarks.certificate.reference_layers import Arrays, Context, Tree, back, backward, forward, leaves, run
from benchmarks.frameworks.base import Conventions
from benchmarks.layers import (
    LSTM,
    BatchNorm,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePool2D,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    Shape,
    place,
)

TORCH = Conventions(adam_epsilon="after", running_variance="unbiased")
STEP = 1e-5


class Chain:
    """Layers with random tensors, states included; the value is a fixed random combination of the outputs."""

    def __init__(self, layers: tuple[Layer, ...], shape: Shape, batch: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.placed, self.batch = place(layers, shape, batch), batch
        self.declared = [t for placed in self.placed for leaf in placed.leaves() for t in leaf.tensors]
        self.tensors = {t.name: self.rng.normal(0, 1, t.shape) for t in self.declared}
        self.weights = self.rng.normal(0, 1, (batch, *self.placed[-1].output_shape))

    def run(self, x: np.ndarray, tensors: Arrays | None = None, *, training: bool = True) -> tuple[np.ndarray, Any]:
        values = self.tensors if tensors is None else tensors

        def make(placed: Any) -> Context:
            return Context({t.name.rsplit(".", 1)[1]: values[t.name] for t in placed.tensors}, training, TORCH)

        return run(self.placed, x, make)

    def value(self, x: np.ndarray, tensors: Arrays | None = None) -> float:
        return float((self.run(x, tensors)[0] * self.weights).sum())

    def gradients(self, trees: list[Tree], x: np.ndarray) -> Arrays:
        found = {"x": back(trees, self.weights, lowest=False)}
        for tree in leaves(trees):
            for t in tree.placed.tensors:
                if t.trainable:
                    found[t.name] = tree.context.gradients[t.name.rsplit(".", 1)[1]]
        return found

    def check(self, x: np.ndarray, *, differentiable: bool = True) -> None:
        """Every element of every gradient against its central difference."""
        out, trees = self.run(x)
        assert out.shape == self.weights.shape
        found = self.gradients(trees, x)
        if not differentiable:
            found.pop("x")
        assert set(found) - {"x"} == {t.name for t in self.declared if t.trainable}
        for name, g in found.items():
            point = x if name == "x" else self.tensors[name]
            assert g.shape == point.shape
            want = np.empty_like(g)
            for where in np.ndindex(*point.shape):
                sides = []
                for step in (STEP, -STEP):
                    moved = point.copy()
                    moved[where] += step
                    inputs = (moved, None) if name == "x" else (x, self.tensors | {name: moved})
                    sides.append(self.value(*inputs))
                want[where] = (sides[0] - sides[1]) / (2 * STEP)
            np.testing.assert_allclose(g, want, rtol=0, atol=1e-7 * max(1.0, float(np.abs(want).max())), err_msg=name)


def images(chain: Chain, shape: Shape) -> np.ndarray:
    return chain.rng.normal(0, 1, (chain.batch, *shape))


def convolution(**changes: Any) -> Conv2D:
    return Conv2D(**{"name": "c", "filters": 2, "kernel": 3, "weight": WIDE, "bias": None} | changes)


# -- convolutions ------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 2)),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([None, 2, 3]),
    bias=st.sampled_from([None, WIDE]),
)
def test_gradients_of_a_convolution(shape, kernel, stride, bias):
    chain = Chain((convolution(kernel=kernel, stride=stride, bias=bias),), shape, 2)
    chain.check(images(chain, shape))


@pytest.mark.parametrize("size", [(5, 5), (4, 4), (5, 4)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_windows_of_stride_2_start_at_the_first_pixel_of_the_padding(size, kernel):
    layer = convolution(kernel=kernel, stride=2)
    rng, pad = np.random.default_rng(0), kernel // 2
    x, w = rng.random((2, *size, 2)), rng.random((kernel, kernel, 2, 2))
    out = forward(layer, x, Context({"weight": w}, True, TORCH))
    assert out.shape[1:] == layer.output_shape((*size, 2)) == (-(-size[0] // 2), -(-size[1] // 2), 2)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    for i, j in np.ndindex(*out.shape[1:3]):
        want = np.einsum("nhwc,hwcf->nf", padded[:, 2 * i : 2 * i + kernel, 2 * j : 2 * j + kernel], w)
        np.testing.assert_allclose(out[:, i, j], want)


def test_the_lowest_convolution_gives_its_weights_a_gradient_and_nothing_below():
    chain = Chain((convolution(stride=2), ReLU()), (4, 4, 2), 2)
    _, trees = chain.run(images(chain, (4, 4, 2)))
    back(trees, chain.weights, lowest=True)
    lowest = trees[0].context.gradients["weight"]
    back(trees, chain.weights, lowest=False)
    np.testing.assert_array_equal(lowest, trees[0].context.gradients["weight"])
    assert np.abs(lowest).max() > 0


# -- pooling, norm, residual blocks ------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers",
    [
        (GlobalAveragePool2D(),),
        (MaxPool2D(size=2), Flatten()),
        (BatchNorm(name="b"),),
        (
            convolution(),
            BatchNorm(name="b"),
            ReLU(),
            GlobalAveragePool2D(),
            Dense(name="d", units=3, weight=WIDE, bias=WIDE),
        ),
    ],
    ids=["average", "maximum", "norm", "chain"],
)
def test_gradients_of_image_layers(layers):
    chain = Chain(layers, (4, 6, 2), 3)
    chain.check(images(chain, (4, 6, 2)))


def test_the_average_is_over_the_image_alone():
    x = np.arange(2 * 3 * 5 * 2, dtype=float).reshape(2, 3, 5, 2)
    out = forward(GlobalAveragePool2D(), x, Context({}, True, TORCH))
    want = [[sum(x[n, i, j, c] for i in range(3) for j in range(5)) / 15 for c in range(2)] for n in range(2)]
    np.testing.assert_allclose(out, want)


BODY = (convolution(stride=2, filters=3), BatchNorm(name="b"), ReLU(), convolution(name="c2", filters=3))
SHORTCUTS = {
    "3x3": (convolution(name="s", stride=2, filters=3), BatchNorm(name="sb")),
    "1x1": (convolution(name="s", stride=2, filters=3, kernel=1),),
}


@pytest.mark.parametrize("shortcut", SHORTCUTS.values(), ids=SHORTCUTS)
@pytest.mark.parametrize("shape", [(5, 4, 2), (3, 3, 2)])
def test_gradients_of_a_residual_block_with_a_shortcut(shape, shortcut):
    chain = Chain((Residual(body=BODY, shortcut=shortcut), ReLU()), shape, 2)
    chain.check(images(chain, shape))


def test_gradients_of_a_residual_block_on_its_own_input():
    inner = Residual(body=(convolution(name="inner"), ReLU()))
    chain = Chain((Residual(body=(convolution(), ReLU(), inner)), ReLU()), (3, 4, 2), 2)
    chain.check(images(chain, (3, 4, 2)))


def test_a_residual_block_adds_its_branches():
    body, shortcut = convolution(stride=2), convolution(name="s", stride=2, kernel=1)
    x = np.random.default_rng(0).normal(0, 1, (2, 4, 4, 2))
    for layers in ((shortcut,), ()):
        block = Residual(body=(body if layers else convolution(),), shortcut=layers)
        chain = Chain((block,), (4, 4, 2), 2)

        def alone(layer, chain=chain):
            return forward(layer, x, Context({"weight": chain.tensors[f"{layer.name}.weight"]}, True, TORCH))

        want = alone(block.body[0]) + (alone(shortcut) if layers else x)
        np.testing.assert_allclose(chain.run(x)[0], want)


# -- embedding, time, LSTM ---------------------------------------------------------------------------


def test_repeated_ids_add_up_in_the_gradient_of_an_embedding():
    chain = Chain((Embedding(name="e", rows=5, columns=3, weight=WIDE),), (4,), 2)
    ids = np.array([[1, 3, 1, 1], [0, 3, 4, 1]])
    chain.check(ids, differentiable=False)
    g = chain.gradients(chain.run(ids)[1], ids)["e.weight"]
    np.testing.assert_allclose(
        g[1], chain.weights[0, 0] + chain.weights[0, 2] + chain.weights[0, 3] + chain.weights[1, 3]
    )
    assert (g[2] == 0).all()


def test_gradients_of_a_dense_layer_over_time():
    chain = Chain((Dense(name="d", units=3, weight=WIDE, bias=WIDE),), (4, 2), 3)
    x = images(chain, (4, 2))
    chain.check(x)
    for t in range(4):
        np.testing.assert_allclose(chain.run(x)[0][:, t], x[:, t] @ chain.tensors["d.weight"] + chain.tensors["d.bias"])


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_gradients_of_an_lstm(steps, inputs, units, batch, seed):
    chain = Chain((LSTM(name="l", units=units, weight=WIDE, bias=WIDE),), (steps, inputs), batch, seed)
    chain.check(images(chain, (steps, inputs)))


def test_gradients_of_a_language_model():
    layers = (
        Embedding(name="e", rows=4, columns=2, weight=WIDE),
        LSTM(name="l", units=3, weight=WIDE, bias=WIDE),
        Dense(name="d", units=4, weight=WIDE, bias=WIDE),
    )
    chain = Chain(layers, (5,), 2)
    chain.check(np.array([[0, 1, 1, 3, 0], [2, 2, 2, 1, 0]]), differentiable=False)


def by_hand(chain: Chain, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An LSTM unit by unit, from the declaration's formula; gates in the order input, forget, candidate, output."""
    w, r, b = (chain.tensors[f"l.{name}"] for name in ("input_weight", "recurrent_weight", "bias"))
    units, (rows, steps, _) = h.shape[1], x.shape
    out = np.empty((rows, steps, units))
    h, c = h.copy(), c.copy()
    for n in range(rows):
        for t in range(steps):
            before = h[n].copy()
            for u in range(units):
                z = [x[n, t] @ w[:, k * units + u] + before @ r[:, k * units + u] + b[k * units + u] for k in range(4)]
                i, f, o = (1 / (1 + math.exp(-z[k])) for k in (0, 1, 3))
                c[n, u] = f * c[n, u] + i * math.tanh(z[2])
                h[n, u] = o * math.tanh(c[n, u])
            out[n, t] = h[n]
    return out, h, c


def test_an_lstm_carries_its_state_in_training_and_starts_at_0_in_evaluation():
    chain = Chain((LSTM(name="l", units=2, weight=WIDE, bias=WIDE),), (3, 2), 2)
    x, h, c = images(chain, (3, 2)), chain.tensors["l.h"], chain.tensors["l.c"]
    for training, state in ((True, (h, c)), (False, (0 * h, 0 * c))):
        out, trees = chain.run(x, training=training)
        want, last_h, last_c = by_hand(chain, x, *state)
        np.testing.assert_allclose(out, want, rtol=1e-12)
        after = trees[0].context.tensors
        np.testing.assert_allclose(after["h"], last_h if training else h, rtol=1e-12)
        np.testing.assert_allclose(after["c"], last_c if training else c, rtol=1e-12)
    assert chain.tensors["l.h"] is h  # the caller's arrays are not written to


def test_an_lstm_in_two_pieces_is_an_lstm_in_one():
    chain = Chain((LSTM(name="l", units=3, weight=WIDE, bias=WIDE),), (6, 2), 2)
    x = images(chain, (6, 2))
    whole, _ = chain.run(x)
    one, trees = chain.run(x[:, :2])
    state = trees[0].context.tensors
    two, _ = chain.run(x[:, 2:], chain.tensors | {"l.h": state["h"], "l.c": state["c"]})
    np.testing.assert_allclose(np.concatenate([one, two], 1), whole, rtol=1e-12)


@pytest.mark.parametrize("layer", [ReLU(), MaxPool2D(size=2)], ids=["relu", "pool"])
def test_near_ties_fall_one_way_and_the_other_whatever_they_are(layer):
    """A unit a hair above its kink and one a hair below: both are on with a positive window, both off otherwise."""
    hair = 1e-7
    x = np.array([1.0, -1.0, hair, -hair]) if isinstance(layer, ReLU) else np.array([1.0, 1.0 + hair, 0.5, -2.0])
    shape = (1, 4) if isinstance(layer, ReLU) else (1, 2, 2, 1)
    seen = {}
    for kink in (0.0, 1e-6, -1e-6):
        c = Context({}, True, TORCH, kink)
        forward(layer, x.reshape(shape), c)
        seen[kink] = backward(layer, np.ones((1, 4) if isinstance(layer, ReLU) else (1, 1, 1, 1)), c)
    exact, on, off = (list(seen[k].ravel()) for k in (0.0, 1e-6, -1e-6))
    if isinstance(layer, ReLU):
        assert (exact, on, off) == ([1, 0, 1, 0], [1, 0, 1, 1], [1, 0, 0, 0])
    else:
        assert (exact, on, off) == ([0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0])
