"""What surrounds a worker: its environment variables, its interpreter, and text free of this machine's paths.

Standard library only: other interpreters run this file to describe themselves.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import site
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol, TypedDict

from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import mode_of

ROOT = Path(__file__).resolve().parents[2]

# A worker sees of the user's environment only this, so that a forgotten variable cannot favour one stack.
_PASSED = (
    "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "CC", "CXX", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "DYLD_LIBRARY_PATH", "XLA_FLAGS", "TF_XLA_FLAGS", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT",
)  # fmt: skip
_PASSED_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "OPENBLAS_", "BOOKBENCH_")

_THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip

RECORDED = (
    *_THREADS,
    "OMP_WAIT_POLICY", "TL_BACKEND", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "TF_FORCE_GPU_ALLOW_GROWTH", "XLA_FLAGS",
    "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "TORCHINDUCTOR_CPP_WRAPPER",
    "NVIDIA_TF32_OVERRIDE", "CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING",
    "OPENBLAS_CORETYPE", "LD_PRELOAD", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "PYTHONHASHSEED",
    "CC", "CXX",
)  # fmt: skip
"""Variables that enter results."""

KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""With these glibc keeps what was freed instead of giving it back to the system. Bytes."""


class Chosen(Protocol):
    """The part of a stack that decides its environment (``results.Stack`` fits)."""

    @property
    def framework(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def device(self) -> str: ...


def worker_environment(
    stack: Chosen, *, threads: int, scratch: Path, caches: Path, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The whole environment of a worker process.

    ``scratch`` becomes its home folder; compilers keep what they made in ``caches``. Nothing is created here.
    """
    env = {k: v for k, v in inherited.items() if k in _PASSED or k.startswith(_PASSED_PREFIXES)}
    env |= dict.fromkeys(_THREADS, str(threads))
    # OMP_WAIT_POLICY stays unset. PASSIVE would shield PyTorch from a busy neighbour, but on a quiet machine it made
    # its MLP steps 1.6 to 3 times slower (two cores); idle threads stop spinning within milliseconds anyway.
    if mode := mode_of(stack.framework, stack.mode):
        env |= mode.environment
    env["KERAS_BACKEND"] = "tensorflow"
    env["TF_CPP_MIN_LOG_LEVEL"] = "0"  # the adapter reads there which instructions the build lacks
    env["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # otherwise TensorFlow takes the whole GPU and its neighbours none
    env["NVIDIA_TF32_OVERRIDE"] = "0"
    if stack.device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = "-1"
    # TensorLayerX and Keras write into the home folder, others into its .cache: contained.
    env |= {"HOME": str(scratch), "USERPROFILE": str(scratch), "KERAS_HOME": str(scratch / "keras")}
    env |= {f"XDG_{kind}_HOME": str(scratch / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    env["TORCHINDUCTOR_CACHE_DIR"] = str(caches / "inductor")
    env["TRITON_CACHE_DIR"] = str(caches / "triton")
    env["CUDA_CACHE_PATH"] = str(caches / "cuda")
    env["PYTHONHASHSEED"] = "0"
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONPATH"] = _python_path(inherited)
    env["PYTHONUSERBASE"] = site.getuserbase()  # with another home, user-installed packages would vanish
    return env


def _python_path(inherited: Mapping[str, str]) -> str:
    return os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH", "")]))


# -- interpreters ----------------------------------------------------------------------------------


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
    command = [str(python), "-m", "benchmarks.engine.environment", json.dumps(None if names is None else list(names))]
    env = {**os.environ, "PYTHONPATH": _python_path(os.environ)}
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


# -- text --------------------------------------------------------------------------------------------


def clean_paths(text: str, *private: str) -> str:
    """``text`` without this machine's paths: '.', '~', '<env>', '<python>', '<tmp>', and '<run>' for ``private``."""
    folders = [(os.path.abspath(path), "<run>") for path in private]
    folders += [(str(ROOT), "."), (sys.prefix, "<env>"), (sys.base_prefix, "<python>")]
    folders += [(tempfile.gettempdir(), "<tmp>"), (os.path.expanduser("~"), "~")]
    for path, short in sorted(_spellings(folders), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"{re.escape(path)}(?![\w-]|\.\w)", short, text)
    return text


def _spellings(folders: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Each folder as given and with links resolved. Folders every machine has say nothing and stay."""
    both = {(spelling, short) for path, short in folders for spelling in (path, os.path.realpath(path))}
    return {(path, short) for path, short in both if path not in ("/", "/usr", "/usr/local", "")}


if __name__ == "__main__":
    print(json.dumps(_describe_this(json.loads(sys.argv[1]))))
