"""TensorLayerX's ceilings are its backend's: it adds layers, not kernels."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorlayerx as tlx


def on_gpu(adapter: Any) -> bool:
    return bool(_backend().on_gpu(adapter.backend))


def product(adapter: Any, size: int) -> Callable[[], Any]:
    run: Callable[[], Any] = _backend().product(adapter.backend, size)
    return run


def streams(adapter: Any, array_bytes: int) -> Iterator[tuple[str, Callable[[], Any], int]]:
    yield from _backend().streams(adapter.backend, array_bytes)


def smallest(adapter: Any) -> tuple[Callable[[], Any], bool]:
    found: tuple[Callable[[], Any], bool] = _backend().smallest(adapter.backend)
    return found


def _backend() -> Any:
    return importlib.import_module(f"benchmarks.frameworks.{tlx.BACKEND}_limits")
