"""Word2Vec skip-gram with noise-contrastive estimation in PyTorch, tuned. TensorLayer book, section 5.3.

Beside the documented implementation: Adagrad on rows by index instead of by sparse tensors, freed memory kept.
"""

import torch
from word2vec_torch import SkipGram, build, loss, predict, train_step

from benchmarks.workload import Workload

MODES = ("eager", "compile")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class RowAdagrad:
    """Adagrad on the rows a batch has touched, repeated rows summed first.

    ``torch.optim.Adagrad`` computes the very same by way of sparse arithmetic.
    """

    def __init__(self, learning_rate: float, initial_accumulator: float, parameters):
        self.learning_rate, self.parameters = learning_rate, list(parameters)
        self.sums = [torch.full_like(p, initial_accumulator, requires_grad=False) for p in self.parameters]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for p, sums in zip(self.parameters, self.sums, strict=True):
            gradient = p.grad.coalesce()  # sums repeated rows
            ids, rows = gradient.indices()[0], gradient.values()  # (R,), (R, ...)
            total = sums[ids] + rows * rows  # (R, ...)
            sums.index_copy_(0, ids, total)
            p.index_add_(0, ids, rows / total.sqrt(), alpha=-self.learning_rate)


def optimizer(workload: Workload, model: SkipGram):
    adagrad = workload.optimiser
    return RowAdagrad(adagrad.learning_rate, adagrad.initial_accumulator, model.parameters())
