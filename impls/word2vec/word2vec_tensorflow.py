"""Word2Vec skip-gram with noise-contrastive estimation in TensorFlow and Keras. TensorLayer book, section 5.3.

layer       output           parameters
input       (N,)
embedding   (N, 128)          6,400,000
nce         (N, 1 + S)        6,450,000
                             12,850,000
"""

import keras
import tensorflow as tf
from keras import layers

from benchmarks.workload import Workload


class SkipGram(keras.Model):
    def __init__(self, words: int):
        super().__init__()
        self.embedding = layers.Embedding(words, 128)
        self.nce_weight = self.add_weight(shape=(words, 128), name="nce_weight")
        self.nce_bias = self.add_weight(shape=(words,), name="nce_bias")

    def call(self, centre, context, negatives, log_true, log_negatives, training=False):
        # (N,), (N,), (S,), (N,), (S,)
        # Calling the layer would read all of the table, and the update would then copy it: 7 ms instead of 1.
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
    model = SkipGram(1_000 if workload.variant == "planted" else 50_000)
    model.embedding.build(())  # makes its variable; the others are made
    model.built = True
    return model


def optimizer(workload: Workload, model: SkipGram):
    adagrad = workload.optimiser
    # XLA sorts to find repeated ids, and a GPU would have to tell the host how many there are.
    static = model.jit_compile or bool(tf.config.get_visible_devices("GPU"))
    return RowAdagrad(adagrad.learning_rate, adagrad.initial_accumulator, model.trainable_variables, static)


def loss(model: SkipGram, centre, context, negatives, log_true, log_negatives):
    logits = model(centre, context, negatives, log_true, log_negatives, training=True)  # (N, 1 + S)
    labels = tf.one_hot(tf.zeros_like(centre), logits.shape[1])  # (N, 1 + S): the first is true
    each = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), 1)  # (N,)
    return tf.reduce_mean(each)  # ()


def train_step(model: SkipGram, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)  # ()
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return value


def predict(model: SkipGram, words):  # (N,)
    rows = tf.math.l2_normalize(model.embedding.embeddings.value, 1)  # (V, 128)
    return tf.matmul(tf.gather(rows, words), rows, transpose_b=True)  # (N, V)
