"""What surrounds a worker: its environment variables, and text free of this machine's paths."""

from __future__ import annotations

import os
import re
import site
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from benchmarks.frameworks.discovery import mode_of
from benchmarks.machine.packages import ROOT, python_path

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
    env["PYTHONPATH"] = python_path(inherited)
    env["PYTHONUSERBASE"] = site.getuserbase()  # with another home, user-installed packages would vanish
    return env


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
