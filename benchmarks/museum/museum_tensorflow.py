"""What the museum's exhibits need of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from benchmarks.museum.inside import replaced_loss


def soft_max(logits: Any) -> Any:
    return tf.nn.softmax(logits)


def in_evaluation(module: Any) -> None:
    """``training=False``, which is Keras's default, in the loss."""
    replaced_loss(module, lambda model: lambda *inputs, training: model(*inputs, training=False))


@contextmanager
def unsynchronised(session: Any) -> Iterator[Callable[[], None]]:
    """Steps may return before they are done, as on a GPU; gives what waits for them."""
    wait = tf.test.experimental.sync_devices
    kept = tf.config.experimental.get_synchronous_execution()
    tf.config.experimental.set_synchronous_execution(False)
    try:
        yield wait
        wait()
    finally:
        tf.config.experimental.set_synchronous_execution(kept)
