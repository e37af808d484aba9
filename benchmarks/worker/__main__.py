"""The worker process: one stack, one launch. Run as ``python -m benchmarks.worker``.

Reads one JSON request per line on standard input and answers with JSON lines
on the original standard output. Whatever frameworks print goes to standard
error, which the parent keeps as the log. Needs the standard library, NumPy and
its framework, nothing else. While it waits for a request it uses no CPU.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any, TextIO

from benchmarks.errors import Unavailable


def main() -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _die_with_parent()
    session = None
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        command = request.pop("command")
        if command == "stop":
            break  # and skip the frameworks' slow tear-down below
        try:
            if affinity := request.get("affinity"):
                os.sched_setaffinity(0, affinity)
            if command == "baseline":
                from benchmarks.worker import baseline

                answer = baseline.train(**request)
            elif session is None:
                from benchmarks.worker.session import Session

                session = Session(request, event=lambda fields: _send(replies, {"event": fields}))
                answer = session.hello()
            elif "." in command:
                answer = importlib.import_module(command).answer(session, **request)
            else:
                answer = getattr(session, f"do_{command}")(**request)
            _send(replies, {"ok": answer})
        except Unavailable as error:
            _send(replies, {"error": {"status": "unavailable", "reason": str(error)}})
        except Exception as error:
            traceback.print_exc()
            memory = isinstance(error, MemoryError) or (session is not None and session.is_out_of_memory(error))
            status = "out_of_memory" if memory else "failed"
            _send(replies, {"error": {"status": status, "reason": _sentence(error)}})
    sys.stderr.flush()
    os._exit(0)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def _send(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _die_with_parent() -> None:
    """On Linux: be killed when the parent is, so that no orphan stays behind."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_death_signal, signal.SIGKILL)
        parent = os.environ.get("BOOKBENCH_PARENT")
        if parent is not None and os.getppid() != int(parent):
            os._exit(1)  # it died before the line above took effect


if __name__ == "__main__":
    main()
