"""Skip-gram with the dense embeddings of PyTorch's tutorial, because ``torch.compile`` has no sparse gradients.

From the source: ``nn.Embedding`` as it comes, ``model.zero_grad``, forward, ``backward``, ``step``. The tutorial trains
another model (words from the two before them), so the loss is as declared, in the form that ``torch.nn.functional`` has
for it. ``fused=True`` is the documented switch of ``torch.optim.Adagrad``, which stands for the tutorial's SGD.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOURCE = (
    "PyTorch tutorial, word embeddings, compiled",
    "https://docs.pytorch.org/tutorials/beginner/nlp/word_embeddings_tutorial.html",
)
MODES = ("compile",)
DIFFERS = ""


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50_000, 128)
        self.out = nn.Embedding(50_000, 128)
        self.biases = nn.Embedding(50_000, 1)
        self.nce_weight, self.nce_bias = self.out.weight, self.biases.weight

    def forward(self, centre, context, negatives, log_true, log_negatives):  # (N,), (N,), (S,), (N,), (S,)
        hidden = self.embedding(centre)  # (N, 128)
        true = (hidden * self.out(context)).sum(1) + self.biases(context)[:, 0] - log_true  # (N,)
        noise = hidden @ self.out(negatives).T + self.biases(negatives)[:, 0] - log_negatives  # (N, S)
        return torch.cat([true[:, None], noise], 1)  # (N, 1 + S)


def build(workload):
    return SkipGram()


def optimizer(workload, model):
    adagrad = workload.optimiser
    return torch.optim.Adagrad(
        model.parameters(),
        lr=adagrad.learning_rate,
        initial_accumulator_value=adagrad.initial_accumulator,
        fused=True,
    )


def loss(model, *batch):
    logits = model(*batch)
    targets = torch.zeros_like(logits)
    targets[:, 0] = 1.0
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)


def train_step(model, optimizer, *batch):
    model.zero_grad()
    value = loss(model, *batch)
    value.backward()
    optimizer.step()
    return value


def predict(model, words):  # (N,)
    with torch.no_grad():
        unit = F.normalize(model.embedding.weight)
        return unit[words] @ unit.T  # (N, V)
