"""MNIST MLP as TensorLayerX's example builds it and, in its part for TensorFlow, trains it with a tape.

From the source: layers with their ReLU as ``act``, the weights asked for once before the loop, loss on logits, Adam of
the library. Declared instead: dropout's rates, a ReLU after the first layer and none after the last. Left out:
``set_train`` before each step, which the adapter calls when need be.
"""

import tensorflow as tf
import tensorlayerx as tlx
from tensorlayerx.nn import Dropout, Linear, Module

SOURCE = (
    "TensorLayerX examples, MNIST MLP",
    "https://github.com/tensorlayer/TensorLayerX/blob/main/examples/basic_tutorials/mnist_mlp_mix_programming.py",
)
MODES = ("eager",)
DIFFERS = ""


class MLP(Module):
    def __init__(self, rates):
        super().__init__()
        self.drop1 = Dropout(p=rates[0])
        self.fc1 = Linear(out_features=800, act=tlx.nn.ReLU, in_features=784)
        self.drop2 = Dropout(p=rates[1])
        self.fc2 = Linear(out_features=800, act=tlx.nn.ReLU, in_features=800)
        self.drop3 = Dropout(p=rates[2])
        self.fc3 = Linear(out_features=10, in_features=800)
        self.weights = None  # asked for once, as the example does before its loop

    def forward(self, x):  # (N, 784)
        z = self.drop1(x)
        z = self.fc1(z)
        z = self.drop2(z)
        z = self.fc2(z)
        z = self.drop3(z)
        return self.fc3(z)  # (N, 10)


def build(workload):
    return MLP([layer.rate for layer in workload.dropouts])


def optimizer(workload, model):
    adam = workload.optimiser
    model.weights = model.trainable_weights
    return tlx.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, eps=adam.epsilon)


def loss(model, x, y):
    return tlx.losses.softmax_cross_entropy_with_logits(model(x), y)


def train_step(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        value = loss(model, x, y)
    gradients = tape.gradient(value, model.weights)
    optimizer.apply_gradients(zip(gradients, model.weights, strict=True))
    return value


def predict(model, x):
    return model(x)
