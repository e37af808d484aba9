"""MNIST convolutional network in TensorLayerX. TensorLayer book, section 4.4.

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

import tensorlayerx as tlx
from tensorlayerx import nn

from benchmarks.workload import Workload


class CNN(nn.Module):
    def __init__(self, declared: dict):
        super().__init__()
        self.conv1 = nn.Conv2d(32, (5, 5), padding="SAME", in_channels=1)
        self.conv2 = nn.Conv2d(64, (5, 5), padding="SAME", in_channels=32)
        self.pool = nn.MaxPool2d((2, 2), (2, 2))
        self.flatten = nn.Flatten()
        self.drop1 = nn.Dropout(declared["drop1"].rate)
        self.fc1 = nn.Linear(256, in_features=3136)
        self.drop2 = nn.Dropout(declared["drop2"].rate)
        self.fc2 = nn.Linear(10, in_features=256)

    def forward(self, x):  # (N, 28, 28, 1)
        x = tlx.relu(self.conv1(x))  # (N, 28, 28, 32)
        x = self.pool(x)  # (N, 14, 14, 32)
        x = tlx.relu(self.conv2(x))  # (N, 14, 14, 64)
        x = self.pool(x)  # (N, 7, 7, 64)
        x = self.flatten(x)  # (N, 3136)
        x = self.drop1(x)  # (N, 3136)
        x = tlx.relu(self.fc1(x))  # (N, 256)
        x = self.drop2(x)  # (N, 256)
        return self.fc2(x)  # (N, 10)


def build(workload: Workload) -> CNN:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    return CNN(declared)


def optimizer(workload: Workload, model: CNN):
    adam = workload.optimiser
    return tlx.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, eps=adam.epsilon)


def loss(model: CNN, x, y):
    logits = model(x)  # (N, 10)
    return tlx.losses.softmax_cross_entropy_with_logits(logits, y)  # ()


def train_step(model: CNN, optimizer, x, y):
    import tensorflow as tf  # TensorLayerX has no tape of its own; its PyTorch backend does not come here

    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value


def predict(model: CNN, x):
    return model(x)  # (N, 10), after model.set_eval()
