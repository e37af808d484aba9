"""The implementation of nothing, for ``python -m benchmarks overhead``."""

from types import SimpleNamespace

import numpy as np

from benchmarks.workload import Workload


def build(workload: Workload) -> SimpleNamespace:
    return SimpleNamespace(tensors={t.name: np.zeros(t.shape, np.float32) for t in workload.tensors})


def optimizer(workload: Workload, model: SimpleNamespace) -> None:
    return None


def loss(model: SimpleNamespace, x: np.ndarray, y: np.ndarray) -> float:
    return 0.0


def train_step(model: SimpleNamespace, optimizer: None, x: np.ndarray, y: np.ndarray) -> float:
    return 0.0


def predict(model: SimpleNamespace, x: np.ndarray) -> np.ndarray:
    return np.zeros((len(x), 10), np.float32)
