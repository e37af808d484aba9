"""LSTM language model as PyTorch's official example trains it.

From the source: time first in every tensor, ``log_softmax`` of flat scores in the network with ``NLLLoss``,
``model.zero_grad``, the state detached before the step, ``clip_grad_norm_``, the update written out (SGD without an
optimiser). Batches come with rows first, so they are turned (a view). Declared instead: the loss summed over time, no
dropout, one bias. Left out: the loss, which the source reads after each step.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = (
    "pytorch/examples `word_language_model`",
    "https://github.com/pytorch/examples/tree/main/word_language_model",
)
MODES = ("eager",)
DIFFERS = ""


class LanguageModel(nn.Module):
    def __init__(self, batch_size):
        super().__init__()
        self.embedding = nn.Embedding(10_000, 200)
        self.lstm = nn.LSTM(200, 200)
        nn.init.zeros_(self.lstm.bias_hh_l0)
        self.lstm.bias_hh_l0.requires_grad_(False)  # the example trains it; one bias is declared
        self.fc = nn.Linear(200, 10_000)
        self.criterion = nn.NLLLoss()
        self.register_buffer("lstm_h", torch.zeros(batch_size, 200))
        self.register_buffer("lstm_c", torch.zeros(batch_size, 200))

    def run(self, x, hidden):  # (T, N), two of (1, N, 200)
        output, hidden = self.lstm(self.embedding(x), hidden)
        decoded = self.fc(output).view(-1, 10_000)
        return F.log_softmax(decoded, dim=1), hidden  # (T * N, 10000), two of (1, N, 200)

    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        logs, (h, c) = self.run(x.t(), (h[None], c[None]))
        return logs.view(x.size(1), x.size(0), -1).transpose(0, 1), h[0], c[0]  # (N, T, 10000), (N, 200), (N, 200)


class Loop:
    """The example updates by hand; what it needs to know."""

    def __init__(self, learning_rate, clip):
        self.learning_rate, self.clip = learning_rate, clip


def build(workload):
    return LanguageModel(workload.batch_size)


def optimizer(workload, model):
    return Loop(workload.optimiser.learning_rate, workload.optimiser.clip_norm)


def run(model, x, y):
    logs, (h, c) = model.run(x.t(), (model.lstm_h[None], model.lstm_c[None]))
    return model.criterion(logs, y.t().reshape(-1)) * y.size(1), h.detach(), c.detach()  # summed over time


def loss(model, x, y):
    return run(model, x, y)[0]


def train_step(model, optimizer, x, y):
    model.zero_grad()
    value, h, c = run(model, x, y)
    value.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), optimizer.clip)
    for p in model.parameters():
        if p.requires_grad:
            p.data.add_(p.grad, alpha=-optimizer.learning_rate)
    model.lstm_h.copy_(h[0])
    model.lstm_c.copy_(c[0])
    return value.detach()


def predict(model, x, h, c):
    with torch.no_grad():
        return model(x, h, c)
