"""Inside a worker: a clock with the evidence of what else ran; see :mod:`benchmarks.experiments.watched`.

The run's own processes are not foreign: this one, the engine that started it, and what it starts itself, loaders and
compilers, down to their children.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import disturbance, gpu
from benchmarks.worker.session import Session

ADDED = ("busy_seconds", "cpu_seconds", "steal_seconds", "throttled_seconds", "cpu_throttles")


class Watch:
    """A clock that can be stopped; what happens while it stands still counts for nothing."""

    def __init__(self, session: Session) -> None:
        self.seconds = 0.0
        self._job = session.job
        self._seen: list[dict[str, Any]] = []
        self._gpu_seen: list[dict[str, Any]] = []

    def start(self) -> None:
        self._relatives = relatives_cpu_seconds()
        self._gpu_before = gpu.before() if self._job["device"] == "cuda" else None
        self._before = self._snapshot()
        self._start = time.perf_counter()

    def stop(self) -> None:
        """The device must have been synchronised."""
        self.seconds += time.perf_counter() - self._start
        seen: dict[str, Any] = dict(disturbance.difference(self._before, self._snapshot()))
        seen["cpu_seconds"] += max(0.0, relatives_cpu_seconds() - self._relatives)
        self._seen.append(seen)
        if self._gpu_before is not None:
            self._gpu_seen.append(gpu.evidence(self._gpu_before, own=[os.getpid(), *descendants(os.getppid())]))

    def judged(self, seconds: float) -> dict[str, Any]:
        """``foreign_cpu_seconds`` and ``disturbed``, where so many ``seconds`` between starts and stops were timed.

        The rule is that of a block. It is a share, so what may be taken grows with the seconds.
        """
        seen = self.evidence()
        busy = seen.pop("busy_seconds")
        foreign = None if busy is None else max(0.0, busy - (seen.pop("cpu_seconds") or 0.0))
        told = {name: seen[name] for name in ADDED[2:]}
        disturbed = any(
            disturbance.is_disturbed(
                foreign,
                seconds=seconds,
                cpus=max(1, self._job["threads"]),
                **told,
                **{name: on_gpu.get(name) for name in gpu.MARKS},
            )
            for on_gpu in self._gpu_seen or [{}]
        )
        return {"foreign_cpu_seconds": foreign, "disturbed": disturbed}

    def evidence(self) -> dict[str, Any]:
        """Sums over all stretches; None what the system does not tell of one."""
        columns = {name: [seen[name] for seen in self._seen] for name in ADDED}
        return {name: None if None in column else sum(column) for name, column in columns.items()}

    def _snapshot(self) -> disturbance.Snapshot:
        return disturbance.snapshot(self._job.get("affinity") or ())


def watched(session: Session, call: Callable[[], float]) -> dict[str, Any]:
    """``call`` gives its own wall seconds; the evidence is read outside of them."""
    watch = Watch(session)
    watch.start()
    seconds = call()
    watch.stop()
    return {"seconds": seconds, **watch.judged(seconds)}


def relatives_cpu_seconds() -> float:
    """CPU seconds so far of the engine and of every descendant; of ended ones, those that were waited for."""
    ended = os.times()
    total = ended.children_user + ended.children_system + (disturbance.process_cpu_seconds(os.getppid()) or 0.0)
    return total + sum((disturbance.process_cpu_seconds(pid) or 0.0) + _waited_for(pid) for pid in descendants())


def descendants(of: int | None = None) -> Iterator[int]:
    """Processes that live now; none where the system does not list them."""
    for path in Path(f"/proc/{of or 'self'}/task").glob("*/children"):
        try:
            pids = [int(word) for word in path.read_text().split()]
        except OSError:  # a thread that has just ended
            continue
        for pid in pids:
            yield pid
            yield from descendants(pid)


def _waited_for(pid: int) -> float:
    """CPU seconds of a process's children that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0  # it ended meanwhile, and its parent has its time
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
