"""Which frameworks there are, which modes each has, and in which of them a workload is written.

There is no table: a framework is a file ``NAME_modes.py`` (see :mod:`benchmarks.frameworks.modes`) beside its adapter,
``NAME_adapter.py``. The first imports nothing heavy, the second its framework.

A mode whose name ends in ``-tuned`` is there for workloads with a tuned implementation, ``NAME_FRAMEWORK_tuned.py``,
whose literal ``MODES`` names the mode without that ending; its literal ``ENVIRONMENT`` holds further variables.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import frameworks as package
from benchmarks.frameworks.modes import Mode
from benchmarks.workload import Found, base_mode, is_tuned
from benchmarks.workload.literals import literals


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

    def facts(self, mode: str) -> dict[str, Any]:
        """Return what a result keeps of a mode, so that no later version has to interpret its name."""
        found = self.modes[mode]
        described = {"framework": self.label, "mode": found.label, "compiles": found.compiles, "caches": found.caches}
        described |= {"twin_of": found.twin_of}
        return {"framework": self.name, "mode": mode, "tuned": found.tuned, "described": described}


@cache
def frameworks() -> dict[str, Framework]:
    """Return every framework by name."""
    found = sorted((p.stem.removesuffix("_modes"), p) for f in package.__path__ for p in Path(f).glob("*_modes.py"))
    return {name: _read(name, path) for name, path in found}


def mode_of(framework: str, mode: str) -> Mode | None:
    """Return a mode; None where there is none, as of another program on the same data."""
    found = frameworks().get(framework)
    return found.modes.get(mode) if found else None


def distributions() -> list[str]:
    """Return the distributions whose versions can change a figure of some framework."""
    return [
        name.strip() for f in frameworks().values() for line in (*f.requires, *f.packages) for name in line.split("|")
    ]


def uncompiled(framework: str, mode: str) -> str:
    """Return the mode in which an adapter runs what ``mode`` runs without its compiler."""
    base = base_mode(mode)
    found = mode_of(framework, base)
    return found.compiles or base if found else base


def is_written(found: Found, framework: str, mode: str) -> bool:
    """Whether the workload has an implementation for this mode."""
    path = found.implementation(framework, mode)
    if not path.is_file():
        return False
    return not is_tuned(mode) or base_mode(mode) in literals(path, "MODES").get("MODES", ())


def excluded(found: Found, framework: str, mode: str) -> str:
    """Return why the workload's implementation does not run in this mode; an empty string where it does."""
    path, literal = found.implementation(framework, mode), frameworks()[framework].modes[mode].excluded_by
    why = literals(path, literal).get(literal, "") if literal else ""
    return f"{path.name} does not run in this mode: {why}" if why else ""


def own_variables(found: Found, framework: str, mode: str) -> dict[str, str]:
    """Return the variables that a tuned implementation has its processes start with, beside those of its mode."""
    literal = "ENVIRONMENT"
    own = literals(found.implementation(framework, mode), literal) if is_tuned(mode) else {}
    return dict(own.get(literal, {}))


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
