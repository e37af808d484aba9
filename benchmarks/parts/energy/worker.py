"""Inside the worker: a window without load, then one of training, the counters read about once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks import disturbance
from benchmarks.energy import Meter, counters
from benchmarks.session import Session

CHUNK = 1.0  # seconds between readings
SETTLE = 0.1  # of a window's seconds: pause before it, for clocks and power to fall or rise


def answer(session: Session, *, window_seconds: float, device: str) -> dict[str, Any]:
    found = counters(device)
    session.do_build()
    session.steps(3)
    once = session.steps(3) / 3
    chunk = max(1, round(min(CHUNK, window_seconds / 2) / once))
    time.sleep(SETTLE * window_seconds)
    pause = min(CHUNK, window_seconds / 2)
    idle = window(Meter(found), window_seconds, lambda: time.sleep(pause))
    settled = time.perf_counter() + SETTLE * window_seconds
    while time.perf_counter() < settled:
        session.steps(chunk)
    load = window(Meter(found), window_seconds, lambda: session.steps(chunk))
    return {
        "batch_size": session.workload.batch_size,
        "items": session.workload.items,
        "steps": chunk * len(load["readings"]),
        "idle": idle,
        "load": load,
    }


def window(meter: Meter, seconds: float, work: Callable[[], object]) -> dict[str, Any]:
    """``work`` again and again for at least ``seconds``; a reading after each."""
    before, readings = disturbance.snapshot(), []
    meter.read()
    last = start = time.perf_counter()
    while last - start < seconds:
        work()
        spent, now = meter.read(), time.perf_counter()
        readings.append({"seconds": now - last, "joules": spent})
        last = now
    seen = disturbance.difference(before, disturbance.snapshot())
    busy = seen["busy_seconds"]
    foreign = None if busy is None else max(0.0, busy - seen["cpu_seconds"])
    return {"readings": readings, "foreign_cpu_seconds": foreign}
