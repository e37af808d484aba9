"""TensorFlow's part of the ceilings: a large product, a stream through memory, the smallest step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

Run = Callable[[], Any]
FLOAT = 4


def on_gpu(adapter: Any) -> bool:
    return bool(adapter.gpu)


def product(adapter: Any, size: int) -> Run:
    """A product of two square matrices in the adapter's precision, as its mode runs it."""
    lowered = getattr(adapter, "precision", "float32") == "bf16"
    with _device(adapter):
        a, b = (tf.cast(tf.random.uniform((size, size)), tf.bfloat16 if lowered else tf.float32) for _ in range(2))
    multiply = adapter.wrap(tf.matmul)
    return lambda: multiply(a, b)


def streams(adapter: Any, array_bytes: int) -> Iterator[tuple[str, Run, int]]:
    """Only the addition in place: a copy would take fresh memory each time, or share the old."""
    with _device(adapter):
        a, b = tf.Variable(tf.ones(array_bytes // FLOAT)), tf.ones(array_bytes // FLOAT)

    def add(b: Any) -> None:
        a.assign_add(b, read_value=False)

    run = adapter.wrap(add)
    yield "add", lambda: run(b), 3 * FLOAT * (array_bytes // FLOAT)


def smallest(adapter: Any) -> tuple[Run, bool]:
    """One number plus one; whether each operator of a training step is dispatched so."""
    with _device(adapter):
        one = tf.ones(1)
    add = adapter.wrap(lambda x: x + 1)
    return lambda: add(one), adapter.mode == "eager"


def _device(adapter: Any) -> Any:
    return tf.device("/GPU:0" if adapter.gpu else "/CPU:0")
