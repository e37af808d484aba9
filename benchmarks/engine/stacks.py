"""Which stacks there are, and which can run here.

There is no table: a framework is a file ``benchmarks/frameworks/NAME_adapter.py`` whose literal ``MODES`` (mode ->
scope in a sentence) is read without importing it. It may also hold a literal ``TUNED``, further modes that run only
where they are named or ``--tuned`` asks for them; a literal ``COMPILED``, the modes that compile before they run, and a
literal ``CACHED``, those of them that generate C++ and keep it in the cache folder; and a literal ``REQUIRES``,
the distributions that must be installed (alternatives joined by ``|``); without it, the one that is named as the
framework is; and a literal ``ENVIRONMENT``, mode -> variables that a worker of it is started with.

A mode that ends in ``-tuned`` is there for workloads with a tuned implementation, ``NAME_FRAMEWORK_tuned.py``, whose
literal ``MODES`` names the mode without that ending; its own literal ``ENVIRONMENT`` holds further variables.

Whether an installed framework really works is asked of a worker process and remembered, because importing one takes
seconds. ``python -m benchmarks.engine.stacks ADAPTER DEVICE MODE...`` is that process.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.engine.environment import backend, clean_paths, describe, normalise, worker_environment
from benchmarks.errors import Unavailable
from benchmarks.frameworks import discovery
from benchmarks.machine.gpu_check import missing_gpu
from benchmarks.workload import base_mode, is_tuned

if TYPE_CHECKING:
    from benchmarks.workload import Found

ADAPTERS = Path(__file__).resolve().parents[1] / "frameworks"
DEVICES = ("cpu", "cuda")
PROBE_LIMIT = 300.0  # seconds
REMEMBERED = 100  # probes kept in the cache


@dataclass(frozen=True, kw_only=True)
class Framework:
    """An adapter, read without importing it."""

    name: str
    adapter: Path
    modes: dict[str, str]
    tuned: dict[str, str]
    requires: tuple[str, ...]
    compiled: tuple[str, ...]  # modes that compile before they run
    cached: tuple[str, ...]  # those of them that generate C++ and keep it in the cache folder
    environment: dict[str, dict[str, str]]  # mode -> variables of its workers

    @property
    def every(self) -> dict[str, str]:
        """All modes, the tuned ones last."""
        return self.modes | self.tuned


def frameworks(*, tuned: bool = False) -> dict[str, dict[str, str]]:
    """Framework -> mode -> scope of the mode in a sentence; with the ``tuned`` ones or without."""
    return {name: framework.every if tuned else framework.modes for name, framework in read_adapters().items()}


@cache
def read_adapters(folder: Path = ADAPTERS) -> dict[str, Framework]:
    """Every framework with an adapter in ``folder``, by name."""
    found = {}
    for name, framework in discovery.frameworks().items():
        modes = framework.modes
        found[name] = Framework(
            name=name,
            adapter=framework.folder / f"{name}_adapter.py",
            modes={mode: m.scope for mode, m in modes.items() if not m.tuned},
            tuned={mode: m.scope for mode, m in modes.items() if m.tuned},
            requires=framework.requires,
            compiled=tuple(mode for mode, m in modes.items() if m.compiles),
            cached=tuple(mode for mode, m in modes.items() if m.caches),
            environment={mode: dict(m.environment) for mode, m in modes.items()},
        )
    return found


def literals(path: Path, *names: str) -> dict[str, Any]:
    """Those of ``names`` to which the module assigns a literal, read without importing it."""
    out: dict[str, Any] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and target.id in names and value is not None:
                out[target.id] = ast.literal_eval(value)
    return out


def is_written(found: Found, framework: str, mode: str) -> bool:
    """Whether the workload has an implementation that runs in this mode."""
    path = found.implementation(framework, mode)
    if not path.is_file():
        return False
    return not is_tuned(mode) or base_mode(mode) in literals(path, "MODES").get("MODES", ())


def variables(found: Found, framework: Framework, mode: str) -> dict[str, str]:
    """Environment variables that a worker of this mode is started with, beside those of every worker."""
    own = literals(found.implementation(framework.name, mode), "ENVIRONMENT") if is_tuned(mode) else {}
    return framework.environment.get(mode, {}) | dict(own.get("ENVIRONMENT", {}))


COMPILING = frozenset(mode for framework in read_adapters().values() for mode in framework.cached)  # generate C++


# -- what can run --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A workload variant on a stack."""

    found: Found
    framework: str
    mode: str
    scope: str
    tuned: bool
    device: str
    available: bool
    reason: str


def stacks(
    found: Iterable[Found], *, devices: Collection[str] = DEVICES, availability: Availability | None = None
) -> Iterator[Listed]:
    """Every workload variant on every framework it is written for, in every mode on every device.

    A framework without an implementation file in the workload's folder is not written, so not listed.
    """
    asked = availability or Availability()
    for workload in found:
        for framework in read_adapters(asked.adapters).values():
            for mode, scope in framework.every.items():
                if not is_written(workload, framework.name, mode):
                    continue
                for device in devices:
                    reason = asked.reason(framework.name, mode, device)
                    yield Listed(
                        found=workload,
                        framework=framework.name,
                        mode=mode,
                        scope=scope,
                        tuned=mode in framework.tuned,
                        device=device,
                        available=not reason,
                        reason=reason,
                    )


def available(framework: str, mode: str, device: str, python: str | Path = sys.executable) -> tuple[bool, str]:
    """Whether this stack can run here, and otherwise why not, in a sentence."""
    reason = Availability(python=python).reason(framework, mode, device)
    return not reason, reason


def not_installed(requires: tuple[str, ...], python: str | Path) -> str:
    """Which of the distributions ``python`` lacks, in a sentence; empty when none. Alternatives are joined by ``|``."""
    wanted = [[name.strip() for name in line.split("|")] for line in requires]
    installed = _describe(tuple(name for names in wanted for name in names), python)["versions"]
    absent = [names[0] for names in wanted if not any(normalise(n) in installed for n in names)]
    if not absent:
        return ""
    verb = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {verb} not installed: pip install {' '.join(absent)}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("bookbench", appauthor=False)) / "probes.json"


@dataclass(kw_only=True)
class Availability:
    """Answers for one interpreter; a probe is made once and remembered in ``cache``.

    ``announce`` is told what is being probed, since that takes seconds.
    """

    python: str | Path = sys.executable
    adapters: Path = ADAPTERS
    cache: Path = field(default_factory=_default_cache)
    announce: Callable[[str], None] = _say

    def reason(self, framework: str, mode: str, device: str) -> str:
        """Why this stack cannot run here; empty when it can. The cheap reasons first."""
        chosen = read_adapters(self.adapters).get(framework)
        if chosen is None:
            return f"there is no adapter for {framework} in benchmarks/frameworks"
        if mode not in chosen.every:
            return f"{framework} has the modes {', '.join(chosen.every)}, not {mode}"
        if missing := not_installed(chosen.requires, self.python):
            return missing
        if device == "cuda" and (missing := _missing_gpu()):
            return missing
        if mode in chosen.cached and (missing := self._no_compiler()):
            return missing
        return self._probed(chosen, backend(framework, mode), device)[mode]

    def _no_compiler(self) -> str:
        """Generated kernels are C++ that includes Python.h, so both are needed on every device."""
        compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
        if not shutil.which(compiler):
            return f"compiling needs a C++ compiler, and {Path(compiler).name} is not there: install it or set CXX"
        if not _describe((), self.python)["headers"]:
            return "compiling needs Python.h, the C headers of this Python: install python3-dev or the like"
        return ""

    # -- probes ------------------------------------------------------------------------------------

    def _probed(self, framework: Framework, tl_backend: str, device: str) -> dict[str, str]:
        """Mode -> reason, for all modes that share a worker environment on ``device``."""
        modes = [m for m in framework.every if backend(framework.name, m) == tl_backend]
        key = self._key(framework, tl_backend, device)
        if key not in _answers:
            remembered = self._read()
            answer = remembered.get(key)
            if not isinstance(answer, dict) or set(answer) != set(modes):
                answer, certain = self._ask_all(framework, modes, device)
                if certain:
                    remembered.pop(key, None)
                    self._write({**remembered, key: answer})
            _answers[key] = answer
        return _answers[key]

    def _ask_all(self, framework: Framework, modes: list[str], device: str) -> tuple[dict[str, str], bool]:
        """One worker process for all modes; those it refuses beside others once more, alone.

        A framework may not let itself be set up twice. False when the answer may differ next time.
        """
        self.announce(f"probing {framework.name} ({', '.join(modes)}) for {device}; the answer is kept")
        reasons, certain = self._ask(framework, modes, device)
        if "" in reasons.values():
            for mode in [m for m in modes if reasons[m]]:
                again, sure = self._ask(framework, [mode], device)
                reasons, certain = reasons | again, certain and sure
        return reasons, certain

    def _ask(self, framework: Framework, modes: list[str], device: str) -> tuple[dict[str, str], bool]:
        """Start a worker process that tries ``modes``."""

        def same(reason: str) -> dict[str, str]:
            return dict.fromkeys(modes, reason)

        chosen = _Probe(framework=framework.name, mode=modes[0], device=device)
        command = [str(self.python), "-m", "benchmarks.engine.stacks", str(framework.adapter), device, *modes]
        with tempfile.TemporaryDirectory(prefix="bookbench-probe-", ignore_cleanup_errors=True) as scratch:
            env = worker_environment(chosen, threads=1, scratch=Path(scratch), caches=Path(scratch))
            try:
                done = subprocess.run(
                    command, env=env, cwd=scratch, capture_output=True, text=True, errors="replace", timeout=PROBE_LIMIT
                )
            except subprocess.TimeoutExpired:
                return same(f"its probe took longer than {PROBE_LIMIT:.0f} s"), False
            except OSError as error:
                return same(f"its probe could not be started: {error.strerror}"), False
        said = done.stdout.strip().splitlines()
        try:
            reasons = {mode: clean_paths(str(reason)) for mode, reason in json.loads(said[-1]).items()}
            return {mode: reasons[mode] for mode in modes}, True
        except (IndexError, ValueError, KeyError, AttributeError):
            last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
            return same(clean_paths(f"its probe died with exit code {done.returncode}: {last.strip()[:300]}")), False

    def _key(self, framework: Framework, tl_backend: str, device: str) -> str:
        """Whatever the answer may depend on: interpreter, installed packages, adapter, driver, library paths."""
        facts: list[object] = [str(self.python), Path(self.python).stat().st_mtime_ns]
        facts += [_describe((), self.python)["fingerprint"], str(framework.adapter)]
        helpers = sorted(framework.adapter.parent.glob("*.py"))  # adapters share code
        facts += [hashlib.sha256(b"".join(path.read_bytes() for path in helpers)).hexdigest()]
        facts += [os.environ.get(name) for name in ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH")]
        if device == "cuda":
            driver = Path("/proc/driver/nvidia/version")
            facts += [os.environ.get("CUDA_VISIBLE_DEVICES"), driver.read_text() if driver.exists() else ""]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
        return " ".join(filter(None, [framework.name, tl_backend, device, digest]))

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.cache.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, probes: dict[str, Any]) -> None:
        kept = dict(list(probes.items())[-REMEMBERED:])
        try:
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            part = self.cache.with_name(f"{self.cache.name}.{os.getpid()}.part")
            part.write_text(json.dumps(kept, indent=1), "utf-8")
            os.replace(part, self.cache)
        except OSError as error:  # the answer stands; it is only not remembered
            self.announce(f"probes are not remembered: {error}")


@dataclass(frozen=True, kw_only=True)
class _Probe:
    framework: str
    mode: str
    device: str


_missing_gpu = cache(missing_gpu)
_describe = cache(describe)
_answers: dict[str, dict[str, str]] = {}  # of this process, also those too uncertain to be kept


# -- inside the worker process ---------------------------------------------------------------------------


def probe(adapter: Path, device: str, modes: list[str]) -> dict[str, str]:
    """Import the adapter, construct it in each mode and multiply two small matrices on the device."""
    built = None
    reasons = {}
    try:
        import numpy as np

        from benchmarks.workload import load_module

        module = load_module(adapter, f"benchmarks.frameworks.{adapter.stem}")
    except (Exception, SystemExit) as error:
        return dict.fromkeys(modes, _sentence(error))
    for mode in modes:
        try:
            built = module.Adapter(mode=mode, device=device, threads=1, seed=0)
            reasons[mode] = ""
        except (Exception, SystemExit) as error:
            reasons[mode] = _sentence(error)
    if built is not None:
        try:
            built.matmul(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
        except Exception as error:
            reasons = {mode: reason or _sentence(error) for mode, reason in reasons.items()}
    return reasons


def _sentence(error: BaseException) -> str:
    if isinstance(error, Unavailable):
        return str(error)  # a sentence already
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    answer = probe(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    print(json.dumps(answer), flush=True)
    os._exit(0)  # skip the frameworks' slow tear-down, and what they print there
