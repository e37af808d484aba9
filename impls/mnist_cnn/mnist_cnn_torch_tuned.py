"""MNIST convolutional network in PyTorch, tuned. TensorLayer book, section 4.4.

Beside the documented implementation: Adam fused into one kernel, freed memory kept.
"""

import torch
from mnist_cnn_torch import CNN, build, loss, predict, train_step

from benchmarks.workload import Workload

MODES = ("eager", "compile")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


def optimizer(workload: Workload, model: CNN):
    adam = workload.optimiser
    betas = (adam.beta1, adam.beta2)
    return torch.optim.Adam(model.parameters(), lr=adam.learning_rate, betas=betas, eps=adam.epsilon, fused=True)
