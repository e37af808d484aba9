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

from benchmarks.errors import Unavailable
from benchmarks.workload import Workload


class SkipGram(keras.Model):
    def __init__(self, words: int):
        super().__init__()
        self.embedding = layers.Embedding(words, 128)
        self.nce_weight = self.add_weight(shape=(words, 128), name="nce_weight")
        self.nce_bias = self.add_weight(shape=(words,), name="nce_bias")

    def call(self, centre, context, negatives, log_true, log_negatives, training=False):
        # (N,), (N,), (S,), (N,), (S,)
        hidden = tf.gather(self.embedding.embeddings.value, centre)  # (N, 128)
        weight_true = tf.gather(self.nce_weight.value, context)  # (N, 128)
        weight_noise = tf.gather(self.nce_weight.value, negatives)  # (S, 128)
        bias_true = tf.gather(self.nce_bias.value, context)  # (N,)
        bias_noise = tf.gather(self.nce_bias.value, negatives)  # (S,)
        true = tf.reduce_sum(hidden * weight_true, 1) + bias_true - log_true  # (N,)
        noise = tf.matmul(hidden, weight_noise, transpose_b=True) + bias_noise - log_negatives  # (N, S)
        return tf.concat([true[:, None], noise], 1)  # (N, 1 + S)


class Adagrad(tf.compat.v1.train.AdagradOptimizer):
    """TensorFlow 1's, as the book has it: it sums repeated rows and updates only those of the batch.

    Keras's own squares repeated rows one by one and goes through the whole table.
    """

    def __init__(self, learning_rate: float, initial_accumulator: float):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        super().__init__(self.learning_rate, initial_accumulator)


def build(workload: Workload) -> SkipGram:
    model = SkipGram(1_000 if workload.variant == "planted" else 50_000)
    model.embedding.build(())  # makes its variable; the others are made
    model.built = True
    return model


def optimizer(workload: Workload, model: SkipGram):
    if model.jit_compile:
        raise Unavailable("XLA has no kernel for the sparse Adagrad of TensorFlow; the tuned implementation writes one")
    return Adagrad(workload.optimiser.learning_rate, workload.optimiser.initial_accumulator)


def loss(model: SkipGram, centre, context, negatives, log_true, log_negatives):
    logits = model(centre, context, negatives, log_true, log_negatives, training=True)  # (N, 1 + S)
    labels = tf.one_hot(tf.zeros_like(centre), logits.shape[1])  # (N, 1 + S): the first is true
    each = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), 1)  # (N,)
    return tf.reduce_mean(each)  # ()


def train_step(model: SkipGram, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)  # ()
    variables = [v.value for v in model.trainable_variables]
    optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
    return value


def predict(model: SkipGram, words):  # (N,)
    rows = tf.math.l2_normalize(model.embedding.embeddings.value, 1)  # (V, 128)
    return tf.matmul(tf.gather(rows, words), rows, transpose_b=True)  # (N, V)
