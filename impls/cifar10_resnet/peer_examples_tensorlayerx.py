"""CIFAR-10 ResNet of 20 layers from blocks as in TensorLayerX's model zoo, trained as its ``Model.train`` does.

From the source: ReLU as the batch norm's ``act``, the shortcut after the main path, ``Elementwise(add, act="relu")``,
``GlobalAvgPool2d``, the blocks in a ``Sequential``, 'SAME' padding. From ``Model.train``: a tape, the weights asked for
once, loss on logits. Declared instead: two 3×3 convolutions a block without bias (the source has bottlenecks with).
"""

import tensorflow as tf
import tensorlayerx as tlx
from tensorlayerx.nn import BatchNorm, Conv2d, Linear, Module, Sequential

SOURCE = (
    "TensorLayerX examples, ResNet of its model zoo",
    "https://github.com/tensorlayer/TensorLayerX/blob/main/examples/model_zoo/resnet.py",
)
MODES = ("eager",)
DIFFERS = "'SAME' padding with stride 2 pads right and below only; ours pads all sides first, as declared."


def conv(inputs, filters, stride=1):
    return Conv2d(filters, (3, 3), (stride, stride), padding="SAME", in_channels=inputs, b_init=None)


def norm(filters, act=None):
    return BatchNorm(act=act, num_features=filters)  # momentum 0.9, epsilon 1e-5


class Block(Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, filters, stride), norm(filters, act="relu")
        self.conv2, self.bn2 = conv(filters, filters), norm(filters)
        self.widens = stride > 1 or inputs != filters
        if self.widens:
            self.shortcut_conv, self.shortcut_bn = conv(inputs, filters, stride), norm(filters)
        self.add = tlx.nn.Elementwise(tlx.add, act="relu")

    def forward(self, x):  # (N, H, W, C)
        out = self.bn1(self.conv1(x))
        out = self.bn2(self.conv2(out))
        shortcut = self.shortcut_bn(self.shortcut_conv(x)) if self.widens else x
        return self.add([out, shortcut])


class ResNet(Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 16), norm(16, act="relu")
        inputs, parts = 16, []
        for number in range(9):
            filters = (16, 32, 64)[number // 3]
            parts.append(Block(inputs, filters, 2 if number in (3, 6) else 1))
            setattr(self, f"block{number + 1}", parts[-1])
            inputs = filters
        self.fc = Linear(10, in_features=64)
        self.res_layer = Sequential([*parts, tlx.nn.GlobalAvgPool2d(), self.fc])
        self.weights = None  # asked for once, before the loop

    def forward(self, x):  # (N, 32, 32, 3)
        z = self.bn1(self.conv1(x))
        return self.res_layer(z)  # (N, 10)


def build(workload):
    return ResNet()


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
