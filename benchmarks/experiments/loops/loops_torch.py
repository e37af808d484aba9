"""The training loop of PyTorch's tutorials, for the part ``loops``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.workload import Workload


def loops(workload: Workload) -> dict[str, str]:
    return {"DataLoader": "TensorDataset and DataLoader in this process, not shuffled; loss.item() read at each step"}


def make(
    name: str, program: Any, implementation: Any, workload: Workload, arrays: tuple[np.ndarray, ...], batch: int | None
) -> Callable[[int], None]:
    """``batch`` of None: each row of ``arrays`` is a batch already."""
    model, optimizer, device = program.model, program.optimizer, program.adapter.device
    laid_out = [a.transpose(0, 3, 1, 2) if a.ndim == 4 else a for a in arrays]  # images NCHW
    tensors = [torch.from_numpy(np.ascontiguousarray(a)) for a in laid_out]
    loader: Any = DataLoader(TensorDataset(*tensors), batch_size=batch)

    def run(epochs: int) -> None:
        for _ in range(epochs):
            model.train()
            running = 0.0
            for samples in loader:
                on_device = [tensor.to(device) for tensor in samples]
                optimizer.zero_grad()
                loss = implementation.loss(model, *on_device)
                loss.backward()
                optimizer.step()
                running += loss.item()
            print(f"mean loss {running / len(loader):.4f}")

    return run
