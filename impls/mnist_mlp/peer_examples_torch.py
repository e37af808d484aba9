"""MNIST MLP as PyTorch's official example trains its network.

From the source: a line an operation, ``F.relu`` out of place, ``log_softmax`` in the network with ``nll_loss``,
gradients zeroed first. Declared instead: the layers (the source has a CNN) and Adam as it comes for its Adadelta.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = ("pytorch/examples `mnist`", "https://github.com/pytorch/examples/blob/main/mnist/main.py")
MODES = ("eager",)
DIFFERS = ""


class Net(nn.Module):
    def __init__(self, rates):
        super().__init__()
        self.drop1, self.drop2, self.drop3 = (nn.Dropout(rate) for rate in rates)
        self.fc1 = nn.Linear(784, 800)
        self.fc2 = nn.Linear(800, 800)
        self.fc3 = nn.Linear(800, 10)

    def forward(self, x):  # (N, 784)
        x = self.drop1(x)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.drop2(x)
        x = self.fc2(x)
        x = F.relu(x)
        x = self.drop3(x)
        x = self.fc3(x)
        return F.log_softmax(x, dim=1)  # (N, 10)


def build(workload):
    return Net([layer.rate for layer in workload.dropouts])


def optimizer(workload, model):
    adam = workload.optimiser
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=(adam.beta1, adam.beta2), eps=adam.epsilon)


def loss(model, x, y):
    output = model(x)
    return F.nll_loss(output, y)


def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value


def predict(model, x):
    with torch.no_grad():
        return model(x)
