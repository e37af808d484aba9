"""Word-level LSTM text generation in TensorLayerX, tuned. TensorLayer book, section 6.4.

Beside the documented implementation: TensorFlow's fused LSTM operation over TensorLayerX's weights, plain updates,
freed memory kept, oneDNN on.
"""

from unittest import mock

import lstm_text_tensorlayerx as documented
import tensorflow as tf
import tensorlayerx as tlx
from lstm_text_tensorlayerx import loss, predict, trained

from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step", "trained"]


class LanguageModel(documented.LanguageModel):
    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        words = tf.transpose(self.embedding(x), (1, 0, 2))  # (T, N, 200)
        x, h, c = fused(self.lstm, words, h, c)  # (T, N, 200), (N, 200), (N, 200)
        x = tlx.reshape(tf.transpose(x, (1, 0, 2)), (-1, 200))  # (N * T, 200)
        return tlx.reshape(self.fc(x), (h.shape[0], -1, 10_000)), h, c  # (N, T, 10000), (N, 200), (N, 200)


def fused(lstm, x, h, c):  # (T, N, 200), (N, 200), (N, 200)
    """All steps in one operation, whose gates lie in the order input, candidate, forget, output.

    Not BlockLSTMV2, whose gates lie as TensorLayerX's do: its gradient takes them in the other order all the same.
    """
    none = tf.zeros((200,))  # of peepholes, which the layer has not
    _, cells, _, _, _, _, outputs = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(x.shape[0], tf.int64),
        x=x,
        cs_prev=c,
        h_prev=h,
        w=reordered(tf.transpose(tf.concat([lstm.weight_ih[0], lstm.weight_hh[0]], 1))),  # (400, 800)
        wci=none,
        wcf=none,
        wco=none,
        b=reordered(tf.convert_to_tensor(lstm.bias_ih[0])),  # (800,)
        forget_bias=0.0,
        cell_clip=-1.0,
        use_peephole=False,
    )
    return outputs, outputs[-1], cells[-1]  # (T, N, 200), (N, 200), (N, 200)


def reordered(values):
    """Columns of the gates input, forget, candidate, output, with the middle ones exchanged."""
    i, f, g, o = tf.split(values, 4, -1)
    return tf.concat([i, g, f, o], -1)


def build(workload: Workload) -> LanguageModel:
    with mock.patch.object(documented, "LanguageModel", LanguageModel):
        return documented.build(workload)


class ClippedSGD:
    """SGD on gradients clipped together to a norm, rows of the embedding that stand for the same word summed first."""

    def __init__(self, learning_rate: float, clip_norm: float):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        self.clip_norm = clip_norm

    def apply(self, gradients, variables):
        clipped, _ = tf.clip_by_global_norm([tf.convert_to_tensor(g) for g in gradients], self.clip_norm)
        for gradient, variable in zip(clipped, variables, strict=True):
            variable.assign_sub(self.learning_rate * gradient)


def optimizer(workload: Workload, model: LanguageModel):
    return ClippedSGD(workload.optimiser.learning_rate, workload.optimiser.clip_norm)


def train_step(model: LanguageModel, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    weights = trained(model)
    optimizer.apply(tape.gradient(value, weights), weights)
    return value
