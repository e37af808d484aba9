"""MNIST CNN with the switches of PyTorch's performance tuning guide that concern a CPU: memory format, fused updates.

From the source: model and images channels last (as its tutorial on memory formats has it), gradients set to None, no
read of the loss. ``fused=True`` is the documented switch of ``torch.optim.Adam``. The network is that of
``peer_examples_torch.py``.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = (
    "PyTorch tuning guide, channels last and fused",
    "https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html",
)
MODES = ("eager-tuned", "compile-tuned")
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
    return Net([layer.rate for layer in workload.dropouts]).to(memory_format=torch.channels_last)


def optimizer(workload, model):
    adam = workload.optimiser
    betas = (adam.beta1, adam.beta2)
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=betas, eps=adam.epsilon, fused=True)


def loss(model, x, y):
    output = model(x.contiguous(memory_format=torch.channels_last))
    return F.nll_loss(output, y)


def train_step(model, optimizer, x, y):
    optimizer.zero_grad(set_to_none=True)
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value.detach()


def predict(model, x):
    with torch.no_grad():
        return model(x.contiguous(memory_format=torch.channels_last))
