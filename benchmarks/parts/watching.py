"""Evidence around what a part times as a whole: a clock inside the worker, and the judgement by its parent.

A launch in which something compiles has children; the CPU they use is the run's own.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import disturbance, gpu

if TYPE_CHECKING:
    from benchmarks.run import Run, Running

ADDED = ("busy_seconds", "cpu_seconds", "steal_seconds", "throttled_seconds", "cpu_throttles")


class Watch:
    """A clock inside a worker that can be stopped; what happens while it stands still counts for nothing.

    ``cpus`` are those whose busy time is looked at (the run's own); empty: all.
    """

    def __init__(self, cpus: Collection[int] = ()) -> None:
        self.seconds, self._cpus = 0.0, tuple(cpus)
        self._seen: list[dict[str, Any]] = []

    def start(self) -> None:
        self._children = descendants_cpu_seconds()
        self._before = disturbance.snapshot(self._cpus)
        self._start = time.perf_counter()

    def stop(self) -> None:
        """The device must have been synchronised."""
        self.seconds += time.perf_counter() - self._start
        seen: dict[str, Any] = dict(disturbance.difference(self._before, disturbance.snapshot(self._cpus)))
        seen["cpu_seconds"] += max(0.0, descendants_cpu_seconds() - self._children)
        self._seen.append(seen)

    def evidence(self) -> dict[str, float | None]:
        """Over all stretches: CPU seconds of the machine and of this process with its children, steal, throttling."""
        columns = {name: [seen[name] for seen in self._seen] for name in ADDED}
        return {name: None if None in column else sum(column) for name, column in columns.items()}


def ask(run: Run, r: Running, *, limit: float, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask the worker's part; its answer, and the evidence that it took from it, ready for :func:`judge`."""
    before = time.process_time()
    answer = r.worker.ask("part", limit=limit, **fields)
    evidence = answer.pop("evidence") | {"parent_cpu_seconds": time.process_time() - before}
    if r.planned.stack.device == "cuda":
        evidence |= {"gpu_throttle_reasons": gpu.evidence().get("gpu_throttle_reasons")}
    return answer, evidence


def judge(evidence: dict[str, Any], seconds: float, *, cpus: int) -> dict[str, Any]:
    """The fields of :class:`benchmarks.parts.watched.Watched` for so many timed ``seconds``.

    The rule is that of a block. It is a share, so what may be taken grows with the seconds.
    """
    busy, own = evidence["busy_seconds"], evidence["cpu_seconds"] + evidence["parent_cpu_seconds"]
    foreign = None if busy is None else max(0.0, busy - own)
    told = ("steal_seconds", "throttled_seconds", "cpu_throttles", "gpu_throttle_reasons")
    disturbed = disturbance.is_disturbed(
        foreign, seconds=seconds, cpus=cpus, **{name: evidence.get(name) for name in told}
    )
    return {"foreign_cpu_seconds": foreign, "disturbed": disturbed}


def descendants_cpu_seconds() -> float:
    """CPU seconds of every process that this one started, and those in turn; 0 where the system has no /proc.

    Of children that ended, those count that their parent waited for.
    """
    import os

    own, ticks, parents = os.getpid(), {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile, and its parent has its time
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        ticks[pid] = [int(field) for field in fields[11:15]]  # user, system, and both of children waited for
    family = {own}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    total = sum(sum(ticks[pid]) for pid in family - {own}) + sum(ticks.get(own, [])[2:])
    return total / os.sysconf("SC_CLK_TCK") if total else 0.0
