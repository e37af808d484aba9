"""Word-level LSTM text generation in TensorFlow, tuned. TensorLayer book, section 6.4.

Beside the documented implementation: the loop over time is unrolled, SGD is written out, under XLA the embedding's
gradient stays rows; freed memory kept, oneDNN on. TensorFlow's fused operation (``tf.raw_ops.BlockLSTM``) was no
faster, and the gradient of the newer one, BlockLSTMV2, takes the gates in the other's order.
"""

from unittest import mock

import lstm_text_tensorflow as documented
import tensorflow as tf
from keras import layers
from lstm_text_tensorflow import loss, predict

from benchmarks.workload import Workload

MODES = ("graph", "xla")
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class LanguageModel(documented.LanguageModel):
    def __init__(self, batch_size: int):
        super().__init__(batch_size)
        self.lstm = layers.LSTM(200, return_sequences=True, return_state=True, unit_forget_bias=False, unroll=True)


def build(workload: Workload) -> LanguageModel:
    with mock.patch.object(documented, "LanguageModel", LanguageModel):
        return documented.build(workload)


class ClippedSGD:
    """SGD on gradients clipped together to a norm, rows of the embedding that stand for the same word summed first.

    The sum is the dense gradient. XLA would fill, square, scale and subtract all of its 10,000 rows for the 400 of a
    batch, so that there rows stay rows.
    """

    def __init__(self, learning_rate: float, clip_norm: float, rows: bool):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)
        self.clip_norm = clip_norm
        self.summed = summed_rows if rows else tf.convert_to_tensor

    def apply(self, gradients, variables):
        clipped, _ = tf.clip_by_global_norm([self.summed(g) for g in gradients], self.clip_norm)
        for gradient, variable in zip(clipped, variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                step = tf.IndexedSlices(self.learning_rate * gradient.values, gradient.indices)
                variable.value.scatter_sub(step)
            else:
                variable.value.assign_sub(self.learning_rate * gradient)


def summed_rows(gradient):
    """Of rows: at the first place of each word the sum of all its rows, 0 at the others."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, words = gradient.values, gradient.indices  # (R, 200), (R,)
    same = tf.cast(words[:, None] == words, tf.float32)  # (R, R)
    first = tf.reduce_sum(tf.linalg.band_part(same, -1, 0), 1) == 1  # (R,)
    return tf.IndexedSlices(tf.where(first[:, None], tf.matmul(same, rows), 0.0), words, gradient.dense_shape)


def optimizer(workload: Workload, model: LanguageModel):
    sgd = workload.optimiser
    return ClippedSGD(sgd.learning_rate, sgd.clip_norm, rows=model.jit_compile)


def train_step(model: LanguageModel, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
    return value
