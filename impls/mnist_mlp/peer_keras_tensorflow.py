"""MNIST MLP as a functional Keras model in the training loop that Keras's guide writes out for TensorFlow.

From the source: functional layers, logits out of the network, ``SparseCategoricalCrossentropy(from_logits=True)``, the
step in its order, ``optimizer.apply``. Declared instead: sizes and dropout. Left out: the guide's metric.
"""

import keras
import tensorflow as tf
from keras import layers

SOURCE = (
    "Keras guide, custom loop",
    "https://keras.io/guides/writing_a_custom_training_loop_in_tensorflow/",
)
MODES = ("graph", "xla")
DIFFERS = ""


class Named:
    """The model, and its layers as attributes."""

    def __init__(self, model):
        self.model, self.loss_fn = model, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        for layer in model.layers:
            setattr(self, layer.name, layer)

    def __call__(self, x, training=False):
        return self.model(x, training=training)


def build(workload):
    rates = [layer.rate for layer in workload.dropouts]
    inputs = keras.Input(shape=(784,), name="digits")
    x = layers.Dropout(rates[0], name="drop1")(inputs)
    x = layers.Dense(800, activation="relu", name="fc1")(x)
    x = layers.Dropout(rates[1], name="drop2")(x)
    x = layers.Dense(800, activation="relu", name="fc2")(x)
    x = layers.Dropout(rates[2], name="drop3")(x)
    outputs = layers.Dense(10, name="fc3")(x)
    return Named(keras.Model(inputs=inputs, outputs=outputs))


def optimizer(workload, model):
    adam = workload.optimiser
    out = keras.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, epsilon=adam.epsilon)
    out.build(model.model.trainable_weights)
    return out


def loss(model, x, y):
    return model.loss_fn(y, model(x, training=True))


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        value = model.loss_fn(y, logits)
    gradients = tape.gradient(value, model.model.trainable_weights)
    optimizer.apply(gradients, model.model.trainable_weights)
    return value


def predict(model, x):
    return model(x, training=False)
