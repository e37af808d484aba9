"""CIFAR-10 residual networks in PyTorch, tuned. Liao's book, section 4.7; PyTorch 2.0 book, 7.2.

Beside the documented implementation: weights and activations lie channels last, Adam is fused into one kernel, freed
memory is kept.
"""

import cifar10_resnet_torch as documented
import torch
from cifar10_resnet_torch import ResNet, loss, predict, train_step

from benchmarks.workload import Workload

MODES = ("eager", "compile")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


def build(workload: Workload) -> ResNet:
    return documented.build(workload).to(memory_format=torch.channels_last)


def optimizer(workload: Workload, model: ResNet):
    adam = workload.optimiser
    betas = (adam.beta1, adam.beta2)
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=betas, eps=adam.epsilon, fused=True)
