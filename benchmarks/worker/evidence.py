"""Inside a worker: the one clock that counts what else runs, for blocks, calls, launches and trainings alike.

The run's own processes are not foreign: this one, the engine that started it, the run's other workers, which the
request names as ``others``, and what this one starts itself, loaders and compilers, down to their children. CPU time is
counted on the CPUs that the stack was given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from benchmarks.machine import counters, gpu
from benchmarks.machine.cgroup import read
from benchmarks.protocol.disturbed import is_disturbed

SUMMED = ("steal_seconds", "pressure_seconds", "involuntary_switches", "throttled_seconds", "cpu_throttles")


class Employed(Protocol):
    """A session, or whatever else knows what its worker was told."""

    job: dict[str, Any]


class Watch:
    """A clock that can be stopped; what happens while it stands still counts for nothing."""

    def __init__(self, session: Employed) -> None:
        job: Mapping[str, Any] = session.job
        self.seconds = 0.0
        self._affinity = job.get("affinity") or ()  # as it was set; a runtime that binds its threads may narrow its own
        self._cpus, self._others = max(1, job["threads"]), tuple(job.get("others") or ())
        self._cuda = job["device"] == "cuda"
        self._sums: dict[str, Any] = {}
        self._gpu: dict[str, Any] = {}
        self._stat_cpus: int | None = None

    def start(self) -> None:
        self._relatives_before = self._relatives()
        self._gpu_before = gpu.before() if self._cuda else None
        self._before = counters.snapshot(self._affinity)
        self._start = time.perf_counter()

    def stop(self) -> None:
        """The device must have been synchronised."""
        self.seconds += time.perf_counter() - self._start
        seen: dict[str, Any] = dict(counters.difference(self._before, counters.snapshot(self._affinity)))
        self._stat_cpus = seen.pop("stat_cpus")
        seen |= {name: max(0.0, now - self._relatives_before[name]) for name, now in self._relatives().items()}
        for name, value in seen.items():
            kept = self._sums.get(name, 0)
            self._sums[name] = None if kept is None or value is None else kept + value
        if self._gpu_before is not None:
            own = [os.getpid(), os.getppid(), *self._others, *descendants()]
            self._gpu = gpu.both(self._gpu, gpu.evidence(self._gpu_before, own=own))

    def sample(self) -> dict[str, Any]:
        """Fields of :class:`benchmarks.schema.samples.Sample`, over all that was timed."""
        total, busy = self._sums, self._sums["busy_seconds"]
        own = total["cpu_seconds"] + total["family"] + total["others"]
        evidence = {
            "wall_seconds": self.seconds,
            "cpus": self._cpus,
            "foreign_cpu_seconds": None if busy is None else max(0.0, busy - own),
            "stat_cpus": self._stat_cpus,
            "idle_worker_cpu_seconds": total["others"],
            **{name: total[name] for name in SUMMED},
            **self._gpu,
        }
        marked = is_disturbed(evidence, self.seconds, cpus=self._cpus)
        return {"cpu_seconds": total["cpu_seconds"], "evidence": evidence, "disturbed": marked}

    def _relatives(self) -> dict[str, float]:
        """CPU seconds so far of the engine and of what this process started, and of the run's other workers."""
        others = sum(counters.process_cpu_seconds(pid) or 0.0 for pid in self._others)
        return {"family": family_cpu_seconds(), "others": others}


def counted(session: Employed, call: Callable[[], float]) -> dict[str, Any]:
    """Fields of a sample: ``seconds`` as ``call`` answers them, and what else ran while it did."""
    watch = Watch(session)
    watch.start()
    seconds = call()
    watch.stop()
    return {"seconds": seconds, **watch.sample()}


def family_cpu_seconds() -> float:
    """CPU seconds so far of the engine and of every descendant; of ended ones, those that were waited for."""
    ended = os.times()
    total = ended.children_user + ended.children_system + (counters.process_cpu_seconds(os.getppid()) or 0.0)
    return total + sum((counters.process_cpu_seconds(pid) or 0.0) + _waited_for(pid) for pid in descendants())


def descendants(of: int | None = None) -> Iterator[int]:
    """Processes that live now; none where the system does not list them."""
    for path in Path(f"/proc/{of or 'self'}/task").glob("*/children"):
        for pid in map(int, read(path).split()):  # empty of a thread that has just ended
            yield pid
            yield from descendants(pid)


def _waited_for(pid: int) -> float:
    """CPU seconds of a process's children that ended; none of one that ended itself, whose parent has its time."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * counters.TICK if fields else 0.0
