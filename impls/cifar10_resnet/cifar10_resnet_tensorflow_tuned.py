"""CIFAR-10 residual networks in TensorFlow, tuned. Liao's book, section 4.7; PyTorch 2.0 book, 7.2.

Beside the documented implementation: batch norm and Adam in one operation each, freed memory kept, oneDNN on.
"""

from unittest import mock

import cifar10_resnet_tensorflow as documented
import tensorflow as tf
from cifar10_resnet_tensorflow import ResNet, loss, predict, train_step
from keras import layers

from benchmarks.frameworks.tensorflow_adam import FusedAdam
from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class FusedBatchNorm(layers.BatchNormalization):
    """Keras's layer, which writes training in parts, with TensorFlow's one operation there."""

    def call(self, x, training=False):  # (N, H, W, C)
        if not training:
            return super().call(x, training=False)  # (N, H, W, C)
        fused = tf.compat.v1.nn.fused_batch_norm
        out, mean, variance = fused(x, self.gamma, self.beta, epsilon=self.epsilon)  # (N, H, W, C), (C,), (C,)
        n = tf.cast(tf.size(x) / tf.shape(x)[-1], tf.float32)  # N * H * W
        variance *= (n - 1) / n  # (C,) unbiased; in Keras the biased one runs
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return out  # (N, H, W, C)


def build(workload: Workload) -> ResNet:
    def norm():
        return FusedBatchNorm(momentum=0.9, epsilon=1e-5)

    with mock.patch.object(documented, "norm", norm):
        return documented.build(workload)


def optimizer(workload: Workload, model: ResNet):
    adam = workload.optimiser
    return FusedAdam(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, model.trainable_variables)
