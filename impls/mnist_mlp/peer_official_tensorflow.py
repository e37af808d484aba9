"""MNIST MLP as TensorFlow 1's official model builds and trains its network.

From the source: a ``Sequential``, activations of ``tf.nn``, the loss of ``compat.v1`` on logits and its
``AdamOptimizer``, which is one operation a variable. Declared instead: the layers (the source has a CNN). Left out: the
global step.
"""

import keras
import tensorflow as tf
from keras import layers

SOURCE = (
    "tensorflow/models `official/r1/mnist`",
    "https://github.com/tensorflow/models/blob/master/official/r1/mnist/mnist.py",
)
MODES = ("graph",)
DIFFERS = ""


class Named:
    """The model, and its layers as attributes."""

    def __init__(self, model):
        self.model = model
        self.trained = [variable.value for variable in model.trainable_variables]
        for layer in model.layers:
            setattr(self, layer.name, layer)

    def __call__(self, x, training=False):
        return self.model(x, training=training)


def build(workload):
    rates = [layer.rate for layer in workload.dropouts]
    return Named(
        keras.Sequential(
            [
                keras.Input((784,)),
                layers.Dropout(rates[0], name="drop1"),
                layers.Dense(800, activation=tf.nn.relu, name="fc1"),
                layers.Dropout(rates[1], name="drop2"),
                layers.Dense(800, activation=tf.nn.relu, name="fc2"),
                layers.Dropout(rates[2], name="drop3"),
                layers.Dense(10, name="fc3"),
            ]
        )
    )


def optimizer(workload, model):
    adam = workload.optimiser
    return tf.compat.v1.train.AdamOptimizer(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon)


def loss(model, x, y):
    return tf.compat.v1.losses.sparse_softmax_cross_entropy(labels=y, logits=model(x, training=True))


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    optimizer.apply_gradients(zip(tape.gradient(value, model.trained), model.trained, strict=True))
    return value


def predict(model, x):
    return model(x, training=False)
