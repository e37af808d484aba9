"""The one mode of NumPy."""

from __future__ import annotations

from benchmarks.frameworks.modes import Mode

LABEL = "NumPy"
REQUIRES = ("numpy",)
MODES = {"eager": Mode("eager", "plain NumPy", usual=True)}
