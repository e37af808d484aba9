"""MNIST multilayer perceptron with dropout in TensorFlow and Keras. TensorLayer book, section 2.6.

layer               output       parameters
input               (N, 784)
drop1  rate 0.2     (N, 784)
fc1    ReLU         (N, 800)        628,000
drop2  rate 0.5     (N, 800)
fc2    ReLU         (N, 800)        640,800
drop3  rate 0.5     (N, 800)
fc3                 (N, 10)           8,010
                                  1,276,810
"""

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.workload import Workload


class MLP(keras.Model):
    def __init__(self, declared: dict):
        super().__init__()
        self.drop1 = layers.Dropout(declared["drop1"].rate)
        self.fc1 = layers.Dense(800)
        self.drop2 = layers.Dropout(declared["drop2"].rate)
        self.fc2 = layers.Dense(800)
        self.drop3 = layers.Dropout(declared["drop3"].rate)
        self.fc3 = layers.Dense(10)

    def call(self, x, training=False):  # (N, 784)
        x = self.drop1(x, training=training)  # (N, 784)
        x = ops.relu(self.fc1(x))  # (N, 800)
        x = self.drop2(x, training=training)  # (N, 800)
        x = ops.relu(self.fc2(x))  # (N, 800)
        x = self.drop3(x, training=training)  # (N, 800)
        return self.fc3(x)  # (N, 10)


def build(workload: Workload) -> MLP:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    model = MLP(declared)
    model(keras.Input((784,)))  # makes the variables
    return model


def optimizer(workload: Workload, model: MLP):
    adam = workload.optimiser
    out = keras.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, epsilon=adam.epsilon)
    out.build(model.trainable_variables)
    return out


def loss(model: MLP, x, y):
    logits = model(x, training=True)  # (N, 10)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))  # ()


def train_step(model: MLP, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    gradients = tape.gradient(value, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return value


def predict(model: MLP, x):
    return model(x, training=False)  # (N, 10)
