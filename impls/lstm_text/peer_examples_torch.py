"""LSTM language model as PyTorch's official example trains it: time first, clip_grad_norm_, the update written out."""

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
        self.register_buffer("lstm_h", torch.zeros(batch_size, 200))
        self.register_buffer("lstm_c", torch.zeros(batch_size, 200))

    def forward(self, x, h, c):  # (N, T), (N, 200), (N, 200)
        words = self.embedding(x.t())  # (T, N, 200)
        output, (h, c) = self.lstm(words, (h[None], c[None]))
        logits = self.fc(output)  # (T, N, 10000)
        logs = F.log_softmax(logits.view(-1, 10_000), dim=1)
        return logs.view(*output.shape[:2], -1).transpose(0, 1), h[0], c[0]


class Loop:
    """The example updates by hand; what it needs to know."""

    def __init__(self, parameters, learning_rate, clip):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.learning_rate, self.clip = learning_rate, clip


def build(workload):
    return LanguageModel(workload.batch_size)


def optimizer(workload, model):
    return Loop(model.parameters(), workload.optimiser.learning_rate, workload.optimiser.clip_norm)


def run(model, x, y):
    logs, h, c = model(x, model.lstm_h, model.lstm_c)
    flat = logs.transpose(0, 1).reshape(-1, 10_000)  # (T * N, 10000), no copy: time is first
    return F.nll_loss(flat, y.t().reshape(-1)) * y.size(1), h.detach(), c.detach()  # summed over time


def loss(model, x, y):
    return run(model, x, y)[0]


def train_step(model, optimizer, x, y):
    model.zero_grad()
    value, h, c = run(model, x, y)
    value.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.parameters, optimizer.clip)
    for p in optimizer.parameters:
        p.data.add_(p.grad, alpha=-optimizer.learning_rate)
    model.lstm_h.copy_(h)
    model.lstm_c.copy_(c)
    return value.detach()


def predict(model, x, h, c):
    with torch.no_grad():
        return model(x, h, c)
