"""Operations and bytes of a step: hand counts, and the same mathematics done with numbers that count."""

import dataclasses
import json
import math

import numpy as np
import pytest
from small import LANGUAGE, RESNET, SKIPGRAM, batches

from benchmarks.layers import (
    BatchNorm,
    Constant,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    MaxPool2D,
    ReLU,
    Residual,
)
from benchmarks.workload import (
    SGD,
    Adagrad,
    Adam,
    DeclarationError,
    Images,
    Source,
    Workload,
    discover,
    flops,
)
from benchmarks.workload.flops import count, touched_rows
from benchmarks.workload.read_back import read_back

ZERO = Constant(value=0.0)
DECLARED = {found.workload.key: found.workload for found in discover()}


def dense(name, units):
    return Dense(name=name, units=units, weight=ZERO, bias=ZERO)


def conv(name, filters, kernel=3, stride=None, bias=None):
    return Conv2D(name=name, filters=filters, kernel=kernel, weight=ZERO, bias=bias, stride=stride)


PLAIN = SGD(learning_rate=0.1)


def net(shape, *layers, batch=4, optimiser=PLAIN):
    """A workload of ten classes; its parameter count is whatever the layers give."""
    words = {
        "name": "net", "title": "net", "source": Source(book="none", section="none"), "layers": layers,
        "dataset": Images(name="mnist", shape=shape, train_examples=10), "batch_size": batch, "recipes": (),
        "optimiser": optimiser,
    }  # fmt: skip
    with pytest.raises(DeclarationError, match="parameters") as refused:
        Workload(**words, parameter_count=-1)
    return Workload(**words, parameter_count=int(str(refused.value).split()[-1]))


class Counting:
    """Numbers that count what is done with them: one per element made, or per element summed."""

    done = 0

    def __init__(self, values):
        self.values = np.asarray(values, float)

    @classmethod
    def made(cls, values, operations=None):
        out = cls(values)
        cls.done += out.values.size if operations is None else operations
        return out

    def _with(self, other, function):
        return self.made(function(self.values, getattr(other, "values", other)))

    def __add__(self, other):
        return self._with(other, np.add)

    def __sub__(self, other):
        return self._with(other, np.subtract)

    def __rsub__(self, other):
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other):
        return self._with(other, np.multiply)

    def __truediv__(self, other):
        return self._with(other, np.divide)

    def __matmul__(self, other):
        product = self.values @ other.values
        return self.made(product, 2 * product.size * self.values.shape[-1])

    @property
    def T(self):
        return Counting(self.values.T)

    def sum(self, axis):
        return self.made(self.values.sum(axis, keepdims=True), self.values.size)

    def top(self, axis):
        return self.made(self.values.max(axis, keepdims=True), self.values.size)

    def apply(self, function=np.tanh):
        """exp, log, sigmoid, comparison: one operation."""
        return self.made(function(self.values))


def operations(function):
    Counting.done = 0
    function()
    return Counting.done


def some(*shape, seed=0):
    return Counting(np.random.default_rng(seed).random(shape) + 0.1)


def softmax_loss(logits, rows):
    """Forward and backward; picking the true class's logit and probability is no operation, subtracting is."""
    e = (logits - logits.top(1)).apply(np.exp)
    total = e.sum(1)
    losses = total.apply(np.log) - some(rows, 1)
    losses.sum(0)
    gradient = e / total * (1 / rows)
    some(rows, 1) - 1
    return gradient


def test_a_perceptron_is_what_arithmetic_that_counts_says():
    n, workload = 4, net((6,), dense("a", 5), ReLU(), dense("b", 10))
    x, w1, b1, w2, b2 = some(n, 6), some(6, 5), some(5), some(5, 10), some(10)

    def step():
        z = x @ w1 + b1
        h = z.apply(lambda v: np.maximum(v, 0))
        d = softmax_loss(h @ w2 + b2, n)
        h.T @ d
        d.sum(0)
        dz = (d @ w2.T) * (z.values > 0)
        x.T @ dz
        dz.sum(0)

    found = count(workload)
    assert found.products + found.elementwise == operations(step)
    assert found.matmul == 2 * n * (6 * 5 * 2 + 5 * 10 * 3)


def test_the_declared_perceptron_by_hand():
    found = count(DECLARED["mnist_mlp_ablation/linear"])
    assert found.matmul == 2 * 64 * (2 * 784 * 300 + 3 * 300 * 100 + 3 * 100 * 10)
    assert found.elementwise == 64 * (2 * (300 + 100 + 10) + 6 * 10 + 4)
    assert found.optimiser == 2 * 266_610
    assert found.bytes == 64 * (784 * 4 + 8) + 8 * (266_610 + 64 * (300 + 100 + 10))
    assert found.operators == (2 + 2 + 2) + 2 + 1
    assert found.flops == found.matmul + found.elementwise + found.optimiser


@pytest.mark.parametrize(("kernel", "stride"), [(3, None), (5, 2), (1, 2)])
def test_a_convolution_multiplies_window_by_window(kernel, stride):
    workload = net((6, 4, 3), conv("c", 2, kernel, stride), GlobalAveragePool2D(), dense("d", 10), batch=2)
    padded = np.zeros((2, 6 + kernel - 1, 4 + kernel - 1, 3))
    made = 0
    for _ in range(2):
        for i in range(0, padded.shape[1] - kernel + 1, stride or 1):
            for j in range(0, padded.shape[2] - kernel + 1, stride or 1):
                made += 2 * 2 * padded[0, i : i + kernel, j : j + kernel].size
    assert count(workload).convolution == 2 * made  # forward and weights: nothing before it is trained
    assert count(workload).matmul == 3 * 2 * 2 * 2 * 10


def test_a_second_convolution_also_has_an_input_gradient_and_a_bias_costs_two():
    first = (conv("a", 2), conv("b", 2), Flatten(), dense("d", 10))
    once = 2 * 4 * 16 * 9 * 2
    assert count(net((4, 4, 1), *first)).convolution == 2 * once * 1 + 3 * once * 2
    biased = (conv("a", 2, bias=ZERO), *first[1:])
    more = count(net((4, 4, 1), *biased)).elementwise - count(net((4, 4, 1), *first)).elementwise
    assert more == 2 * 4 * 16 * 2


def test_batch_norm_is_what_arithmetic_that_counts_says():
    x, dy, channel = some(40, 3), some(40, 3), np.ones(3)

    def forward():
        x.sum(0)
        centred = x - channel
        (centred * centred).sum(0)
        return centred * channel + channel

    def statistics():
        (dy * (Counting(x.values) * channel)).sum(0)
        dy.sum(0)

    def inputs():
        (dy - channel - Counting(x.values) * channel) * channel

    assert operations(forward) == x.values.size * flops.NORM_FORWARD
    assert operations(statistics) == x.values.size * flops.NORM_STATISTICS
    assert operations(inputs) == x.values.size * flops.NORM_INPUT
    plain = (dense("a", 3), dense("d", 10))
    normed = (dense("a", 3), BatchNorm(name="bn"), dense("d", 10))
    assert count(net((6,), *normed)).elementwise - count(net((6,), *plain)).elementwise == 4 * 3 * 14


def test_an_lstm_is_what_arithmetic_that_counts_says():
    """One step of one row; the products of three steps by hand."""
    units = 5
    one, ones = some(1, units), lambda count: some(1, count * units)

    def forward():
        gates = ones(4) + ones(4) + ones(4)
        gates.apply()
        cell = one * one + one * one
        one * cell.apply()

    def backward():
        dh = one + one
        dh * one
        dc = dh * one * (1 - one * one) + one
        for _ in range(4):
            dc * one
        for _ in range(3):
            one * one * (1 - one)
        one * (1 - one * one)
        ones(4).sum(0)

    assert operations(forward) == flops.LSTM_FORWARD * units
    assert operations(backward) == flops.LSTM_BACKWARD * units
    n, t, inputs, u = 3, 5, 4, 6  # LANGUAGE
    found = count(LANGUAGE)
    assert found.recurrent == 2 * n * t * inputs * 4 * u * 3 + 2 * n * u * 4 * u * (t + t + (t - 1))
    assert found.matmul == 3 * 2 * n * t * u * 11
    assert found.elementwise == n * t * (u * 44 + inputs + 2 * 11 + 6 * 11 + 4)
    assert found.optimiser == 5 * (11 * 4 + 24 * 11 + 77)  # 15 words of at most 11


def test_skip_grams_are_what_arithmetic_that_counts_says():
    n, s, d = 8, 5, 4  # SKIPGRAM

    def step():
        h, wt, wn = some(n, d), some(n, d), some(s, d)
        (h * wt).sum(1)
        h @ wn.T
        logits = some(n, 1 + s) + 1 - 1
        ((logits.apply(np.exp) + 1).apply(np.log)).sum(1)
        dl = logits.apply() * (1 / n)
        dl.sum(0)
        noise, true = some(n, s), some(n, 1)
        (noise @ wn) + h * true
        wt * true
        noise.T @ h
        some(n, d) + some(n, d)  # gradients of centres that occur again
        some(n + s, d) + some(n + s, d)  # of contexts and negatives
        some(n + s, 1) + some(n + s, 1)

    found = count(SKIPGRAM)
    assert found.products + found.elementwise == operations(step)
    assert found.matmul == 3 * 2 * n * s * d


@pytest.mark.parametrize("kind", [SGD, Adagrad, Adam])
def test_optimisers_are_what_arithmetic_that_counts_says(kind):
    w, g, m, v = (some(10, seed=i) for i in range(4))

    def adam():
        m2 = m * 0.9 + g * 0.1
        v2 = v * 0.99 + g * g * 0.01
        w - m2 * 0.1 / (v2.apply(np.sqrt) + 1e-8)

    def adagrad():
        w - g * 0.1 / (v + g * g).apply(np.sqrt)

    def sgd():
        w - g * 0.1

    step = {SGD: sgd, Adagrad: adagrad, Adam: adam}[kind]
    assert operations(step) == 10 * flops.PER_VALUE[kind]
    workload = net((6,), dense("d", 10), optimiser=kind(learning_rate=0.1))
    assert count(workload).optimiser == 70 * flops.PER_VALUE[kind]


def test_clipping_costs_a_norm_a_scale_and_gradients_that_wait():
    plain = net((6,), dense("d", 10))
    clipped = dataclasses.replace(plain, optimiser=SGD(learning_rate=0.1, clip_norm=1.0))
    assert count(clipped).optimiser - count(plain).optimiser == 70 * 3
    assert count(clipped).bytes - count(plain).bytes == 8 * 70


def test_only_touched_rows_are_updated_unless_adam_moves_all():
    few = {"embedding.weight": 3, "nce.weight": 6, "nce.bias": 6}
    assert count(SKIPGRAM, few).optimiser == 6 * (3 * 4 + 6 * 5)
    assert count(SKIPGRAM).optimiser == 6 * (8 * 4 + 13 * 5)
    assert count(SKIPGRAM).bytes - count(SKIPGRAM, few).bytes == 4 * 4 * (5 * 4 + 7 * 5)
    adam = dataclasses.replace(SKIPGRAM, optimiser=Adam(learning_rate=0.1))
    assert count(adam, few).optimiser == count(adam).optimiser == 12 * 270


def test_touched_rows_are_counted_in_the_batches():
    made = batches(SKIPGRAM, 3)
    rows = touched_rows(SKIPGRAM, made)
    words = [len(set(b[1].tolist()) | set(b[2].tolist())) for b in made]
    assert rows["nce.weight"] == rows["nce.bias"] == round(sum(words) / 3)
    assert rows["embedding.weight"] == round(sum(len(set(b[0].tolist())) for b in made) / 3)
    assert touched_rows(RESNET, batches(RESNET, 2)) == {}


def test_a_residual_block_reads_its_input_once_and_joins_two_gradients():
    body = (conv("b", 2),)
    head = (conv("a", 2), Residual(body=body, shortcut=(conv("s", 2, 1),)), GlobalAveragePool2D(), dense("d", 10))
    found, values = count(net((4, 4, 2), *head)), 4 * 16 * 2
    once = 2 * values * 2
    assert found.convolution == once * 9 * 2 + once * 9 * 3 + once * 3
    pooled, classes = 4 * 2, 4 * 10
    assert found.elementwise == 2 * values + (values + pooled) + 2 * classes + 6 * classes + 4 * 4
    parameters = sum(math.prod(t.shape) for t in net((4, 4, 2), *head).tensors)
    kept = values + pooled + classes
    assert found.bytes == 8 * (parameters + kept) + 4 * (4 * 32 + 8 // 4 * 4)
    assert found.operators == 2 + 2 * 2 + 2 + 2 + 2 + 3


def test_what_computes_nothing_counts_nothing():
    plain = net((4, 4, 1), Flatten(), dense("d", 10))
    same = net((4, 4, 1), Flatten(), Dropout(name="p", rate=0.0), dense("d", 10))
    assert count(plain) == count(same)
    drawn = count(net((4, 4, 1), Flatten(), Dropout(name="p", rate=0.5), dense("d", 10)))
    assert drawn.elementwise - count(plain).elementwise == 2 * 4 * 16
    assert drawn.matmul == count(plain).matmul  # no gradient flows into dropout before the first weights


def test_pooling_compares_all_but_one_of_a_window():
    pooled = count(net((4, 4, 1), MaxPool2D(size=2), Flatten(), dense("d", 10)))
    assert pooled.elementwise == 4 * (4 * 3) + 2 * 40 + 6 * 40 + 16


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_what_is_counted_per_sample_grows_with_the_batch(key):
    workload = DECLARED[key]
    once, twice = (count(dataclasses.replace(workload, batch_size=n)) for n in (8, 16))
    assert twice.products == 2 * once.products
    assert once.operators == twice.operators
    assert once.bytes < twice.bytes


@pytest.mark.parametrize("key", sorted(DECLARED))
def test_a_declaration_is_read_back_as_it_was(key):
    workload = DECLARED[key]
    again = read_back(json.loads(json.dumps(workload.declaration())))
    assert again == workload
    assert again.hash == workload.hash


def test_a_foreign_declaration_is_refused():
    plain = DECLARED["mnist_mlp"].declaration()
    for broken in ({**plain, "type": "Toy"}, {**plain, "layers": [{"type": "Attention"}]}, {"type": "SGD"}, {}):
        with pytest.raises(DeclarationError):
            read_back(broken)
