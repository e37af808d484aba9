"""Word-level LSTM text generation in TensorFlow and Keras. TensorLayer book, section 6.4.

layer      output           parameters
input      (N, T)
embedding  (N, T, 200)       2,000,000
lstm       (N, T, 200)         320,800
fc         (N, T, 10000)     2,010,000
                             4,330,800
"""

import keras
import tensorflow as tf
from keras import layers

from benchmarks.workload import Workload


class LanguageModel(keras.Model):
    def __init__(self, batch_size: int):
        super().__init__()
        self.embedding = layers.Embedding(10_000, 200)
        self.lstm = layers.LSTM(200, return_sequences=True, return_state=True, unit_forget_bias=False)
        self.fc = layers.Dense(10_000)
        self.lstm_h = tf.Variable(tf.zeros((batch_size, 200)), trainable=False)  # state of training
        self.lstm_c = tf.Variable(tf.zeros((batch_size, 200)), trainable=False)

    def call(self, x, h, c, training=False):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x)  # (N, T, 200)
        x, h, c = self.lstm(x, initial_state=[h, c])  # (N, T, 200), (N, 200), (N, 200)
        return self.fc(x), h, c  # (N, T, 10000), (N, 200), (N, 200)


def build(workload: Workload) -> LanguageModel:
    model = LanguageModel(workload.batch_size)
    state = keras.Input((200,))
    model(keras.Input((20,), dtype="int64"), state, state)  # makes the variables
    return model


def optimizer(workload: Workload, model: LanguageModel):
    sgd = workload.optimiser
    out = keras.optimizers.SGD(sgd.learning_rate, global_clipnorm=sgd.clip_norm)
    out.build(model.trainable_variables)
    return out


def loss(model: LanguageModel, x, y):
    logits, h, c = model(x, model.lstm_h, model.lstm_c, training=True)  # (N, T, 10000)
    model.lstm_h.assign(h)
    model.lstm_c.assign(c)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # (N, T)
    return tf.reduce_mean(tf.reduce_sum(each, 1))  # ()


def train_step(model: LanguageModel, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    gradients = tape.gradient(value, model.trainable_variables)
    # The norm is over words: the rows of a word that occurs again are summed first.
    optimizer.apply([tf.convert_to_tensor(g) for g in gradients], model.trainable_variables)
    return value


def predict(model: LanguageModel, x, h, c):
    return model(x, h, c, training=False)  # (N, T, 10000), (N, 200), (N, 200)
