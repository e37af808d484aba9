"""MNIST perceptrons 784-300-100-10 in PyTorch, tuned. Introduction to Deep Learning with PyTorch, section 3.8.

Beside the documented implementation: SGD fused into one kernel, freed memory kept.
"""

import torch
from mnist_mlp_ablation_torch import build, loss, predict, train_step
from torch import nn

from benchmarks.workload import Workload

MODES = ("eager", "compile")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


def optimizer(workload: Workload, model: nn.Module):
    return torch.optim.SGD(model.parameters(), lr=workload.optimiser.learning_rate, fused=True)
