"""MNIST perceptrons 784-300-100-10 in TensorLayerX. Introduction to Deep Learning with PyTorch, section 3.8.

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

import tensorlayerx as tlx
from tensorlayerx import nn

from benchmarks.workload import Workload


class SimpleNet(nn.Module):
    def __init__(self, declared: dict):
        super().__init__()
        self.fc1 = nn.Linear(300, in_features=784)
        self.fc2 = nn.Linear(100, in_features=300)
        self.fc3 = nn.Linear(10, in_features=100)

    def forward(self, x):  # (N, 784)
        x = self.fc1(x)  # (N, 300)
        x = self.fc2(x)  # (N, 100)
        return self.fc3(x)  # (N, 10)


class ActivationNet(nn.Module):
    def __init__(self, declared: dict):
        super().__init__()
        self.fc1 = nn.Linear(300, in_features=784)
        self.fc2 = nn.Linear(100, in_features=300)
        self.fc3 = nn.Linear(10, in_features=100)

    def forward(self, x):  # (N, 784)
        x = tlx.relu(self.fc1(x))  # (N, 300)
        x = tlx.relu(self.fc2(x))  # (N, 100)
        return self.fc3(x)  # (N, 10)


class BatchNet(nn.Module):
    def __init__(self, declared: dict):
        super().__init__()
        self.fc1 = nn.Linear(300, in_features=784)
        self.bn1 = nn.BatchNorm1d(1 - declared["bn1"].momentum, declared["bn1"].epsilon, num_features=300)
        self.fc2 = nn.Linear(100, in_features=300)
        self.bn2 = nn.BatchNorm1d(1 - declared["bn2"].momentum, declared["bn2"].epsilon, num_features=100)
        self.fc3 = nn.Linear(10, in_features=100)

    def forward(self, x):  # (N, 784)
        x = tlx.relu(self.bn1(self.fc1(x)))  # (N, 300)
        x = tlx.relu(self.bn2(self.fc2(x)))  # (N, 100)
        return self.fc3(x)  # (N, 10)


VARIANTS = {"linear": SimpleNet, "relu": ActivationNet, "batchnorm": BatchNet}


def build(workload: Workload) -> nn.Module:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    return VARIANTS[workload.variant](declared)


def optimizer(workload: Workload, model: nn.Module):
    return tlx.optimizers.SGD(workload.optimiser.learning_rate)


def loss(model: nn.Module, x, y):
    logits = model(x)  # (N, 10)
    return tlx.losses.softmax_cross_entropy_with_logits(logits, y)  # ()


def train_step(model: nn.Module, optimizer, x, y):
    import tensorflow as tf  # TensorLayerX has no tape of its own; its PyTorch backend does not come here

    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value


def predict(model: nn.Module, x):
    return model(x)  # (N, 10), after model.set_eval()
