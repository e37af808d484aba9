"""MNIST CNN as Keras's example builds it, in the training loop that Keras's guide writes out for TensorFlow.

From the sources: a ``Sequential``, dropout after the flatten, soft-max in the network and a cross-entropy of its
probabilities (for which Keras finds the logits again), ``optimizer.apply``. Declared instead: sizes, 'same' padding, a
second dense layer, labels as numbers (the example's are one-hot). Left out: the guide's metric.
"""

import keras
import tensorflow as tf
from keras import layers

SOURCE = (
    "Keras `mnist_convnet` in a custom loop",
    "https://github.com/keras-team/keras-io/blob/master/examples/vision/mnist_convnet.py",
)
MODES = ("graph", "xla")
DIFFERS = ""


class Named:
    """The model, and its layers as attributes."""

    def __init__(self, model):
        self.model, self.loss_fn = model, keras.losses.SparseCategoricalCrossentropy()
        for layer in model.layers:
            setattr(self, layer.name, layer)

    def __call__(self, x, training=False):
        return self.model(x, training=training)


def build(workload):
    rates = [layer.rate for layer in workload.dropouts]
    return Named(
        keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, kernel_size=(5, 5), padding="same", activation="relu", name="conv1"),
                layers.MaxPooling2D(pool_size=(2, 2)),
                layers.Conv2D(64, kernel_size=(5, 5), padding="same", activation="relu", name="conv2"),
                layers.MaxPooling2D(pool_size=(2, 2)),
                layers.Flatten(),
                layers.Dropout(rates[0], name="drop1"),
                layers.Dense(256, activation="relu", name="fc1"),
                layers.Dropout(rates[1], name="drop2"),
                layers.Dense(10, activation="softmax", name="fc2"),
            ]
        )
    )


def optimizer(workload, model):
    adam = workload.optimiser
    out = keras.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, epsilon=adam.epsilon)
    out.build(model.model.trainable_weights)
    return out


def loss(model, x, y):
    return model.loss_fn(y, model(x, training=True))


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        probabilities = model(x, training=True)
        value = model.loss_fn(y, probabilities)
    gradients = tape.gradient(value, model.model.trainable_weights)
    optimizer.apply(gradients, model.model.trainable_weights)
    return value


def predict(model, x):
    return model(x, training=False)
