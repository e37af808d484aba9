"""Word2Vec skip-gram with noise-contrastive estimation in TensorLayerX, tuned. TensorLayer book, section 5.3.

Beside the documented implementation: Adagrad written out, freed memory kept.
"""

import tensorflow as tf
from word2vec_tensorlayerx import SkipGram, build, loss, predict

from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class RowAdagrad:
    """Adagrad on the rows a batch has touched, repeated rows summed first.

    TensorLayerX's own is Keras's, which neither sums them nor stays with the touched rows.
    """

    def __init__(self, learning_rate: float, initial_accumulator: float, variables, static: bool):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        self.sums = {v.ref(): tf.Variable(tf.fill(v.shape, initial_accumulator), trainable=False) for v in variables}
        self.static = static

    def apply_rows(self, variable, sums, rows, ids):  # (V, ...), (V, ...), (U, ...), (U,)
        rate = tf.convert_to_tensor(self.learning_rate)  # ()
        tf.raw_ops.ResourceSparseApplyAdagrad(var=variable.handle, accum=sums.handle, lr=rate, grad=rows, indices=ids)

    def apply_gradients(self, grads_and_vars):
        for slices, variable in grads_and_vars:
            rows, ids = slices.values, slices.indices  # (R, ...), (R,)
            if not self.static:
                ids, places = tf.unique(ids)  # (U,), (R,)
                summed = tf.math.unsorted_segment_sum(rows, places, tf.size(ids))  # (U, ...)
                self.apply_rows(variable, self.sums[variable.ref()], summed, ids)
                continue
            same = tf.cast(ids[:, None] == ids, tf.float32)  # (R, R)
            # Every place of a repeated row holds its sum; all places but the first then count nothing.
            summed = tf.reshape(tf.matmul(same, tf.reshape(rows, (tf.size(ids), -1))), tf.shape(rows))
            earlier = tf.reduce_sum(tf.linalg.band_part(same, -1, 0), 1)  # (R,) 1 at the first place
            first = tf.reshape(tf.cast(earlier == 1, tf.float32), [-1] + [1] * (rows.shape.rank - 1))
            sums = self.sums[variable.ref()]
            sums.scatter_add(tf.IndexedSlices(first * tf.square(summed), ids))
            step = self.learning_rate * first * summed * tf.math.rsqrt(tf.gather(sums, ids))
            variable.scatter_sub(tf.IndexedSlices(step, ids))


def optimizer(workload: Workload, model: SkipGram):
    adagrad = workload.optimiser
    static = bool(tf.config.get_visible_devices("GPU"))  # which would have to tell the host how many ids there are
    return RowAdagrad(adagrad.learning_rate, adagrad.initial_accumulator, model.trainable_weights, static)


def train_step(model: SkipGram, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)  # ()
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value
