"""Frameworks that exist for a test only: two files in a folder, as a user would drop them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import frameworks as package
from benchmarks.frameworks import discovery

MODES = """
from benchmarks.frameworks.modes import Mode
LABEL, REQUIRES = "Good", ("numpy",)
MODES = {"eager": Mode("eager", "as it comes", usual=True), "graph": Mode("graph", "traced", compiles="eager")}
"""
ADAPTER = """
class Adapter:
    def __init__(self, *, mode, device, threads, seed): pass
    def matmul(self, a, b): return a @ b
"""


@contextmanager
def dropped(folder: Path, **files: str) -> Iterator[None]:
    """Write ``NAME_modes`` and ``NAME_adapter`` to ``folder`` and let this process and its workers find them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOKBENCH_FRAMEWORKS", str(folder))
        patch.setattr(package, "__path__", [*package.__path__, str(folder)])  # of this process, which has begun
        _forget(files)
        yield
    _forget(files)


def _forget(files: dict[str, str]) -> None:
    for name in files:
        sys.modules.pop(f"{package.__name__}.{name}", None)
    importlib.invalidate_caches()
    discovery.frameworks.cache_clear()
