"""Word2Vec skip-gram with noise-contrastive estimation in PyTorch. TensorLayer book, section 5.3.

layer       output           parameters
input       (N,)
embedding   (N, 128)          6,400,000
nce         (N, 1 + S)        6,450,000
                             12,850,000
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.workload import Workload


@torch.compiler.disable  # torch.compile has no sparse gradients: it compiles what lies between the look-ups
def rows(table, ids):  # (V, D), (R,)
    return F.embedding(ids, table, sparse=True)  # (R, D)


class SkipGram(nn.Module):
    def __init__(self, words: int):
        super().__init__()
        self.embedding = nn.Embedding(words, 128)
        self.nce_weight = nn.Parameter(torch.empty(words, 128))
        self.nce_bias = nn.Parameter(torch.zeros(words, 1))

    def forward(self, centre, context, negatives, log_true, log_negatives):  # (N,), (N,), (S,), (N,), (S,)
        n = len(centre)  # N
        words = torch.cat([context, negatives])  # (N + S,)
        weight = rows(self.nce_weight, words)  # (N + S, 128)
        bias = rows(self.nce_bias, words)[:, 0]  # (N + S,)
        hidden = rows(self.embedding.weight, centre)  # (N, 128)
        true = (hidden * weight[:n]).sum(1) + bias[:n] - log_true  # (N,)
        noise = hidden @ weight[n:].T + bias[n:] - log_negatives  # (N, S)
        return torch.cat([true[:, None], noise], 1)  # (N, 1 + S)


def build(workload: Workload) -> SkipGram:
    return SkipGram(1_000 if workload.variant == "planted" else 50_000)


def optimizer(workload: Workload, model: SkipGram):
    adagrad = workload.optimiser
    initial = adagrad.initial_accumulator
    return torch.optim.Adagrad(model.parameters(), lr=adagrad.learning_rate, initial_accumulator_value=initial)


def loss(model: SkipGram, centre, context, negatives, log_true, log_negatives):
    logits = model(centre, context, negatives, log_true, log_negatives)  # (N, 1 + S)
    return (F.softplus(-logits[:, 0]).sum() + F.softplus(logits[:, 1:]).sum()) / len(centre)  # ()


def train_step(model: SkipGram, optimizer, *batch):
    optimizer.zero_grad()
    value = loss(model, *batch)  # ()
    value.backward()
    optimizer.step()
    return value.detach()


@torch.inference_mode()
def predict(model: SkipGram, words):  # (N,)
    unit = F.normalize(model.embedding.weight)  # (V, 128)
    return unit[words] @ unit.T  # (N, V)
