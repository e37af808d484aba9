"""PyTorch's part of the ceilings: a large product, a stream through memory, the smallest step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

Run = Callable[[], Any]
FLOAT = 4
EAGER_REST = "loss and optimiser"  # what modes that compile the model launch operator by operator all the same


def on_gpu(adapter: Any) -> bool:
    return bool(adapter.device.type == "cuda")


def product(adapter: Any, size: int) -> Run:
    """A product of two square matrices in the adapter's precision, its memory taken beforehand."""
    lowered = getattr(adapter, "precision", "float32") == "bf16"
    kind = torch.bfloat16 if lowered else torch.float32
    a, b = (torch.rand(size, size, device=adapter.device).to(kind) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def streams(adapter: Any, array_bytes: int) -> Iterator[tuple[str, Run, int]]:
    """Kind, one pass, and the bytes it reads and writes."""
    a, b = (torch.ones(array_bytes // FLOAT, device=adapter.device) for _ in range(2))
    moved = a.numel() * FLOAT
    yield "copy", lambda: a.copy_(b), 2 * moved
    yield "add", lambda: a.add_(b), 3 * moved


def smallest(adapter: Any) -> tuple[Run, bool]:
    """One number plus one; whether each operator of a training step is dispatched so."""
    one = torch.ones(1, device=adapter.device)
    if adapter.mode.startswith("eager"):
        return lambda: one + 1, True

    def add(x: Any) -> Any:
        return x + 1

    compiled = torch.compile(add, dynamic=False)
    return lambda: compiled(one), False
