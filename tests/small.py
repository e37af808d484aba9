"""A small workload of each kind, with random weights and batches."""

from __future__ import annotations

import numpy as np

from benchmarks.layers import (
    LSTM,
    BatchNorm,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePool2D,
    Layer,
    Normal,
    ReLU,
    Residual,
    Uniform,
)
from benchmarks.workload import NCE, SGD, Adagrad, Adam, Images, Pairs, Source, Text, Workload

WIDE = Uniform(low=-0.5, high=0.5)


def conv(name: str, filters: int, kernel: int = 3, stride: int | None = None) -> Conv2D:
    return Conv2D(name=name, filters=filters, kernel=kernel, weight=WIDE, bias=None, stride=stride)


def block(name: str, filters: int, stride: int | None = None) -> Residual:
    first = (conv(f"{name}_conv1", filters, stride=stride), BatchNorm(name=f"{name}_bn1"), ReLU())
    shortcut: tuple[Layer, ...] = ()
    if stride:
        shortcut = (conv(f"{name}_shortcut_conv", filters, 1, stride), BatchNorm(name=f"{name}_shortcut_bn"))
    body = (*first, conv(f"{name}_conv2", filters), BatchNorm(name=f"{name}_bn2"))
    return Residual(body=body, shortcut=shortcut)


RESNET = Workload(
    name="small_resnet",
    title="Two residual blocks",
    source=Source(book="none", section="none"),
    dataset=Images(name="cifar10", shape=(8, 8, 3), train_examples=64, mean=0.5, stddev=0.5),
    layers=(
        *(conv("conv1", 4), BatchNorm(name="bn1"), ReLU()),
        *(block("wide", 6, stride=2), ReLU(), block("plain", 6), ReLU()),
        *(GlobalAveragePool2D(), Dense(name="fc", units=10, weight=WIDE, bias=WIDE)),
    ),
    parameter_count=108 + 8 + (216 + 12 + 324 + 12 + 24 + 12) + (324 + 12 + 324 + 12) + 70,
    optimiser=Adam(learning_rate=1e-4),
    batch_size=16,
    recipes=(),
)

LANGUAGE = Workload(
    name="small_lstm",
    title="Embedding, LSTM, logits of every word",
    source=Source(book="none", section="none"),
    dataset=Text(name="words", vocabulary=11, steps=5, train_examples=500),
    layers=(
        Embedding(name="embedding", rows=11, columns=4, weight=WIDE),
        LSTM(name="lstm", units=6, weight=WIDE, bias=WIDE),
        Dense(name="fc", units=11, weight=WIDE, bias=WIDE),
    ),
    parameter_count=44 + 24 * (4 + 6 + 1) + 7 * 11,
    optimiser=SGD(learning_rate=1.0, clip_norm=0.5),
    batch_size=3,
    loss="softmax_cross_entropy_summed_over_time",
    metric="perplexity",
    recipes=(),
)

SKIPGRAM = Workload(
    name="small_skipgram",
    title="Word vectors",
    source=Source(book="none", section="none"),
    dataset=Pairs(name="skipgram", vocabulary=30, window=1, negatives=5, train_examples=500),
    layers=(Embedding(name="embedding", rows=30, columns=4, weight=WIDE),),
    parameter_count=120 + 150,
    optimiser=Adagrad(learning_rate=0.5),
    batch_size=8,
    loss=NCE(name="nce", weight=Normal(stddev=0.5), bias=WIDE),
    metric="nce_loss",
    recipes=(),
)

SMALL = {w.name: w for w in (RESNET, LANGUAGE, SKIPGRAM)}


def batches(workload: Workload, count: int, seed: int = 0) -> list[tuple[np.ndarray, ...]]:
    """Random training batches, as a task of the workload's kind would give them."""
    rng, n, d = np.random.default_rng(seed), workload.batch_size, workload.dataset
    if isinstance(d, Text):
        words = rng.integers(0, d.vocabulary, (n, count * d.steps + 1))
        starts = range(0, count * d.steps, d.steps)
        return [(words[:, s : s + d.steps], words[:, s + 1 : s + 1 + d.steps]) for s in starts]
    if isinstance(d, Pairs):
        return [_pairs(d, n, rng) for _ in range(count)]
    return [(rng.random((n, *d.shape), np.float32), rng.integers(0, d.classes, n)) for _ in range(count)]


def _pairs(pairs: Pairs, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The first two centres and contexts are repeated; the first negative is a context too."""
    centre, context = rng.integers(0, pairs.vocabulary, (2, n))
    centre[1], context[1] = centre[0], context[0]
    others = rng.permutation(np.setdiff1d(np.arange(pairs.vocabulary), context))
    noise = np.concatenate([context[:1], others[: pairs.negatives - 1]])
    logs = np.log(rng.uniform(0.01, 0.9, n + pairs.negatives)).astype(np.float32)
    return centre, context, noise, logs[:n], logs[n:]
