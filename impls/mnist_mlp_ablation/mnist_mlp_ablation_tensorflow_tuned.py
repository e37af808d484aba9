"""MNIST perceptrons 784-300-100-10 in TensorFlow, tuned. Introduction to Deep Learning with PyTorch, section 3.8.

Beside the documented implementation: SGD in one operation of TensorFlow a variable, freed memory kept.
"""

import keras
import tensorflow as tf
from mnist_mlp_ablation_tensorflow import build, loss, predict

from benchmarks.frameworks.tensorflow_adam import resource
from benchmarks.workload import Workload

MODES = ("graph",)
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class PlainSGD:
    def __init__(self, learning_rate: float):
        self.learning_rate = tf.Variable(learning_rate, trainable=False)

    def apply(self, gradients, variables):
        rate = tf.convert_to_tensor(self.learning_rate)  # ()
        for gradient, variable in zip(gradients, variables, strict=True):
            tf.raw_ops.ResourceApplyGradientDescent(var=resource(variable), alpha=rate, delta=gradient)


def optimizer(workload: Workload, model: keras.Model):
    return PlainSGD(workload.optimiser.learning_rate)


def train_step(model: keras.Model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
    return value
