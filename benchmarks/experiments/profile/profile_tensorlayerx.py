"""TensorLayerX is profiled by its backend's profiler."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorlayerx as tlx

from benchmarks.experiments.profile.timeline import Recorded


def on_gpu(adapter: Any) -> bool:
    return bool(_backend().on_gpu(adapter.backend))


def prepare(adapter: Any) -> None:
    _backend().prepare(adapter.backend)


def record(adapter: Any, run: Callable[[], None], trace: Path) -> Recorded:
    recorded: Recorded = _backend().record(adapter.backend, run, trace)
    return recorded


def compilation(adapter: Any, program: Any) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _backend().compilation(adapter.backend, program)
    return found


def _backend() -> Any:
    return importlib.import_module(f"benchmarks.frameworks.{tlx.BACKEND}_profile")
