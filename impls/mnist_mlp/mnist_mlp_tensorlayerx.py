"""MNIST multilayer perceptron with dropout in TensorLayerX. TensorLayer book, section 2.6.

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

import tensorlayerx as tlx
from tensorlayerx import nn

from benchmarks.workload import Workload


class MLP(nn.Module):
    def __init__(self, declared: dict):
        super().__init__()
        self.drop1 = nn.Dropout(declared["drop1"].rate)
        self.fc1 = nn.Linear(800, in_features=784)
        self.drop2 = nn.Dropout(declared["drop2"].rate)
        self.fc2 = nn.Linear(800, in_features=800)
        self.drop3 = nn.Dropout(declared["drop3"].rate)
        self.fc3 = nn.Linear(10, in_features=800)

    def forward(self, x):  # (N, 784)
        x = self.drop1(x)  # (N, 784)
        x = tlx.relu(self.fc1(x))  # (N, 800)
        x = self.drop2(x)  # (N, 800)
        x = tlx.relu(self.fc2(x))  # (N, 800)
        x = self.drop3(x)  # (N, 800)
        return self.fc3(x)  # (N, 10)


def build(workload: Workload) -> MLP:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    return MLP(declared)


def optimizer(workload: Workload, model: MLP):
    adam = workload.optimiser
    return tlx.optimizers.Adam(adam.learning_rate, beta_1=adam.beta1, beta_2=adam.beta2, eps=adam.epsilon)


def loss(model: MLP, x, y):
    logits = model(x)  # (N, 10)
    return tlx.losses.softmax_cross_entropy_with_logits(logits, y)  # ()


def train_step(model: MLP, optimizer, x, y):
    import tensorflow as tf  # TensorLayerX has no tape of its own; its PyTorch backend does not come here

    with tf.GradientTape() as tape:
        value = loss(model, x, y)  # ()
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value


def predict(model: MLP, x):
    return model(x)  # (N, 10), after model.set_eval()
