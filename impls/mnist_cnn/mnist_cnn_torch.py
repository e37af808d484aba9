"""MNIST convolutional network in PyTorch. TensorLayer book, section 4.4.

layer                   output              parameters
input                   (N, 1, 28, 28)
conv1  5x5, ReLU        (N, 32, 28, 28)            832
pool                    (N, 32, 14, 14)
conv2  5x5, ReLU        (N, 64, 14, 14)         51,264
pool                    (N, 64, 7, 7)
flatten                 (N, 3136)
drop1  rate 0.5         (N, 3136)
fc1    ReLU             (N, 256)               803,072
drop2  rate 0.5         (N, 256)
fc2                     (N, 10)                  2,570
                                               857,738
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.workload import Workload


class CNN(nn.Module):
    def __init__(self, declared: dict):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5, padding="same")
        self.conv2 = nn.Conv2d(32, 64, 5, padding="same")
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.drop1 = nn.Dropout(declared["drop1"].rate)
        self.fc1 = nn.Linear(3136, 256)
        self.drop2 = nn.Dropout(declared["drop2"].rate)
        self.fc2 = nn.Linear(256, 10)

    def forward(self, x):  # (N, 1, 28, 28)
        x = F.relu(self.conv1(x))  # (N, 32, 28, 28)
        x = self.pool(x)  # (N, 32, 14, 14)
        x = F.relu(self.conv2(x))  # (N, 64, 14, 14)
        x = self.pool(x)  # (N, 64, 7, 7)
        x = self.flatten(x)  # (N, 3136)
        x = self.drop1(x)  # (N, 3136)
        x = F.relu(self.fc1(x))  # (N, 256)
        x = self.drop2(x)  # (N, 256)
        return self.fc2(x)  # (N, 10)


def build(workload: Workload) -> CNN:
    declared = {layer.name: layer for layer in workload.layers if hasattr(layer, "name")}
    return CNN(declared)


def optimizer(workload: Workload, model: CNN):
    adam = workload.optimiser
    betas = (adam.beta1, adam.beta2)
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=betas, eps=adam.epsilon)


def loss(model: CNN, x, y):
    logits = model(x)  # (N, 10)
    return F.cross_entropy(logits, y)  # ()


def train_step(model: CNN, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)  # ()
    value.backward()
    optimizer.step()
    return value.detach()


@torch.inference_mode()
def predict(model: CNN, x):
    return model(x)  # (N, 10), after model.eval()
