"""LSTM language model with the cell that TensorFlow 1's documentation names for a CPU: one operation for all steps.

From the source: time first, ``BlockLSTM`` with one matrix for input and state, no peepholes and no clipping of the
cell. The page of the basic cell, which ``peer_ptb_tensorflow.py`` has, points here for speed on a CPU. The class
itself left with ``tf.contrib``; the operation is in TensorFlow 2 as ``tf.raw_ops.BlockLSTM``, with its gradient. Its
gates lie in the order input, candidate, forget, output, so joining the weights turns two of them. All else is as in
the tutorial of that peer.
"""

import tensorflow as tf
from keras import layers

SOURCE = (
    "TensorFlow 1 `LSTMBlockFusedCell`",
    "https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/contrib/rnn/LSTMBlockFusedCell",
)
MODES = ("graph-tuned",)  # XLA has no such operation
DIFFERS = (
    "The clip norm counts the stored rows of the embedding's gradient; ours sums repeated words first, as declared."
)


def turned(gates):
    """Gates of Keras in the order of ``BlockLSTM``."""
    i, f, candidate, o = tf.split(gates, 4, -1)
    return tf.concat([i, candidate, f, o], -1)


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
        inputs = tf.transpose(tf.nn.embedding_lookup(table, x), [1, 0, 2])  # (T, N, 200)
        peephole = tf.zeros((200,))  # an argument that is not used
        out = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(inputs.shape[0], tf.int64),
            x=inputs,
            cs_prev=c,
            h_prev=h,
            w=turned(tf.concat([kernel, recurrent], 0)),
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            b=turned(bias),
            forget_bias=0.0,
            cell_clip=-1.0,
            use_peephole=False,
        )
        output = tf.reshape(tf.transpose(out.h, [1, 0, 2]), (-1, 200))  # (N * T, 200)
        logits = tf.compat.v1.nn.xw_plus_b(output, weights, biases)
        return tf.reshape(logits, (-1, inputs.shape[0], 10_000)), out.h[-1], out.cs[-1]


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
