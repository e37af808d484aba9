"""The Pythons that --env names."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import Problem


def interpreters(env: Sequence[str]) -> dict[str, str]:
    """Name -> Python of each interpreter; ``default`` is this one unless --env default=... replaces it."""
    out = {"default": sys.executable}
    for word in env:
        name, separator, python = word.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise Problem(f"--env takes NAME=PYTHON, got {word!r}")
        path = shutil.which(python)
        if path is None:
            raise Problem(f"--env {name}: there is no Python at {python}")
        out[name] = str(Path(path).absolute())
    return out
