"""Inside a worker: time a call and keep the evidence of what else ran, as :class:`benchmarks.parts.calls.Call`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import disturbance, gpu
from benchmarks.session import Session

Before = tuple[disturbance.Snapshot, float]


def watched(session: Session, call: Callable[[], float]) -> dict[str, Any]:
    """``call`` gives its own wall seconds; the evidence is read outside of them."""
    before = begin(session)
    seconds = call()
    return {"seconds": seconds, **since(session, before, seconds)}


def begin(session: Session) -> Before:
    """The counters of the run's CPUs, this process included, and CPU seconds of its relatives."""
    return disturbance.snapshot(session.job.get("affinity") or ()), _relatives()


def since(session: Session, before: Before, seconds: float) -> dict[str, Any]:
    """``foreign_cpu_seconds`` and ``disturbed`` of the ``seconds`` since ``before``."""
    seen = disturbance.difference(before[0], disturbance.snapshot(session.job.get("affinity") or ()))
    ours, busy = seen["cpu_seconds"] + _relatives() - before[1], seen["busy_seconds"]
    foreign = None if busy is None else max(0.0, busy - ours)
    throttled = gpu.evidence().get("gpu_throttle_reasons") if session.job["device"] == "cuda" else None
    disturbed = disturbance.is_disturbed(
        foreign,
        seen["steal_seconds"],
        seconds,
        cpus=max(1, session.job["threads"]),
        throttled_seconds=seen["throttled_seconds"],
        cpu_throttles=seen["cpu_throttles"],
        gpu_throttle_reasons=throttled,
    )
    return {"foreign_cpu_seconds": foreign, "disturbed": disturbed}


def _relatives() -> float:
    """CPU seconds so far of the run's other processes: the engine and, of loaders, this worker's children."""
    pids = [os.getppid(), *_children()]
    alive = sum(disturbance.process_cpu_seconds(pid) or 0.0 for pid in pids)
    ended = os.times()
    return alive + ended.children_user + ended.children_system


def _children() -> list[int]:
    """Of every thread of this process; none where the system does not list them."""
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found += map(int, path.read_text().split())
        except OSError:  # a thread that has just ended
            continue
    return found
