"""LSTM language model after TensorFlow 1's tutorial, with the cell that it takes where there is no GPU.

From the source, whose small configuration has our sizes: cells unrolled step by step, one product of input and state
together, ``xw_plus_b`` of the flattened outputs, the loss a mean over rows and a sum over time,
``clip_by_global_norm``, ``GradientDescentOptimizer``. The source takes its ``BasicLSTMCell`` unless it has exactly one
GPU, and a block cell then; what TensorFlow's documentation names for a CPU is in ``peer_block_tensorflow.py``. Declared
instead: one layer for two. Input and recurrent weights are two variables here and are joined in each step, 1.3 MB that
the source keeps as one.
"""

import tensorflow as tf
from keras import layers

SOURCE = (
    "tensorflow/models `ptb_word_lm`",
    "https://github.com/tensorflow/models/blob/v1.13.0/tutorials/rnn/ptb/ptb_word_lm.py",
)
MODES = ("graph", "xla")
DIFFERS = (
    "The clip norm counts the stored rows of the embedding's gradient; ours sums repeated words first, as declared."
)


class LanguageModel:
    def __init__(self, batch_size):
        self.embedding, self.lstm, self.fc = layers.Embedding(10_000, 200), layers.LSTM(200), layers.Dense(10_000)
        self.embedding.build(())
        self.lstm.build((batch_size, 20, 200))
        self.fc.build((None, 200))
        self.lstm_h = tf.Variable(tf.zeros((batch_size, 200)), trainable=False)
        self.lstm_c = tf.Variable(tf.zeros((batch_size, 200)), trainable=False)
        kept = [*self.embedding.trainable_variables, *self.lstm.trainable_variables, *self.fc.trainable_variables]
        self.trained = [variable.value for variable in kept]

    def __call__(self, x, h, c, training=False):  # (N, T), (N, 200), (N, 200)
        table, kernel, recurrent, bias, weights, biases = self.trained
        inputs = tf.nn.embedding_lookup(table, x)  # (N, T, 200)
        both = tf.concat([kernel, recurrent], 0)  # (400, 800): the tutorial's cell keeps them as one
        outputs = []
        for step in range(inputs.shape[1]):
            gates = tf.nn.bias_add(tf.matmul(tf.concat([inputs[:, step, :], h], 1), both), bias)
            i, f, j, o = tf.split(gates, 4, 1)
            c = c * tf.sigmoid(f) + tf.sigmoid(i) * tf.tanh(j)
            h = tf.tanh(c) * tf.sigmoid(o)
            outputs.append(h)
        output = tf.reshape(tf.concat(outputs, 1), (-1, 200))  # (N * T, 200)
        logits = tf.compat.v1.nn.xw_plus_b(output, weights, biases)
        return tf.reshape(logits, (-1, inputs.shape[1], 10_000)), h, c


def build(workload):
    return LanguageModel(workload.batch_size)


def optimizer(workload, model):
    out = tf.compat.v1.train.GradientDescentOptimizer(workload.optimiser.learning_rate)
    out.clip_norm = workload.optimiser.clip_norm
    return out


def loss(model, x, y):
    logits, h, c = model(x, model.lstm_h, model.lstm_c)
    model.lstm_h.assign(h)
    model.lstm_c.assign(c)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # (N, T)
    return tf.reduce_sum(tf.reduce_mean(each, 0))  # mean over rows, sum over time


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    gradients, _ = tf.clip_by_global_norm(tape.gradient(value, model.trained), optimizer.clip_norm)
    optimizer.apply_gradients(zip(gradients, model.trained, strict=True))
    return value


def predict(model, x, h, c):
    return model(x, h, c)
