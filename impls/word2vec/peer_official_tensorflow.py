"""Skip-gram after TensorFlow's official tutorial.

From the source: plain variables, ``embedding_lookup``, the mean of ``tf.nn.nce_loss``, an optimiser of TensorFlow 1,
similarities of rows divided by their norms. Declared instead: ``AdagradOptimizer`` for ``GradientDescentOptimizer``;
negatives are given, not drawn in the step. Left out: the summary that the source writes at each step.
"""

import tensorflow as tf
from keras import layers

SOURCE = (
    "TensorFlow tutorial `word2vec_basic`, Adagrad",
    "https://github.com/tensorflow/tensorflow/blob/r1.15/tensorflow/examples/tutorials/word2vec/word2vec_basic.py",
)
MODES = ("graph",)  # XLA has no sparse Adagrad
DIFFERS = ""


class SkipGram:
    def __init__(self):
        self.embedding = layers.Embedding(50_000, 128)
        self.embedding.build(())
        self.nce_weight = tf.Variable(tf.zeros((50_000, 128)))
        self.nce_bias = tf.Variable(tf.zeros((50_000,)))
        self.trained = [self.embedding.embeddings.value, self.nce_weight, self.nce_bias]


def build(workload):
    return SkipGram()


def optimizer(workload, model):
    adagrad = workload.optimiser
    return tf.compat.v1.train.AdagradOptimizer(adagrad.learning_rate, adagrad.initial_accumulator)


def loss(model, centre, context, negatives, log_true, log_negatives):
    each = tf.nn.nce_loss(
        weights=model.nce_weight,
        biases=model.nce_bias,
        labels=context[:, None],
        inputs=tf.nn.embedding_lookup(model.trained[0], centre),
        num_sampled=64,
        num_classes=50_000,
        sampled_values=(negatives, tf.exp(log_true)[:, None], tf.exp(log_negatives)),  # it takes their logarithms
    )
    return tf.reduce_mean(each)


def train_step(model, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)
    optimizer.apply_gradients(zip(tape.gradient(value, model.trained), model.trained, strict=True))
    return value


def predict(model, words):  # (N,)
    norm = tf.sqrt(tf.reduce_sum(tf.square(model.trained[0]), 1, keepdims=True))
    unit = model.trained[0] / norm
    return tf.matmul(tf.nn.embedding_lookup(unit, words), unit, transpose_b=True)  # (N, V)
