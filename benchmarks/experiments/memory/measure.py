"""Ask each stack, alone, for its high-water marks; on a GPU double the batch until the device refuses."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import each

STEPS = 20
LARGEST = 1 << 20  # samples: beyond it nothing is learned


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    return 10.0 if planned.stack.device == "cpu" else 60.0


def measure(ctx: Context, entry: Entry) -> None:
    def ask(launch: Launch) -> dict[str, Any]:
        value = launch.ask(f"{__package__}.worker", steps=STEPS)
        if launch.stack.device == "cuda":
            value |= _largest(ctx, entry, launch.planned)
        return value

    each(ctx, entry, "memory", ask)


def _largest(ctx: Context, entry: Entry, planned: Planned) -> dict[str, int | None]:
    """Doubling in fresh processes, because a failed allocation leaves a process in an unknown state."""
    size, largest = entry.batch_size, entry.batch_size
    while size < LARGEST:
        size *= 2
        try:
            with ctx.workers.fresh(entry, planned, "memory", batch_size=size) as launch:
                launch.ask(f"{__package__}.worker", steps=1)
        except WorkerError as error:
            if error.status == "out_of_memory":
                return {"largest_batch": largest, "refused_batch": size}
            raise
        largest = size
    return {"largest_batch": largest, "refused_batch": None}
