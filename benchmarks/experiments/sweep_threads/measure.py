"""Ask each CPU stack for its step time with 1, 2, 4, ... threads, every launch a fresh process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.engine.estimate import COMPILE_SECONDS, FLOPS, START_SECONDS, STEP_OVERHEAD, multiply_accumulates
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.answering import fresh, keep, unanswered
from benchmarks.experiments.sweep_threads.schema import counts
from benchmarks.experiments.timing import time_steps
from benchmarks.protocol.profiles import PROFILES
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run


@dataclass(frozen=True)
class Amounts:
    launches: int
    blocks: int


AMOUNTS = {"smoke": Amounts(1, 2), "quick": Amounts(2, 3), "full": Amounts(3, 5)}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    if planned.stack.device != "cpu":
        return 0.0
    amounts, profile = AMOUNTS[plan.options.profile], PROFILES[plan.options.profile]
    work = 6 * entry.batch_size * multiply_accumulates(entry.load()) / FLOPS
    compiling = COMPILE_SECONDS["warm"] if planned.stack.known.caches else 0.0
    total = 0.0
    for threads in counts(plan.options.threads):
        step = work * plan.options.threads / threads + STEP_OVERHEAD
        block = max(profile.block_seconds, profile.steps(step) * step) + profile.lead_in * step
        total += START_SECONDS + compiling + 2 * profile.warm_floor + amounts.blocks * block
    return total * amounts.launches


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    for planned in unanswered(run, entry, "sweep_threads"):

        def find(planned: Planned = planned) -> dict[str, Any]:
            if planned.stack.device != "cpu":
                raise WorkerError("unavailable", "this sweep is over the threads of a CPU; the stack runs on a GPU")
            return _sweep(run, entry, workload, planned)

        keep(run, entry, "sweep_threads", planned, find)


def _sweep(run: Run, entry: Entry, workload: Workload, planned: Planned) -> dict[str, Any]:
    """Launches of all counts by turns, every second turn the other way round, so that drift favours none."""
    amounts = AMOUNTS[run.options.profile]
    found: dict[int, dict[str, Any]] = {
        n: {"threads": n, "status": "ok", "launches": []} for n in counts(run.options.threads)
    }
    for launch in range(amounts.launches):
        for threads in list(found)[:: -1 if launch % 2 else 1]:
            mine = found[threads]
            if mine["status"] != "ok":
                continue
            run.say(f"{entry.key}  sweep threads  {planned.stack.label}  {threads} threads, launch {launch + 1}")
            try:
                with fresh(run, entry, workload, planned, "sweep_threads", threads=threads) as r:
                    r.worker.ask("build", limit=run.limit)
                    mine["launches"].append({"launch": launch, **time_steps(run, r, blocks=amounts.blocks)})
            except WorkerError as error:
                mine |= {"status": error.status, "reason": run.clean(error.reason)}
    if all(c["status"] != "ok" for c in found.values()):
        first = found[1]
        raise WorkerError(first["status"], first["reason"])
    return {"batch_size": entry.batch_size, "counts": list(found.values())}
