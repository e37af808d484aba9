"""Word2Vec skip-gram with noise-contrastive estimation in TensorLayerX. TensorLayer book, section 5.3.

layer       output           parameters
input       (N,)
embedding   (N, 128)          6,400,000
nce         (N, 1 + S)        6,450,000
                             12,850,000
"""

import tensorflow as tf  # the tape and scattered updates: TensorLayerX has none of its own
import tensorlayerx as tlx
from tensorlayerx import nn

from benchmarks.workload import Workload

TENSORFLOW_ONLY = "TensorLayerX's Adagrad is not the declared one, so TensorFlow updates the rows"


class SkipGram(nn.Module):
    def __init__(self, words: int):
        super().__init__()
        self.embedding = nn.Embedding(words, 128)
        self.nce_weight = self._get_weights("nce_weight", shape=(words, 128))
        self.nce_bias = self._get_weights("nce_bias", shape=(words,))

    def forward(self, centre, context, negatives, log_true, log_negatives):  # (N,), (N,), (S,), (N,), (S,)
        hidden = self.embedding(centre)  # (N, 128)
        weight, bias = tlx.gather(self.nce_weight, context), tlx.gather(self.nce_bias, context)  # (N, 128), (N,)
        true = tlx.reduce_sum(hidden * weight, 1) + bias - log_true  # (N,)
        noise = tlx.matmul(hidden, tlx.gather(self.nce_weight, negatives), transpose_b=True)  # (N, S)
        noise = noise + tlx.gather(self.nce_bias, negatives) - log_negatives  # (N, S)
        return tlx.concat([tlx.expand_dims(true, 1), noise], 1)  # (N, 1 + S)


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


def build(workload: Workload) -> SkipGram:
    return SkipGram(1_000 if workload.variant == "planted" else 50_000)


def optimizer(workload: Workload, model: SkipGram):
    adagrad = workload.optimiser
    static = bool(tf.config.get_visible_devices("GPU"))  # which would have to tell the host how many ids there are
    return RowAdagrad(adagrad.learning_rate, adagrad.initial_accumulator, model.trainable_weights, static)


def loss(model: SkipGram, centre, context, negatives, log_true, log_negatives):
    logits = model(centre, context, negatives, log_true, log_negatives)  # (N, 1 + S)
    n, negative = logits.shape[0], logits.shape[1] - 1  # N, S
    signs = tlx.concat([-tlx.ones((n, 1)), tlx.ones((n, negative))], 1)  # (N, 1 + S): the first is true
    each = tlx.reduce_sum(tlx.softplus(signs * logits), 1)  # (N,)
    return tlx.reduce_mean(each)  # ()


def train_step(model: SkipGram, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)  # ()
    gradients = tape.gradient(value, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    return value


def predict(model: SkipGram, words):  # (N,)
    rows = tlx.l2_normalize(model.embedding.embeddings, axis=1)  # (V, 128)
    return tlx.matmul(tlx.gather(rows, words), rows, transpose_b=True)  # (N, V)
