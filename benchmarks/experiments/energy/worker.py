"""Inside the worker: a window without load, then one of training, the counters read about once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.machine import gpu
from benchmarks.machine.energy_counters import Meter, counters
from benchmarks.worker.evidence import Watch
from benchmarks.worker.session import Session

CHUNK = 1.0  # seconds between readings
SETTLE = 0.1  # of a window's seconds: pause before it, for clocks and power to fall or rise


def answer(session: Session, *, window_seconds: float, device: str) -> dict[str, Any]:
    found = counters(device)
    session.do_build()
    tried = session.whole_calls(3)
    session.steps(tried)
    once = session.steps(tried) / tried
    chunk = session.whole_calls(max(1, round(min(CHUNK, window_seconds / 2) / once)))
    time.sleep(SETTLE * window_seconds)
    pause = min(CHUNK, window_seconds / 2)
    idle = window(session, Meter(found), window_seconds, lambda: time.sleep(pause))
    settled = time.perf_counter() + SETTLE * window_seconds
    while time.perf_counter() < settled:
        session.steps(chunk)
    load = window(session, Meter(found), window_seconds, lambda: session.steps(chunk))
    return {
        "batch_size": session.workload.batch_size,
        "items": session.workload.items,
        "steps": chunk * len(load["readings"]),
        "idle": idle,
        "load": load,
    }


def window(session: Session, meter: Meter, seconds: float, work: Callable[[], object]) -> dict[str, Any]:
    """``work`` again and again for at least ``seconds``; a reading after each."""
    watch, readings, beside = Watch(session), [], [_beside(session)]
    meter.read()
    watch.start()
    last = start = time.perf_counter()
    while last - start < seconds:
        work()
        spent, now = meter.read(), time.perf_counter()
        readings.append({"seconds": now - last, "joules": spent})
        last = now
    watch.stop()
    beside.append(_beside(session))
    others = [count for count in beside if count is not None]
    return {"readings": readings, **watch.sample(), "other_gpu_processes": max(others, default=None)}


def _beside(session: Session) -> int | None:
    """Processes on the GPU beside this one, which has been there since it was built; None where nobody tells."""
    processes = gpu.processes() if session.job["device"] == "cuda" else None
    return None if processes is None else max(0, processes - 1)
