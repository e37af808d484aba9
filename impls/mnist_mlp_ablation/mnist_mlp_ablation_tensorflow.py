"""MNIST perceptrons 784-300-100-10 in TensorFlow and Keras. Introduction to Deep Learning with PyTorch, section 3.8.

layer    output      parameters    SimpleNet    ActivationNet    BatchNet
input    (N, 784)
fc1      (N, 300)       235,500    x            x                x
bn1      (N, 300)           600                                  x
ReLU     (N, 300)                               x                x
fc2      (N, 100)        30,100    x            x                x
bn2      (N, 100)           200                                  x
ReLU     (N, 100)                               x                x
fc3      (N, 10)          1,010    x            x                x
                                   266,610      266,610          267,410
"""

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.workload import Workload


class SimpleNet(keras.Model):
    def __init__(self, declared: dict):
        super().__init__()
        self.fc1 = layers.Dense(300)
        self.fc2 = layers.Dense(100)
        self.fc3 = layers.Dense(10)

    def call(self, x, training=False):  # (N, 784)
        x = self.fc1(x)  # (N, 300)
        x = self.fc2(x)  # (N, 100)
        return self.fc3(x)  # (N, 10)


class ActivationNet(keras.Model):
    def __init__(self, declared: dict):
        super().__init__()
        self.fc1 = layers.Dense(300)
        self.fc2 = layers.Dense(100)
        self.fc3 = layers.Dense(10)

    def call(self, x, training=False):  # (N, 784)
        x = ops.relu(self.fc1(x))  # (N, 300)
        x = ops.relu(self.fc2(x))  # (N, 100)
        return self.fc3(x)  # (N, 10)


class BatchNet(keras.Model):
    def __init__(self, declared: dict):
        super().__init__()
        self.fc1 = layers.Dense(300)
        self.bn1 = layers.BatchNormalization(epsilon=declared["bn1"].epsilon, momentum=1 - declared["bn1"].momentum)
        self.fc2 = layers.Dense(100)
        self.bn2 = layers.BatchNormalization(epsilon=declared["bn2"].epsilon, momentum=1 - declared["bn2"].momentum)
        self.fc3 = layers.Dense(10)

    def call(self, x, training=False):  # (N, 784)
        x = ops.relu(self.bn1(self.fc1(x), training=training))  # (N, 300)
        x = ops.relu(self.bn2(self.fc2(x), training=training))  # (N, 100)
        return self.fc3(x)  # (N, 10)


VARIANTS = {"linear": SimpleNet, "relu": ActivationNet, "batchnorm": BatchNet}


def build(workload: Workload) -> keras.Model:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    model = VARIANTS[workload.variant](declared)
    model(keras.Input((784,)))  # makes the variables
    return model


def optimizer(workload: Workload, model: keras.Model):
    out = keras.optimizers.SGD(workload.optimiser.learning_rate)
    out.build(model.trainable_variables)
    return out


def loss(model: keras.Model, x, y):
    logits = model(x, training=True)  # (N, 10)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))  # ()


def train_step(model: keras.Model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return value


def predict(model: keras.Model, x):
    return model(x, training=False)  # (N, 10)
