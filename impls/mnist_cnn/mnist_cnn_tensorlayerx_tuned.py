"""MNIST convolutional network in TensorLayerX, tuned. TensorLayer book, section 4.4.

Beside the documented implementation: Adam in TensorFlow's one operation a variable, freed memory kept, oneDNN on.
"""

import tensorflow as tf
from mnist_cnn_tensorlayerx import CNN, build, loss, predict

from benchmarks.frameworks.tensorflow_adam import FusedAdam
from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


def optimizer(workload: Workload, model: CNN):
    adam = workload.optimiser
    return FusedAdam(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, model.trainable_weights)


def train_step(model: CNN, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    optimizer.apply(tape.gradient(value, model.trainable_weights), model.trainable_weights)
    return value
