"""Word-level LSTM text generation in PyTorch, tuned. TensorLayer book, section 6.4.

Beside the documented implementation: the compiler leaves out the LSTM alone, which it cannot trace, and so compiles the
embedding and the dense layer; SGD is fused into one kernel; freed memory is kept.
"""

import lstm_text_torch as documented
import torch
from lstm_text_torch import loss, predict, train_step

from benchmarks.workload import Workload

MODES = ("eager", "compile")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "1073741824"}  # keep freed memory

__all__ = ["build", "loss", "optimizer", "predict", "train_step"]


class LanguageModel(documented.LanguageModel):
    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x)  # (N, T, 200)
        x, h, c = self.recurrent(x, h, c)  # (N, T, 200), (N, 200), (N, 200)
        return self.fc(x), h, c  # (N, T, 10000), (N, 200), (N, 200)

    @torch.compiler.disable
    def recurrent(self, x, h, c):  # (N, T, 200), (N, 200), (N, 200)
        x, (h, c) = self.lstm(x, (h[None], c[None]))  # (N, T, 200), (1, N, 200) twice
        return x, h[0], c[0]  # (N, T, 200), (N, 200), (N, 200)


def build(workload: Workload) -> LanguageModel:
    return LanguageModel(workload.batch_size)


class ClippedSGD(torch.optim.SGD):
    """Fused SGD on gradients clipped together to a norm, which is that of the rows' norms, as documented."""

    def __init__(self, parameters, lr: float, clip_norm: float):
        self.clipped = list(parameters)
        super().__init__(self.clipped, lr=lr, fused=True)
        self.clip_norm = clip_norm

    @torch.no_grad()
    def step(self):
        gradients = [p.grad for p in self.clipped]
        rows = torch.cat([torch.linalg.vector_norm(g, dim=-1).view(-1) for g in gradients])
        norm = torch.linalg.vector_norm(rows)  # ()
        scale = (self.clip_norm / norm).clamp(max=1.0)  # ()
        for g in gradients:
            g.mul_(scale)
        super().step()


def optimizer(workload: Workload, model: LanguageModel):
    trained = [p for p in model.parameters() if p.requires_grad]
    return ClippedSGD(trained, workload.optimiser.learning_rate, workload.optimiser.clip_norm)
