"""MNIST MLP whose whole step is compiled, optimiser included, as PyTorch's recipe compiles an optimiser.

From the source: Adam as it comes, its ``step`` called inside a compiled function. As in the tutorial on
``torch.compile`` that function holds the whole step here: zeroing, forward pass, loss, backward pass, update. Dynamo
leaves zeroing and the backward pass outside, so there are two graphs: forward pass with loss, and the update. The
network is that of ``peer_examples_torch.py``.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = (
    "PyTorch recipe, compiled optimizer, whole step",
    "https://docs.pytorch.org/tutorials/recipes/compiling_optimizer.html",
)
MODES = ("compile-tuned",)
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


@torch.compile
def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value


def predict(model, x):
    with torch.no_grad():
        return model(x)
