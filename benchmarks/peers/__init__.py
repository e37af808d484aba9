"""Peers: other ways to train a workload in the same framework, after public sources, timed beside ours.

There is no table: a peer is a file ``impls/NAME/peer_SOURCE_FRAMEWORK.py``. It keeps the contract of an implementation
(:mod:`benchmarks.frameworks.base`), so that the adapter builds and steps it as it does ours, and assigns literals that
are read without importing it:

* ``SOURCE``: name and address of what it was written after;
* ``MODES``: the framework's modes in which it is compared; one that ends in ``-tuned`` with the tuned implementation;
* ``DIFFERS``: where its work is not that of ours. Empty where it is the same, which is then checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import frameworks
from benchmarks.workload import Found
from benchmarks.workload.literals import literals

WORDS = ("SOURCE", "MODES", "DIFFERS")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A peer file, read without importing it."""

    name: str
    framework: str
    path: Path
    source: str
    address: str
    modes: tuple[str, ...]
    differs: str


def peers(found: Found) -> list[Peer]:
    """Those of a workload, by file name. Variants other than the default one have none."""
    if found.workload.variant != "default":
        return []
    return [read(path) for path in sorted(found.folder.glob("peer_*.py"))]


def read(path: Path) -> Peer:
    """The peer in the file at ``path``; Problem where its name or literals are not as they must be."""
    modes_of = {name: f.modes for name, f in frameworks().items()}
    named = re.fullmatch(rf"peer_([a-z0-9_]+)_({'|'.join(modes_of)})", path.stem)
    if named is None:
        raise Problem(f"{path.name}: peers are called peer_SOURCE_FRAMEWORK.py")
    name, framework = named.groups()
    said = literals(path, *WORDS)
    source, modes, differs = _words(said.get("SOURCE")), _words(said.get("MODES")), said.get("DIFFERS")
    if len(source) != 2 or not modes or not isinstance(differs, str):
        raise Problem(f"{path.name} must assign SOURCE = (name, address), MODES = (mode, ...) and DIFFERS = '' or why")
    if unknown := sorted(set(modes) - set(modes_of[framework])):
        raise Problem(f"{path.name}: {framework} has no mode {', '.join(unknown)}")
    return Peer(
        name=name, framework=framework, path=path, source=source[0], address=source[1], modes=modes, differs=differs
    )


def _words(value: object) -> tuple[str, ...]:
    """The words of a tuple; none where it is something else."""
    words = tuple(value) if isinstance(value, (tuple, list)) else ()
    return words if all(isinstance(word, str) and word for word in words) else ()
