"""CIFAR-10 residual networks in TensorLayerX, tuned. Liao's book, section 4.7; PyTorch 2.0 book, 7.2.

Beside the documented implementation: batch norm and Adam in one operation of TensorFlow each, freed memory kept, oneDNN
on.
"""

from unittest import mock

import cifar10_resnet_tensorlayerx as documented
import tensorflow as tf
from cifar10_resnet_tensorlayerx import ResNet, loss, predict
from tensorlayerx import nn

from benchmarks.frameworks.tensorflow_adam import FusedAdam
from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class FusedBatchNorm(nn.BatchNorm2d):
    """TensorLayerX's layer, which writes training in parts, with TensorFlow's one operation there."""

    def forward(self, x):  # (N, H, W, C)
        if not self.is_train:
            return super().forward(x)  # (N, H, W, C)
        fused = tf.compat.v1.nn.fused_batch_norm
        out, mean, variance = fused(x, self.gamma, self.beta, epsilon=self.epsilon)  # (N, H, W, C), (C,), (C,)
        n = tf.cast(tf.size(x) / tf.shape(x)[-1], tf.float32)  # N * H * W
        variance *= (n - 1) / n  # (C,) unbiased; in TensorLayerX the biased one runs
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_var.assign(self.moving_var * self.momentum + variance * (1.0 - self.momentum))
        return out  # (N, H, W, C)


def build(workload: Workload) -> ResNet:
    def norm(filters):
        return FusedBatchNorm(momentum=0.9, epsilon=1e-5, num_features=filters)

    with mock.patch.object(documented, "norm", norm):
        return documented.build(workload)


def optimizer(workload: Workload, model: ResNet):
    adam = workload.optimiser
    return FusedAdam(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, model.trainable_weights)


def train_step(model: ResNet, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    optimizer.apply(tape.gradient(value, model.trainable_weights), model.trainable_weights)
    return value
