"""The parent's side of a worker: start it, ask it, watch it, end it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchmarks.machine.cgroup import oom_kills
from benchmarks.schema.samples import Status
from benchmarks.workload import ROOT

LOG_LINES = 20
M = TypeVar("M", bound=BaseModel)


class WorkerError(Exception):
    """A launch that ended badly: a legal status and a sentence."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason
        self.log_tail: list[str] = []


def as_declared(model: type[M], answer: object) -> M:
    """Return ``answer`` as ``model``; WorkerError where it is not as that declares."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise WorkerError("failed", f"its answer is not as declared: {where}: {wrong['msg']}") from error


class WorkerProcess:
    """A running worker process. Every request has a time limit in seconds."""

    def __init__(self, *, python: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._oom_kills = oom_kills()
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env={**environment, "BOOKBENCH_PARENT": str(os.getpid())},
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C reaches the parent only, which ends its workers itself
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.decode("utf-8", "replace"))
        self._lines.put(None)

    def ask(
        self,
        command: str,
        *,
        limit: float,
        event: Callable[[dict[str, Any]], None] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Send a request and wait for its answer; WorkerError when it fails, dies or takes over ``limit`` seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write((json.dumps({"command": command, **fields}) + "\n").encode())
            self._process.stdin.flush()
        except OSError:
            raise self._died(command) from None
        deadline = time.monotonic() + limit
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise WorkerError("timeout", f"{_plain(command)} took longer than {limit:.0f} s") from None
            if line is None:
                raise self._died(command)
            try:
                message = json.loads(line, parse_constant=lambda _: None)  # NaN and infinity are not numbers here
            except ValueError:
                raise self._died(command) from None  # it was killed in the middle of an answer
            if "event" in message:
                if event:
                    event(message["event"])
            elif "error" in message:
                raise WorkerError(message["error"]["status"], message["error"]["reason"])
            else:
                self._oom_kills = oom_kills()
                answer: dict[str, Any] = message["ok"]
                return answer

    def _died(self, command: str) -> WorkerError:
        code = self._process.wait()
        if code == -signal.SIGKILL and oom_kills() > self._oom_kills:
            return WorkerError("out_of_memory", f"killed by the kernel for lack of memory during {_plain(command)}")
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return WorkerError("crashed", f"the worker died {how} during {_plain(command)}")

    def log_tail(self) -> list[str]:
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return [line.rstrip() for line in text.splitlines() if line.strip()][-LOG_LINES:]

    def stop(self) -> None:
        """Ask it to end, then see to it. Calling it again does nothing."""
        assert self._process.stdin is not None
        if self._process.poll() is None:
            try:
                self._process.stdin.write(b'{"command": "stop"}\n')
                self._process.stdin.flush()
                self._process.wait(timeout=10)
            except (OSError, subprocess.TimeoutExpired):
                pass  # kill() below ends it
        self.kill()

    def kill(self) -> None:
        """End the worker and whatever it started (compilers), at once."""
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except (ProcessLookupError, PermissionError):
            pass  # it and all its children are gone already (macOS says the latter of a zombie)
        self._process.wait()
        self._reader.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # a request was still on its way
                pipe.close()


def _plain(command: str) -> str:
    """The request in words; of a module the folder or file that it is about."""
    return [word for word in command.split(".") if word not in ("worker", "inside")][-1].replace("_", " ")
