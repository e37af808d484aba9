"""MNIST CNN with the loss and Adam of TensorFlow 1's official model: Adam is one operation a variable."""

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
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, kernel_size=5, padding="same", activation=tf.nn.relu, name="conv1"),
                layers.MaxPooling2D(pool_size=2),
                layers.Conv2D(64, kernel_size=5, padding="same", activation=tf.nn.relu, name="conv2"),
                layers.MaxPooling2D(pool_size=2),
                layers.Flatten(),
                layers.Dropout(rates[0], name="drop1"),
                layers.Dense(256, activation=tf.nn.relu, name="fc1"),
                layers.Dropout(rates[1], name="drop2"),
                layers.Dense(10, name="fc2"),
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
