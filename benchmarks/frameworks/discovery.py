"""Which frameworks there are, and which modes each has.

There is no table: a framework is a file ``NAME_modes.py`` (see :mod:`benchmarks.frameworks.modes`) beside its adapter,
``NAME_adapter.py``. The first imports nothing heavy, the second its framework.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks import frameworks as package
from benchmarks.frameworks.modes import Mode


@dataclass(frozen=True, kw_only=True)
class Framework:
    """What a framework's light file says."""

    name: str
    label: str
    requires: tuple[str, ...]
    packages: tuple[str, ...]
    modes: Mapping[str, Mode]
    folder: Path

    @property
    def usual(self) -> str:
        """The mode that stands for it where one must."""
        return next(name for name, mode in self.modes.items() if mode.usual)

    @property
    def files(self) -> tuple[Path, ...]:
        """What decides how it runs a step."""
        return (self.folder / f"{self.name}_adapter.py", self.folder / f"{self.name}_modes.py")


@cache
def frameworks() -> dict[str, Framework]:
    """Every framework, by name."""
    found = sorted((p.stem.removesuffix("_modes"), p) for f in package.__path__ for p in Path(f).glob("*_modes.py"))
    return {name: _read(name, path) for name, path in found}


def _read(name: str, path: Path) -> Framework:
    module = importlib.import_module(f"{package.__name__}.{path.stem}")
    modes: dict[str, Mode] = module.MODES
    if sum(mode.usual for mode in modes.values()) != 1:
        raise ValueError(f"{path.name}: one mode must be the usual one")
    for mode in modes.values():
        if not {mode.compiles, mode.twin_of} <= {"", *modes} or (mode.caches and not mode.compiles):
            raise ValueError(f"{path.name}: compiles and twin_of name modes of MODES, and only what compiles caches")
    return Framework(
        name=name,
        label=module.LABEL,
        requires=tuple(module.REQUIRES),
        packages=tuple(getattr(module, "PACKAGES", ())),
        modes=modes,
        folder=path.parent,
    )
