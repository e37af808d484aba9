"""Skip-gram as TensorFlow 2 examples have it.

From the source: ``embedding_lookup`` and the mean of ``tf.nn.nce_loss`` in a tape over plain variables,
``apply_gradients`` of an optimiser of Keras, similarities of rows divided by their norms. Declared instead: Adagrad for
SGD; negatives are given, not drawn in the step.
"""

import keras
import tensorflow as tf
from keras import layers

SOURCE = (
    "aymericdamien/TensorFlow-Examples, Keras's Adagrad",
    "https://github.com/aymericdamien/TensorFlow-Examples/blob/master/tensorflow_v2/notebooks/2_BasicModels/word2vec.ipynb",
)
MODES = ("graph",)
DIFFERS = (
    "Keras's Adagrad squares repeated rows of a batch one by one and adds 1e-7 below the root; ours sums them first, "
    "as declared."
)


class SkipGram:
    def __init__(self):
        self.embedding = layers.Embedding(50_000, 128)
        self.embedding.build(())
        self.nce_weight = keras.Variable(tf.zeros((50_000, 128)))
        self.nce_bias = keras.Variable(tf.zeros((50_000,)))
        self.trained = [self.embedding.embeddings, self.nce_weight, self.nce_bias]
        self.read = [variable.value for variable in self.trained]


def build(workload):
    return SkipGram()


def optimizer(workload, model):
    adagrad = workload.optimiser
    out = keras.optimizers.Adagrad(adagrad.learning_rate, initial_accumulator_value=adagrad.initial_accumulator)
    out.build(model.trained)
    return out


def loss(model, centre, context, negatives, log_true, log_negatives):
    table, weight, bias = model.read
    each = tf.nn.nce_loss(
        weights=weight,
        biases=bias,
        labels=context[:, None],
        inputs=tf.nn.embedding_lookup(table, centre),
        num_sampled=64,
        num_classes=50_000,
        sampled_values=(negatives, tf.exp(log_true)[:, None], tf.exp(log_negatives)),  # it takes their logarithms
    )
    return tf.reduce_mean(each)


def train_step(model, optimizer, *batch):
    with tf.GradientTape() as tape:
        value = loss(model, *batch)
    optimizer.apply_gradients(zip(tape.gradient(value, model.read), model.trained, strict=True))
    return value


def predict(model, words):  # (N,)
    table = model.read[0]
    unit = table / tf.sqrt(tf.reduce_sum(tf.square(table), 1, keepdims=True))
    return tf.matmul(tf.nn.embedding_lookup(unit, words), unit, transpose_b=True)  # (N, V)
