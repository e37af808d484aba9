"""LSTM language model with Keras's documented switch for its layer: ``unroll=True``.

From the source: the argument, which the page says speeds a layer up for more memory and suits short sequences, where a
symbolic loop over time would run. All else is as in TensorFlow's tutorial (``peer_keras_tensorflow.py``).
"""

import keras
import tensorflow as tf
from keras import layers

SOURCE = (
    "Keras LSTM layer, `unroll`",
    "https://keras.io/api/layers/recurrent_layers/lstm/",
)
MODES = ("graph-tuned", "xla-tuned")
DIFFERS = (
    "The clip norm counts the stored rows of the embedding's gradient; ours sums repeated words first, as declared."
)


class LanguageModel(keras.Model):
    def __init__(self, batch_size):
        super().__init__()
        self.embedding = layers.Embedding(10_000, 200)
        self.lstm = layers.LSTM(200, return_sequences=True, return_state=True, unit_forget_bias=False, unroll=True)
        self.fc = layers.Dense(10_000)
        self.lstm_h = tf.Variable(tf.zeros((batch_size, 200)), trainable=False)
        self.lstm_c = tf.Variable(tf.zeros((batch_size, 200)), trainable=False)
        self.loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def call(self, x, h, c, training=False):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x, training=training)
        x, h, c = self.lstm(x, initial_state=[h, c], training=training)
        return self.fc(x, training=training), h, c  # (N, T, 10000), (N, 200), (N, 200)


def build(workload):
    model = LanguageModel(workload.batch_size)
    state = keras.Input((200,))
    model(keras.Input((20,), dtype="int64"), state, state)
    return model


def optimizer(workload, model):
    out = keras.optimizers.SGD(workload.optimiser.learning_rate, global_clipnorm=workload.optimiser.clip_norm)
    out.build(model.trainable_variables)
    return out


def loss(model, x, y):
    logits, h, c = model(x, model.lstm_h, model.lstm_c, training=True)
    model.lstm_h.assign(h)
    model.lstm_c.assign(c)
    return model.loss_fn(y, logits) * 20.0  # summed over time


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return value


def predict(model, x, h, c):
    return model(x, h, c, training=False)
