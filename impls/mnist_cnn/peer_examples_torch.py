"""MNIST CNN as PyTorch's official example trains its network.

From the source: a line an operation, ``F.relu`` out of place, dropout before the image is flattened, ``log_softmax`` in
the network with ``nll_loss``, gradients zeroed first. Declared instead: sizes, a pool after each convolution, and Adam
as it comes for its Adadelta.
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
        self.conv1 = nn.Conv2d(1, 32, 5, 1, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, 1, padding=2)
        self.drop1, self.drop2 = (nn.Dropout(rate) for rate in rates)
        self.fc1 = nn.Linear(3136, 256)
        self.fc2 = nn.Linear(256, 10)

    def forward(self, x):  # (N, 1, 28, 28)
        x = self.conv1(x)
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.conv2(x)
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.drop1(x)
        x = torch.flatten(x, 1)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.drop2(x)
        x = self.fc2(x)
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
