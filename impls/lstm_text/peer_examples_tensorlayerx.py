"""LSTM language model from TensorLayerX's layer as in its example, trained with TensorFlow's tape."""

import numpy as np
import tensorflow as tf
import tensorlayerx as tlx
from tensorlayerx.nn import LSTM, Embedding, Linear, Module

SOURCE = (
    "TensorLayerX examples, IMDB LSTM",
    "https://github.com/tensorlayer/TensorLayerX/blob/main/examples/basic_tutorials/imdb_lstm_simple.py",
)
MODES = ("eager",)
DIFFERS = (
    "The clip norm counts the stored rows of the embedding's gradient; ours sums repeated words first, as declared."
)


class LanguageModel(Module):
    def __init__(self, batch_size):
        super().__init__()
        self.embedding = Embedding(num_embeddings=10_000, embedding_dim=200)
        self.lstm = LSTM(input_size=200, hidden_size=200, batch_first=True)
        self.lstm.bias_hh[0].assign(np.zeros(800, np.float32))  # the example trains it; one bias is declared
        self.fc = Linear(in_features=200, out_features=10_000)
        self.lstm_h = tf.Variable(tf.zeros((batch_size, 200)), trainable=False, name="lstm_h")
        self.lstm_c = tf.Variable(tf.zeros((batch_size, 200)), trainable=False, name="lstm_c")
        self.weights = None  # asked for once, as the example does before its loop

    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x)
        x, (h, c) = self.lstm(x, (h[None], c[None]))
        return self.fc(x), h[0], c[0]  # (N, T, 10000), (N, 200), (N, 200)


def build(workload):
    return LanguageModel(workload.batch_size)


def trained(model):
    kept = (model.lstm.bias_hh[0], model.lstm_h, model.lstm_c)
    return [w for w in model.trainable_weights if not any(w is other for other in kept)]


def optimizer(workload, model):
    sgd = workload.optimiser
    model.weights = trained(model)
    return tlx.optimizers.SGD(sgd.learning_rate, grad_clip=tlx.ops.ClipByGlobalNorm(sgd.clip_norm))


def loss(model, x, y):
    logits, h, c = model(x, model.lstm_h, model.lstm_c)
    model.lstm_h.assign(h)
    model.lstm_c.assign(c)
    flat = tlx.reshape(logits, (-1, 10_000))
    return tlx.losses.softmax_cross_entropy_with_logits(flat, tlx.reshape(y, (-1,))) * 20.0  # summed over time


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    gradients = tape.gradient(value, model.weights)
    optimizer.apply_gradients(zip(gradients, model.weights, strict=True))
    return value


def predict(model, x, h, c):
    return model(x, h, c)
