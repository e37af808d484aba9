"""Ask each CPU stack for its step time with 1, 2, 4, ... threads, every launch a fresh process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.estimate import COMPILE_SECONDS, FLOPS, START_SECONDS, STEP_OVERHEAD, multiply_accumulates
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.answering import keep, unanswered
from benchmarks.experiments.sweep_threads.schema import counts
from benchmarks.experiments.timing import time_steps
from benchmarks.protocol.profiles import PROFILES


@dataclass(frozen=True)
class Amounts:
    launches: int
    blocks: int


AMOUNTS = {"smoke": Amounts(1, 2), "quick": Amounts(2, 3), "full": Amounts(3, 5)}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    if planned.stack.device != "cpu":
        return 0.0
    amounts, profile = AMOUNTS[plan.options.profile], PROFILES[plan.options.profile]
    work = 6 * entry.batch_size * multiply_accumulates(entry.declared) / FLOPS
    compiling = COMPILE_SECONDS["warm"] if planned.stack.known.caches else 0.0
    total = 0.0
    for threads in counts(plan.options.threads):
        step = work * plan.options.threads / threads + STEP_OVERHEAD
        block = max(profile.block_seconds, profile.steps(step) * step) + profile.lead_in * step
        total += START_SECONDS + compiling + 2 * profile.warm_floor + amounts.blocks * block
    return total * amounts.launches


def measure(ctx: Context, entry: Entry) -> None:
    for planned in unanswered(ctx, entry, "sweep_threads"):

        def find(planned: Planned = planned) -> dict[str, Any]:
            if planned.stack.device != "cpu":
                raise WorkerError("unavailable", "this sweep is over the threads of a CPU; the stack runs on a GPU")
            return _sweep(ctx, entry, planned)

        keep(ctx, entry, "sweep_threads", planned, find)


def _sweep(ctx: Context, entry: Entry, planned: Planned) -> dict[str, Any]:
    """Launches of all counts by turns, every second turn the other way round, so that drift favours none."""
    amounts = AMOUNTS[ctx.request.profile]
    found: dict[int, dict[str, Any]] = {
        n: {"threads": n, "status": "ok", "launches": []} for n in counts(ctx.request.threads)
    }
    for index in range(amounts.launches):
        for threads in list(found)[:: -1 if index % 2 else 1]:
            mine = found[threads]
            if mine["status"] != "ok":
                continue
            ctx.report(f"{entry.key}  sweep threads  {planned.stack.label}  {threads} threads, launch {index + 1}")
            try:
                with ctx.workers.fresh(entry, planned, "sweep_threads", threads=threads) as launch:
                    launch.ask("build")
                    mine["launches"].append({"launch": index, **time_steps(ctx, launch, blocks=amounts.blocks)})
            except WorkerError as error:
                mine |= {"status": error.status, "reason": ctx.workers.redact(error.reason)}
    if all(c["status"] != "ok" for c in found.values()):
        first = found[1]
        raise WorkerError(first["status"], first["reason"])
    return {"batch_size": entry.batch_size, "counts": list(found.values())}
