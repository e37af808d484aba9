"""LSTM language model as TensorLayer's tutorial trains it on the Penn Treebank, with TensorLayerX's layers.

From the source, whose sizes are ours: embedding, LSTM, its output flattened to two dimensions before the dense layer
(``return_seq_2d=True``, as in the book and in TensorLayer's text generation), loss of flat logits, gradients clipped by
``tf.clip_by_global_norm`` between tape and optimiser. TensorLayerX has no ``return_seq_2d``: a reshape stands for it.
Declared instead: one layer for two, SGD for its Adam, the loss summed over time, one bias.
"""

import numpy as np
import tensorflow as tf
import tensorlayerx as tlx
from tensorlayerx.nn import LSTM, Embedding, Linear, Module

SOURCE = (
    "TensorLayer examples, PTB LSTM",
    "https://github.com/tensorlayer/TensorLayer/blob/master/examples/text_ptb/tutorial_ptb_lstm.py",
)
MODES = ("eager",)
DIFFERS = (
    "The clip norm counts the stored rows of the embedding's gradient; ours sums repeated words first, as declared."
)


class LanguageModel(Module):
    def __init__(self, batch_size, clip_norm):
        super().__init__()
        self.embedding = Embedding(num_embeddings=10_000, embedding_dim=200)
        self.lstm = LSTM(input_size=200, hidden_size=200, batch_first=True)
        self.lstm.bias_hh[0].assign(np.zeros(800, np.float32))  # the library trains it; one bias is declared
        self.fc = Linear(in_features=200, out_features=10_000)
        self.lstm_h = tf.Variable(tf.zeros((batch_size, 200)), trainable=False, name="lstm_h")
        self.lstm_c = tf.Variable(tf.zeros((batch_size, 200)), trainable=False, name="lstm_c")
        self.max_grad_norm = clip_norm
        self.weights = None  # asked for once, before the loop

    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x)
        x, (h, c) = self.lstm(x, (h[None], c[None]))
        return self.fc(tlx.reshape(x, (-1, 200))), h[0], c[0]  # (N * T, 10000), (N, 200), (N, 200)


def build(workload):
    return LanguageModel(workload.batch_size, workload.optimiser.clip_norm)


def trained(model):
    kept = (model.lstm.bias_hh[0], model.lstm_h, model.lstm_c)
    return [w for w in model.trainable_weights if not any(w is other for other in kept)]


def optimizer(workload, model):
    model.weights = trained(model)
    return tlx.optimizers.SGD(workload.optimiser.learning_rate)


def loss(model, x, y):
    logits, h, c = model(x, model.lstm_h, model.lstm_c)
    model.lstm_h.assign(h)
    model.lstm_c.assign(c)
    return tlx.losses.softmax_cross_entropy_with_logits(logits, tlx.reshape(y, (-1,))) * 20.0  # summed over time


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    gradients, _ = tf.clip_by_global_norm(tape.gradient(value, model.weights), model.max_grad_norm)
    optimizer.apply_gradients(zip(gradients, model.weights, strict=True))
    return value


def predict(model, x, h, c):
    logits, h, c = model(x, h, c)
    return tlx.reshape(logits, (*x.shape, 10_000)), h, c
