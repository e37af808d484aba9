"""CIFAR-10 residual networks in PyTorch. Liao's book, section 4.7; PyTorch 2.0 book, 7.2.

layer              20 layers         parameters   ResNet-18          parameters
input              (N, 3, 32, 32)                 (N, 3, 32, 32)
conv1, bn1         (N, 16, 32, 32)          464   (N, 64, 32, 32)         1,856
blocks, 1st width  (N, 16, 32, 32)       14,016   (N, 64, 32, 32)       147,968
blocks, 2nd width  (N, 32, 16, 16)       56,064   (N, 128, 16, 16)      525,568
blocks, 3rd width  (N, 64, 8, 8)        221,760   (N, 256, 8, 8)      2,099,712
blocks, 4th width                                 (N, 512, 4, 4)      8,393,728
average            (N, 64)                        (N, 512)
fc                 (N, 10)                  650   (N, 10)                 5,130
                                        292,954                      11,173,962
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.workload import Workload


class Block(nn.Module):
    def __init__(self, inputs: int, filters: int, stride: int, shortcut_kernel: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = stride > 1 or inputs != filters
        if self.shortcut:
            pad = shortcut_kernel // 2
            self.shortcut_conv = nn.Conv2d(inputs, filters, shortcut_kernel, stride, padding=pad, bias=False)
            self.shortcut_bn = nn.BatchNorm2d(filters)

    def forward(self, x):  # (N, C, H, W)
        out = F.relu(self.bn1(self.conv1(x)))  # (N, F, H/s, W/s)
        out = self.bn2(self.conv2(out))  # (N, F, H/s, W/s)
        if self.shortcut:
            x = self.shortcut_bn(self.shortcut_conv(x))  # (N, F, H/s, W/s)
        return F.relu(out + x)  # (N, F, H/s, W/s)


class ResNet(nn.Module):
    def __init__(self, widths: tuple[int, ...], blocks: int, shortcut_kernel: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs, self.count = widths[0], 0
        for stage, filters in enumerate(widths):
            for i in range(blocks):
                self.count += 1
                block = Block(inputs, filters, 2 if stage and i == 0 else 1, shortcut_kernel)
                self.add_module(f"block{self.count}", block)
                inputs = filters
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):  # (N, 3, 32, 32)
        x = F.relu(self.bn1(self.conv1(x)))  # (N, width, 32, 32)
        for i in range(self.count):
            x = getattr(self, f"block{i + 1}")(x)  # (N, width, H, W)
        x = x.mean((2, 3))  # (N, width)
        return self.fc(x)  # (N, 10)


def build(workload: Workload) -> ResNet:
    if workload.variant == "resnet18":
        return ResNet((64, 128, 256, 512), blocks=2, shortcut_kernel=1)
    return ResNet((16, 32, 64), blocks=3, shortcut_kernel=3)


def optimizer(workload: Workload, model: ResNet):
    adam = workload.optimiser
    betas = (adam.beta1, adam.beta2)
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=betas, eps=adam.epsilon)


def loss(model: ResNet, x, y):
    logits = model(x)  # (N, 10)
    return F.cross_entropy(logits, y)  # ()


def train_step(model: ResNet, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)  # ()
    value.backward()
    optimizer.step()
    return value.detach()


@torch.inference_mode()
def predict(model: ResNet, x):
    return model(x)  # (N, 10), after model.eval()
