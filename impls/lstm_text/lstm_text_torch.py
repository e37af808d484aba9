"""Word-level LSTM text generation in PyTorch. TensorLayer book, section 6.4.

layer      output           parameters
input      (N, T)
embedding  (N, T, 200)       2,000,000
lstm       (N, T, 200)         320,800
fc         (N, T, 10000)     2,010,000
                             4,330,800
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.workload import Workload


class LanguageModel(nn.Module):
    def __init__(self, batch_size: int):
        super().__init__()
        self.embedding = nn.Embedding(10_000, 200)
        self.lstm = nn.LSTM(200, 200, batch_first=True)
        nn.init.zeros_(self.lstm.bias_hh_l0)
        self.lstm.bias_hh_l0.requires_grad_(False)  # one bias is declared; this one would only double it
        self.fc = nn.Linear(200, 10_000)
        self.register_buffer("lstm_h", torch.zeros(batch_size, 200))  # state of training
        self.register_buffer("lstm_c", torch.zeros(batch_size, 200))

    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        x = self.embedding(x)  # (N, T, 200)
        x, (h, c) = self.lstm(x, (h[None], c[None]))  # (N, T, 200), (1, N, 200) twice
        return self.fc(x), h[0], c[0]  # (N, T, 10000), (N, 200), (N, 200)


def build(workload: Workload) -> LanguageModel:
    return LanguageModel(workload.batch_size)


class ClippedSGD(torch.optim.SGD):
    """SGD on gradients clipped together to a norm.

    Not ``clip_grad_norm_`` alone: on a CPU its norm adds two million squares in float32 and is up to 1e-4 too small.
    The norm of the rows' norms is exact to 2e-7.
    """

    def __init__(self, parameters, lr: float, clip_norm: float):
        self.clipped = list(parameters)
        super().__init__(self.clipped, lr=lr)
        self.clip_norm = clip_norm

    def step(self):
        rows = [torch.linalg.vector_norm(p.grad, dim=-1).flatten() for p in self.clipped]
        norm = torch.linalg.vector_norm(torch.cat(rows))  # ()
        nn.utils.clip_grads_with_norm_(self.clipped, self.clip_norm, norm)
        super().step()


def optimizer(workload: Workload, model: LanguageModel):
    trained = [p for p in model.parameters() if p.requires_grad]
    return ClippedSGD(trained, workload.optimiser.learning_rate, workload.optimiser.clip_norm)


def loss(model: LanguageModel, x, y):
    # Cloned, because the state is overwritten before backward has used it.
    logits, h, c = model(x, model.lstm_h.clone(), model.lstm_c.clone())
    model.lstm_h.copy_(h.detach())
    model.lstm_c.copy_(c.detach())
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum") / len(x)  # ()


def train_step(model: LanguageModel, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model, x, y)  # ()
    value.backward()
    optimizer.step()
    return value.detach()


@torch.inference_mode()
def predict(model: LanguageModel, x, h, c):
    return model(x, h, c)  # (N, T, 10000), (N, 200), (N, 200)
