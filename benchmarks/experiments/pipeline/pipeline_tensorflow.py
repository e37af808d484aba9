"""``tf.data``, for the part ``pipeline``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.experiments.pipeline.pairs import pairs_of
from benchmarks.workload import NCE, Images, Pairs, Text, Workload

AUTOTUNE = tf.data.AUTOTUNE


def images(workload: Workload, arrays: dict[str, np.ndarray], augmented: bool) -> Any:
    declared: Any = workload.dataset
    x, y = (np.array(arrays[name]) for name in ("train_x", "train_y"))
    shape = declared.shape

    def augment(image: Any, label: Any) -> tuple[Any, Any]:
        image = tf.image.random_crop(image, shape)
        image = tf.image.random_flip_left_right(image)
        pixels = tf.cast(image, tf.float32) / declared.divisor
        return (pixels - declared.mean) / declared.stddev, label

    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x))
    if augmented:
        data = data.map(augment, num_parallel_calls=AUTOTUNE)
    return data.batch(workload.batch_size, drop_remainder=True)


def text(workload: Workload, words: np.ndarray, declared: Text) -> Any:
    """Stretches of the text side by side, in the order that carried state needs."""
    rows, steps = workload.batch_size, declared.steps
    length = len(words) // rows
    streams = tf.constant(words[: rows * length].reshape(rows, length))

    def window(index: Any) -> tuple[Any, Any]:
        start = index * steps
        part = streams[:, start : start + steps + 1]
        part.set_shape((rows, steps + 1))
        return part[:, :-1], part[:, 1:]

    return tf.data.Dataset.range((length - 1) // steps).map(window, num_parallel_calls=AUTOTUNE)


def pairs(workload: Workload, words: np.ndarray, declared: Pairs) -> Any:
    """Negatives come from TensorFlow's own sampler, whose expected counts the declared ones imitate."""
    count = workload.steps(len(words)) * workload.batch_size
    centre, context = (a[:count] for a in pairs_of(declared, words))

    def sample(centre: Any, context: Any) -> tuple[Any, ...]:
        negatives, true, noise = tf.random.log_uniform_candidate_sampler(
            context[:, None], 1, declared.negatives, unique=True, range_max=declared.vocabulary
        )
        return centre, context, negatives, tf.math.log(true[:, 0]), tf.math.log(noise)

    data = tf.data.Dataset.from_tensor_slices((centre, context)).shuffle(count)
    return data.batch(workload.batch_size, drop_remainder=True).map(sample, num_parallel_calls=AUTOTUNE)


def loaders(
    adapter: Any, workload: Workload, arrays: dict[str, np.ndarray], augmented: bool
) -> dict[str, tuple[str, Callable[[], Iterator[tuple[Any, ...]]]]]:
    """Name -> how it is written, and a function that gives the batches of an epoch."""
    declared = workload.dataset
    if isinstance(declared, Images):
        data, how = images(workload, arrays, augmented), "shuffle, map, batch" if augmented else "shuffle, batch"
    elif isinstance(declared, Text):
        data, how = text(workload, np.array(arrays["train"]), declared), "range, map to windows"
    else:
        assert isinstance(workload.loss, NCE)
        data, how = pairs(workload, np.array(arrays["train"]), declared), "shuffle, batch, map to TensorFlow's sampler"
    data = data.prefetch(AUTOTUNE)
    return {"tf.data": (f"tf.data: {how}, prefetch; parallel calls and buffers left to AUTOTUNE", lambda: iter(data))}
