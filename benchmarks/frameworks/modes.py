"""What a framework's light file, ``NAME_modes.py`` beside its adapter, says of the modes that it has.

The file imports no framework, so that the parent can read it: ``LABEL``, the framework's name for people; ``REQUIRES``,
the distributions that must be installed (alternatives joined by ``|``); ``PACKAGES``, where there are any, further
ones whose versions can change a figure; and ``MODES``, name -> :class:`Mode`, in the order in which they are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mode:
    """One way in which a framework runs a step."""

    label: str
    """For people, after the framework's name: ``compile (whole step)``."""
    scope: str
    """What it does, in a sentence."""
    usual: bool = field(default=False, kw_only=True)
    """The one that stands for its framework where one must: its documentation begins with it."""
    tuned: bool = field(default=False, kw_only=True)
    """Runs only where it is asked for. One whose name ends in ``-tuned`` runs the workload's tuned implementation."""
    compiles: str = field(default="", kw_only=True)
    """The mode that it is without its compiler; empty where nothing is compiled before it runs."""
    caches: bool = field(default=False, kw_only=True)
    """Generates C++ and keeps what it compiled on disk for the next process."""
    twin_of: str = field(default="", kw_only=True)
    """The mode of which it is the same with one thing changed."""
    environment: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """Variables that its processes start with."""
    excluded_by: str = field(default="", kw_only=True)
    """The literal by which an implementation file says that, and why, it does not run in this mode."""
