"""Word-level LSTM text generation in TensorLayerX. TensorLayer book, section 6.4.

layer      output           parameters
input      (N, T)
embedding  (N, T, 200)       2,000,000
lstm       (N, T, 200)         320,800
fc         (N, T, 10000)     2,010,000
                             4,330,800
"""

import numpy as np
import tensorflow as tf  # state, clipping and the tape: TensorLayerX has none of its own
import tensorlayerx as tlx
from tensorlayerx import nn

from benchmarks.workload import Workload


class LanguageModel(nn.Module):
    def __init__(self, batch_size: int):
        super().__init__()
        self.embedding = nn.Embedding(10_000, 200)
        self.lstm = nn.LSTM(200, 200, batch_first=True)
        self.lstm.bias_hh[0].assign(np.zeros(800, np.float32))  # one bias is declared; not trained, see trained()
        self.fc = nn.Linear(10_000, in_features=200)
        self.lstm_h = tf.Variable(tf.zeros((batch_size, 200)), trainable=False, name="lstm_h")  # state of training
        self.lstm_c = tf.Variable(tf.zeros((batch_size, 200)), trainable=False, name="lstm_c")

    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x)  # (N, T, 200)
        x, (h, c) = self.lstm(x, (h[None], c[None]))  # (N, T, 200), (1, N, 200) twice
        flat = self.fc(tlx.reshape(x, (-1, 200)))  # (N * T, 10000), as the book's LSTM layer hands it over
        return tlx.reshape(flat, (*x.shape[:2], 10_000)), h[0], c[0]  # (N, T, 10000), (N, 200), (N, 200)


def build(workload: Workload) -> LanguageModel:
    return LanguageModel(workload.batch_size)


def trained(model: LanguageModel):
    """Everything but the second LSTM bias and the state."""
    kept = (model.lstm.bias_hh[0], model.lstm_h, model.lstm_c)
    return [w for w in model.trainable_weights if not any(w is other for other in kept)]


class ClippedSGD(tlx.optimizers.SGD):
    """TensorLayerX's SGD and clipping; rows of the embedding that stand for the same word are summed first."""

    def apply_gradients(self, grads_and_vars):
        super().apply_gradients([(tf.convert_to_tensor(g), v) for g, v in grads_and_vars])


def optimizer(workload: Workload, model: LanguageModel):
    sgd = workload.optimiser
    return ClippedSGD(sgd.learning_rate, grad_clip=tlx.ops.ClipByGlobalNorm(sgd.clip_norm))


def loss(model: LanguageModel, x, y):
    logits, h, c = model(x, model.lstm_h, model.lstm_c)  # (N, T, 10000)
    model.lstm_h.assign(h)
    model.lstm_c.assign(c)
    flat = tlx.reshape(logits, (-1, 10_000))  # (N * T, 10000)
    mean = tlx.losses.softmax_cross_entropy_with_logits(flat, tlx.reshape(y, (-1,)))  # ()
    return mean * x.shape[1]  # summed over time, mean over rows


def train_step(model: LanguageModel, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    weights = trained(model)
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value


def predict(model: LanguageModel, x, h, c):
    return model(x, h, c)  # (N, T, 10000), (N, 200), (N, 200)
