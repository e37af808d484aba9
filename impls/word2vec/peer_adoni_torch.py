"""Skip-gram after the best-known public one for PyTorch.

From the source: ``nn.Embedding(sparse=True)`` for both tables, ``torch.mul`` and ``torch.sum`` for pairs,
``logsigmoid`` of scores and of negated scores, both summed and negated, gradients zeroed first. Declared instead:
biases, expected counts and a mean over pairs; Adagrad as it comes for SGD; negatives that all pairs share, so a product
of two matrices for its ``bmm``.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = ("Adoni/word2vec_pytorch", "https://github.com/Adoni/word2vec_pytorch")
MODES = ("eager",)
DIFFERS = ""


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50_000, 128, sparse=True)
        self.output = nn.Embedding(50_000, 128, sparse=True)
        self.biases = nn.Embedding(50_000, 1, sparse=True)
        self.nce_weight, self.nce_bias = self.output.weight, self.biases.weight

    def scores(self, centre, context, negatives, log_true, log_negatives):  # (N,), (N,), (S,), (N,), (S,)
        centre_rows, context_rows, noise_rows = self.embedding(centre), self.output(context), self.output(negatives)
        true = torch.sum(torch.mul(centre_rows, context_rows), dim=1) + self.biases(context)[:, 0] - log_true  # (N,)
        noise = torch.mm(centre_rows, noise_rows.t()) + self.biases(negatives)[:, 0] - log_negatives  # (N, S)
        return true, noise

    def forward(self, *batch):
        true, noise = self.scores(*batch)
        return torch.cat([true[:, None], noise], 1)  # (N, 1 + S)


def build(workload):
    return SkipGram()


def optimizer(workload, model):
    adagrad = workload.optimiser
    initial = adagrad.initial_accumulator
    return torch.optim.Adagrad(model.parameters(), lr=adagrad.learning_rate, initial_accumulator_value=initial)


def loss(model, *batch):
    true, noise = model.scores(*batch)
    return -1 * (torch.sum(F.logsigmoid(true)) + torch.sum(F.logsigmoid(-1 * noise))) / len(true)


def train_step(model, optimizer, *batch):
    optimizer.zero_grad()
    value = loss(model, *batch)
    value.backward()
    optimizer.step()
    return value


def predict(model, words):  # (N,)
    with torch.no_grad():
        unit = F.normalize(model.embedding.weight)
        return unit[words] @ unit.T  # (N, V)
