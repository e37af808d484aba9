"""Which stacks can run here.

Whether an installed framework really works is asked of a worker process (:mod:`benchmarks.worker.probe`) and
remembered, because importing one takes seconds.
"""

from __future__ import annotations

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
from typing import Any

from benchmarks.engine.environment import clean_paths, worker_environment
from benchmarks.frameworks.discovery import Framework, excluded, frameworks, is_written
from benchmarks.machine.gpu_check import missing_gpu
from benchmarks.machine.packages import describe, normalise
from benchmarks.schema.files import atomic_write
from benchmarks.workload import Found

DEVICES = ("cpu", "cuda")
PROBE_LIMIT = 300.0  # seconds
REMEMBERED = 100  # probes kept in the cache


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
        for framework in frameworks().values():
            for mode, described in framework.modes.items():
                if not is_written(workload, framework.name, mode):
                    continue
                for device in devices:
                    reason = asked.reason(framework.name, mode, device, workload)
                    yield Listed(
                        found=workload,
                        framework=framework.name,
                        mode=mode,
                        scope=described.scope,
                        tuned=described.tuned,
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
    cache: Path = field(default_factory=_default_cache)
    announce: Callable[[str], None] = _say

    def reason(self, framework: str, mode: str, device: str, found: Found | None = None) -> str:
        """Return why this stack cannot run here, or does not run ``found``; empty when it can. Cheap reasons first."""
        chosen = frameworks().get(framework)
        if chosen is None:
            return f"there is no framework {framework} in benchmarks/frameworks"
        if mode not in chosen.modes:
            return f"{framework} has the modes {', '.join(chosen.modes)}, not {mode}"
        if found is not None and (why := excluded(found, framework, mode)):
            return why
        if missing := not_installed(chosen.requires, self.python):
            return missing
        if device == "cuda" and (missing := _missing_gpu()):
            return missing
        if chosen.modes[mode].caches and (missing := self._no_compiler()):
            return missing
        return self._probed(chosen, mode, device)[mode]

    def _no_compiler(self) -> str:
        """Generated kernels are C++ that includes Python.h, so both are needed on every device."""
        compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
        if not shutil.which(compiler):
            return f"compiling needs a C++ compiler, and {Path(compiler).name} is not there: install it or set CXX"
        if not _describe((), self.python)["headers"]:
            return "compiling needs Python.h, the C headers of this Python: install python3-dev or the like"
        return ""

    # -- probes ------------------------------------------------------------------------------------

    def _probed(self, framework: Framework, mode: str, device: str) -> dict[str, str]:
        """Mode -> reason, for all modes that are imported as ``mode`` is on ``device``."""
        modes = [m for m in framework.modes if _imported_with(framework, m) == _imported_with(framework, mode)]
        key = self._key(framework, modes[0], device)
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
        command = [str(self.python), "-m", "benchmarks.worker.probe", framework.name, device, *modes]
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

    def _key(self, framework: Framework, mode: str, device: str) -> str:
        """Whatever the answer may depend on: interpreter, installed packages, adapter, driver, library paths."""
        facts: list[object] = [str(self.python), Path(self.python).stat().st_mtime_ns]
        facts += [_describe((), self.python)["fingerprint"], str(framework.folder)]
        helpers = sorted(framework.folder.glob("*.py"))  # adapters share code
        facts += [hashlib.sha256(b"".join(path.read_bytes() for path in helpers)).hexdigest()]
        facts += [os.environ.get(name) for name in ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH")]
        if device == "cuda":
            driver = Path("/proc/driver/nvidia/version")
            facts += [os.environ.get("CUDA_VISIBLE_DEVICES"), driver.read_text() if driver.exists() else ""]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
        return " ".join([framework.name, mode, device, digest])

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
            atomic_write(self.cache, json.dumps(kept, indent=1))
        except OSError as error:  # the answer stands; it is only not remembered
            self.announce(f"probes are not remembered: {error}")


@dataclass(frozen=True, kw_only=True)
class _Probe:
    framework: str
    mode: str
    device: str


def _imported_with(framework: Framework, mode: str) -> dict[str, str]:
    """What decides how the framework is imported: the variables of the mode, or of that of which it is a twin."""
    return dict(framework.modes[framework.modes[mode].twin_of or mode].environment)


_missing_gpu = cache(missing_gpu)
_describe = cache(describe)
_answers: dict[str, dict[str, str]] = {}  # of this process, also those too uncertain to be kept
