"""Word2Vec skip-gram with noise-contrastive estimation in TensorFlow, tuned. TensorLayer book, section 5.3.

Beside the documented implementation: Adagrad written out, also for XLA, freed memory kept.
"""

from unittest import mock

import tensorflow as tf
import word2vec_tensorflow as documented
from word2vec_tensorflow import loss, predict

from benchmarks.workload import Workload

MODES = ("graph", "xla")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class SkipGram(documented.SkipGram):
    def call(self, centre, context, negatives, log_true, log_negatives, training=False):
        # (N,), (N,), (S,), (N,), (S,)
        hidden = tf.gather(self.embedding.embeddings.value, centre)  # (N, 128)
        weight_true, weight_noise = self.rows(self.nce_weight.value, context, negatives)  # (N, 128), (S, 128)
        bias_true, bias_noise = self.rows(self.nce_bias.value, context, negatives)  # (N,), (S,)
        true = tf.reduce_sum(hidden * weight_true, 1) + bias_true - log_true  # (N,)
        noise = tf.matmul(hidden, weight_noise, transpose_b=True) + bias_noise - log_negatives  # (N, S)
        return tf.concat([true[:, None], noise], 1)  # (N, 1 + S)

    def rows(self, table, context, negatives):  # (V, ...), (N,), (S,)
        """Those of both, (N, ...) and (S, ...). XLA reads them faster together, other modes apart."""
        if self.jit_compile:
            both = tf.gather(table, tf.concat([context, negatives], 0))  # (N + S, ...)
            return both[: context.shape[0]], both[context.shape[0] :]
        return tf.gather(table, context), tf.gather(table, negatives)


class RowAdagrad:
    """Adagrad on the rows a batch has touched, repeated rows summed first.

    Keras's own Adagrad neither sums them nor stays with the touched rows.
    """

    def __init__(self, learning_rate: float, initial_accumulator: float, variables, static: bool):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        self.sums = {id(v): tf.Variable(tf.fill(v.shape, initial_accumulator), trainable=False) for v in variables}
        self.static = static

    def summed(self, rows, ids):  # (R, ...), (R,)
        """Ids and the sum of each one's rows; where shapes must be static every id stays, repeated ones with 0."""
        if not self.static:
            ids, places = tf.unique(ids)  # (U,), (R,)
            return ids, tf.math.unsorted_segment_sum(rows, places, tf.size(ids))  # (U,), (U, ...)
        same = tf.cast(ids[:, None] == ids, tf.float32)  # (R, R)
        out = tf.reshape(tf.matmul(same, tf.reshape(rows, (tf.size(ids), -1))), tf.shape(rows))
        earlier = tf.reduce_sum(tf.linalg.band_part(same, -1, 0), 1)  # (R,) 1 at the first place
        first = tf.reshape(tf.cast(earlier == 1, tf.float32), [-1] + [1] * (rows.shape.rank - 1))
        return ids, first * out  # (R,), (R, ...)

    def apply_rows(self, variable, sums, rows, ids):  # (V, ...), (V, ...), (U, ...), (U,)
        """TensorFlow's one operation for both lines below, which XLA lacks."""
        rate = tf.convert_to_tensor(self.learning_rate)  # ()
        tf.raw_ops.ResourceSparseApplyAdagrad(var=variable.handle, accum=sums.handle, lr=rate, grad=rows, indices=ids)

    def apply(self, gradients, variables):
        for slices, variable in zip(gradients, variables, strict=True):
            ids, summed = self.summed(slices.values, slices.indices)
            sums = self.sums[id(variable)]
            if not self.static:
                self.apply_rows(variable.value, sums, summed, ids)
                continue
            sums.scatter_add(tf.IndexedSlices(tf.square(summed), ids))
            step = self.learning_rate * summed * tf.math.rsqrt(tf.gather(sums, ids))
            variable.value.scatter_sub(tf.IndexedSlices(step, ids))


def build(workload: Workload) -> SkipGram:
    with mock.patch.object(documented, "SkipGram", SkipGram):
        return documented.build(workload)


def optimizer(workload: Workload, model: SkipGram):
    adagrad = workload.optimiser
    # XLA sorts to find repeated ids, and a GPU would have to tell the host how many there are.
    static = model.jit_compile or bool(tf.config.get_visible_devices("GPU"))
    return RowAdagrad(adagrad.learning_rate, adagrad.initial_accumulator, model.trainable_variables, static)


def train_step(model: SkipGram, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)  # ()
    optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
    return value
