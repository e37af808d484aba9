"""Soft-max regression in NumPy, with the faults its variants name."""

import os
import signal
import time
from types import SimpleNamespace

import numpy as np

from benchmarks.workload import Workload


def build(workload: Workload) -> SimpleNamespace:
    return SimpleNamespace(
        tensors={t.name: np.zeros(t.shape, np.float32) for t in workload.tensors},
        way=workload.variant,
        steps=0,
    )


def optimizer(workload: Workload, model: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(rate=np.float32(workload.optimiser.learning_rate))


def _parts(model: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    logits = predict(model, x)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    rows = np.arange(len(y))
    value = float(-np.log(p[rows, y]).mean())
    p[rows, y] -= 1
    p /= np.float32(len(y))
    return value, {"fc.weight": x.T @ p, "fc.bias": p.sum(0)}


def loss(model: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> float:
    return _parts(model, x, y)[0]


def train_step(model: SimpleNamespace, optimizer: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> float:
    model.steps += 1
    if model.way == "raises" and model.steps > 3:
        raise ValueError("the toy was told to raise")
    if model.way == "dies" and model.steps > 3:
        os._exit(7)
    if model.way == "killed" and model.steps > 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if model.way == "hangs" and model.steps > 3:
        time.sleep(3600)
    if model.way == "memory" and model.steps > 3:
        raise MemoryError("the toy was told to run out of memory")
    if model.way == "slow":
        time.sleep(0.02)
    value, found = _parts(model, x, y)
    scale = np.float32(2.0) if model.way == "double_loss" else np.float32(1.0)
    for name, g in found.items():
        model.tensors[name] -= scale * optimizer.rate * g
    return value


def predict(model: SimpleNamespace, x: np.ndarray) -> np.ndarray:
    return x @ model.tensors["fc.weight"] + model.tensors["fc.bias"]


def forward(model: SimpleNamespace, x: np.ndarray) -> np.ndarray:
    return predict(model, x)


def gradients(model: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    return _parts(model, x, y)
