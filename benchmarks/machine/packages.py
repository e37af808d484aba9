"""An interpreter and what is installed in it.

Standard library only: other interpreters run this file to describe themselves.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypedDict

from benchmarks.errors import Problem

ROOT = Path(__file__).resolve().parents[2]


def python_path(inherited: Mapping[str, str]) -> str:
    """Return the PYTHONPATH with which another process finds this suite."""
    return os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH", "")]))


class Interpreted(TypedDict):
    """An interpreter and what is installed in it."""

    python: str
    prefix: str
    headers: bool
    """Whether Python.h is there, which compiled C++ kernels include."""
    fingerprint: str
    """Changes whenever a distribution is installed, removed or replaced."""
    versions: dict[str, str]


def normalise(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def describe(names: Collection[str] | None = None, python: str | Path = sys.executable) -> Interpreted:
    """Facts of ``python``, with versions of the distributions in ``names`` (of all where None)."""
    if Path(python) == Path(sys.executable):
        return _describe_this(names)
    command = [str(python), "-m", "benchmarks.machine.packages", json.dumps(None if names is None else list(names))]
    env = {**os.environ, "PYTHONPATH": python_path(os.environ)}
    try:
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        answer: Interpreted = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise Problem(f"{python} is not a Python (3.10 or newer) that runs here: {''.join(said)}") from None
    return answer


def _describe_this(names: Collection[str] | None) -> Interpreted:
    folders = [Path(p) for p in sys.path if Path(p).is_dir()]
    seen = sorted(e.name for folder in folders for e in folder.iterdir() if e.name.endswith(("-info", ".egg-link")))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "python": python,
        "prefix": sys.prefix,
        "headers": (Path(sysconfig.get_path("include")) / "Python.h").is_file(),
        "fingerprint": hashlib.sha256("\n".join([python, *seen]).encode()).hexdigest(),
        "versions": _all_versions() if names is None else _versions(names),
    }


def _versions(names: Collection[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[normalise(name)] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _all_versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # the first on the path is the one that is imported
            found.setdefault(normalise(name), distribution.version)
    return found


if __name__ == "__main__":
    print(json.dumps(_describe_this(json.loads(sys.argv[1]))))
