"""MNIST CNN as TensorLayerX's example builds its network and its ``Model.train`` trains it.

From the source: layers with their ReLU as ``act``, 'SAME' padding of convolutions and pools, Adam of the library. From
``Model.train`` on TensorFlow: a tape, the weights asked for once, loss on logits; its accuracy of each batch is left
out. Declared instead: sizes, dropout, a ReLU after the first convolution too.
"""

import tensorflow as tf
import tensorlayerx as tlx
from tensorlayerx.nn import Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module

SOURCE = (
    "TensorLayerX examples, CIFAR-10 CNN",
    "https://github.com/tensorlayer/TensorLayerX/blob/main/examples/basic_tutorials/cifar10_cnn_train.py",
)
MODES = ("eager",)
DIFFERS = ""


class CNN(Module):
    def __init__(self, rates):
        super().__init__()
        self.conv1 = Conv2d(32, (5, 5), (1, 1), padding="SAME", act=tlx.nn.ReLU, in_channels=1)
        self.maxpool1 = MaxPool2d((2, 2), (2, 2), padding="SAME")
        self.conv2 = Conv2d(64, (5, 5), (1, 1), padding="SAME", act=tlx.nn.ReLU, in_channels=32)
        self.maxpool2 = MaxPool2d((2, 2), (2, 2), padding="SAME")
        self.flatten = Flatten()
        self.drop1 = Dropout(p=rates[0])
        self.fc1 = Linear(256, act=tlx.nn.ReLU, in_features=3136)
        self.drop2 = Dropout(p=rates[1])
        self.fc2 = Linear(10, in_features=256)
        self.weights = None  # asked for once, before the loop

    def forward(self, x):  # (N, 28, 28, 1)
        z = self.conv1(x)
        z = self.maxpool1(z)
        z = self.conv2(z)
        z = self.maxpool2(z)
        z = self.flatten(z)
        z = self.drop1(z)
        z = self.fc1(z)
        z = self.drop2(z)
        return self.fc2(z)  # (N, 10)


def build(workload):
    return CNN([layer.rate for layer in workload.dropouts])


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
