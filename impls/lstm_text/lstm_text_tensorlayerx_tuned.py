"""Word-level LSTM text generation in TensorLayerX, tuned. TensorLayer book, section 6.4.

Beside the documented implementation: SGD is written out, freed memory kept, oneDNN on. In a graph TensorLayerX's loop
over time is unrolled as it is.
"""

import tensorflow as tf
from lstm_text_tensorlayerx import LanguageModel, build, loss, predict, trained

from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step", "trained"]


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
