"""Say how much tox is about to download, before it does. Standard library only, run as a script.

Sizes are those of the files that pip took from PyPI for Python 3.11 on Linux x86-64 in December 2026. Unpacking 3.4 GB
and compiling it to bytecode took some three minutes on two busy cores.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_TORCH, CPU_TORCH = 2.7, 0.2  # GB with what it requires; on Linux PyPI has PyTorch for CUDA only
CUDA_TENSORFLOW, CPU_TENSORFLOW = 3.5, 0.7
OTHERS = 0.2
SECONDS_PER_GB = 80 + 60  # at 100 Mbit/s, then unpacking


def absent(names: Iterable[str], folders: list[str]) -> list[str]:
    """Return those of ``names`` whose version of pyproject.toml is not installed in ``folders``."""
    wanted = dict(re.findall(r'"(torch|tensorflow)==([\w.]+)"', PYPROJECT.read_text("utf-8")))
    found = {(d.metadata["Name"], d.version.partition("+")[0]) for d in importlib.metadata.distributions(path=folders)}
    return [name for name in names if (name, wanted[name]) not in found]


def announcement(environment: str, missing: list[str], *, linux: bool, cpu_index: bool) -> str:
    """Return what ``environment`` is about to download, or an empty string where nothing large is missing."""
    if not missing:
        return ""
    gpu = environment == "bench-gpu"
    full = {"torch": CUDA_TORCH if linux else CPU_TORCH, "tensorflow": CUDA_TENSORFLOW if gpu else CPU_TENSORFLOW}
    size = OTHERS + sum(full[name] for name in missing)
    spared = CUDA_TORCH - CPU_TORCH if "torch" in missing and linux and not gpu else 0.0
    lines = [f"{environment} now installs its frameworks: {cost(size - spared if cpu_index else size)}."]
    if spared and not cpu_index:
        lines += [
            f"{spared:.1f} GB of it are CUDA, which a CPU does not need. Without it: {cost(size - spared)}.",
            f"To leave it out press Ctrl-C and run: PIP_EXTRA_INDEX_URL={CPU_INDEX} tox -e {environment}",
        ]
    return "\n".join(lines)


def cost(size: float) -> str:
    """Return a download of ``size`` GB in words."""
    return f"up to {size:.1f} GB, {size * SECONDS_PER_GB / 60:.0f} minutes at 100 Mbit/s"


def main(environment: str) -> None:
    """Print what tox is about to install into ``environment``, whose Python runs this."""
    missing = absent(["torch"] if environment == "bench-gpu" else ["torch", "tensorflow"], sys.path)
    if environment == "bench-gpu":  # TensorFlow has a Python of its own there
        missing += absent(["tensorflow"], [str(p) for p in Path(sys.prefix).glob("tensorflow/lib/*/site-packages")])
    indexes = " ".join(value for name, value in os.environ.items() if name.startswith("PIP_"))
    text = announcement(environment, missing, linux=sys.platform == "linux", cpu_index=CPU_INDEX in indexes)
    if text:
        print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
