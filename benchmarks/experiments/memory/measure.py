"""Ask each stack, alone, for its high-water marks; on a GPU double the batch until the device refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.answering import each, fresh
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running

STEPS = 20
LARGEST = 1 << 20  # samples: beyond it nothing is learned


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    return 10.0 if planned.stack.device == "cpu" else 60.0


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    def ask(r: Running) -> dict[str, Any]:
        value = r.worker.ask("part", limit=run.limit, part="memory", steps=STEPS)
        if r.planned.stack.device == "cuda":
            value |= _largest(run, entry, workload, r.planned)
        return value

    each(run, entry, workload, "memory", ask)


def _largest(run: Run, entry: Entry, workload: Workload, planned: Planned) -> dict[str, int | None]:
    """Doubling in fresh processes, because a failed allocation leaves a process in an unknown state."""
    size, largest = entry.batch_size, entry.batch_size
    while size < LARGEST:
        size *= 2
        try:
            with fresh(run, entry, workload, planned, "memory", batch_size=size) as r:
                r.worker.ask("part", limit=run.limit, part="memory", steps=1)
        except WorkerError as error:
            if error.status == "out_of_memory":
                return {"largest_batch": largest, "refused_batch": size}
            raise
        largest = size
    return {"largest_batch": largest, "refused_batch": None}
