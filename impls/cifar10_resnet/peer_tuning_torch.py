"""CIFAR-10 ResNet of 20 layers with the switches of PyTorch's performance tuning guide that concern a CPU.

From the source: model and images channels last, no bias before a batch norm, gradients set to None, no read of the
loss. ``fused=True`` is the switch of ``torch.optim.Adam``. The network is that of ``peer_akamaster_torch.py``.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = (
    "PyTorch tuning guide, channels last and fused",
    "https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html",
)
MODES = ("eager-tuned",)
DIFFERS = ""


class Block(nn.Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != filters:  # the declaration has a convolution here
            convolution = nn.Conv2d(inputs, filters, kernel_size=3, stride=stride, padding=1, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(filters))
            self.shortcut_conv, self.shortcut_bn = self.shortcut

    def forward(self, x):  # (N, C, H, W)
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs, self.count = 16, 0
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, stride=1)
        self.layer2 = self._stage(32, stride=2)
        self.layer3 = self._stage(64, stride=2)
        self.fc = nn.Linear(64, 10)
        self.criterion = nn.CrossEntropyLoss()

    def _stage(self, filters, stride):
        blocks = []
        for each in (stride, 1, 1):
            blocks.append(Block(self.inputs, filters, each))
            self.inputs, self.count = filters, self.count + 1
            setattr(self, f"block{self.count}", blocks[-1])
        return nn.Sequential(*blocks)

    def forward(self, x):  # (N, 3, 32, 32)
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.avg_pool2d(out, out.size(3))
        return self.fc(out.flatten(1))  # (N, 10)


def build(workload):
    return ResNet().to(memory_format=torch.channels_last)


def optimizer(workload, model):
    adam = workload.optimiser
    betas = (adam.beta1, adam.beta2)
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=betas, eps=adam.epsilon, fused=True)


def loss(model, x, y):
    return model.criterion(model(x.contiguous(memory_format=torch.channels_last)), y)


def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    optimizer.step()
    return value


def predict(model, x):
    with torch.no_grad():
        return model(x.contiguous(memory_format=torch.channels_last))
