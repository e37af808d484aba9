"""MNIST convolutional network in TensorFlow and Keras. TensorLayer book, section 4.4.

layer                   output              parameters
input                   (N, 28, 28, 1)
conv1  5x5, ReLU        (N, 28, 28, 32)            832
pool                    (N, 14, 14, 32)
conv2  5x5, ReLU        (N, 14, 14, 64)         51,264
pool                    (N, 7, 7, 64)
flatten                 (N, 3136)
drop1  rate 0.5         (N, 3136)
fc1    ReLU             (N, 256)               803,072
drop2  rate 0.5         (N, 256)
fc2                     (N, 10)                  2,570
                                               857,738
"""

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.workload import Workload


class CNN(keras.Model):
    def __init__(self, declared: dict):
        super().__init__()
        self.conv1 = layers.Conv2D(32, 5, padding="same")
        self.conv2 = layers.Conv2D(64, 5, padding="same")
        self.pool = layers.MaxPooling2D(2)
        self.flatten = layers.Flatten()
        self.drop1 = layers.Dropout(declared["drop1"].rate)
        self.fc1 = layers.Dense(256)
        self.drop2 = layers.Dropout(declared["drop2"].rate)
        self.fc2 = layers.Dense(10)

    def call(self, x, training=False):  # (N, 28, 28, 1)
        x = ops.relu(self.conv1(x))  # (N, 28, 28, 32)
        x = self.pool(x)  # (N, 14, 14, 32)
        x = ops.relu(self.conv2(x))  # (N, 14, 14, 64)
        x = self.pool(x)  # (N, 7, 7, 64)
        x = self.flatten(x)  # (N, 3136)
        x = self.drop1(x, training=training)  # (N, 3136)
        x = ops.relu(self.fc1(x))  # (N, 256)
        x = self.drop2(x, training=training)  # (N, 256)
        return self.fc2(x)  # (N, 10)


def build(workload: Workload) -> CNN:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    model = CNN(declared)
    model(keras.Input((28, 28, 1)))  # makes the variables
    return model


def optimizer(workload: Workload, model: CNN):
    adam = workload.optimiser
    out = keras.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, epsilon=adam.epsilon)
    out.build(model.trainable_variables)
    return out


def loss(model: CNN, x, y):
    logits = model(x, training=True)  # (N, 10)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))  # ()


def train_step(model: CNN, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return value


def predict(model: CNN, x):
    return model(x, training=False)  # (N, 10)
