"""Time the steps of a worker that is alone on the machine: first step, warm-up, blocks with their evidence."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.engine.rounds import GPU_LEAD_IN
from benchmarks.machine import gpu
from benchmarks.machine.disturbance import is_disturbed

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running


def time_steps(run: Run, r: Running, *, blocks: int) -> dict[str, Any]:
    """``settled`` and ``blocks`` (as :class:`benchmarks.experiments.timed.Timed`) of a worker that has built."""
    profile, ask = run.profile, r.worker.ask
    ask("first_step", limit=run.limit)
    warm = ask(
        "warm_up",
        limit=run.limit,
        floor_seconds=profile.warm_floor,
        ceiling_seconds=profile.warm_ceiling,
        windows=profile.warm_windows,
    )
    r.step_seconds = median(warm["window_seconds"][-profile.warm_windows :]) / warm["window_steps"]
    return {"settled": warm["settled"], "blocks": [_block(run, r) for _ in range(blocks)]}


def _block(run: Run, r: Running) -> dict[str, Any]:
    cuda = r.planned.stack.device == "cuda"
    lead = GPU_LEAD_IN if cuda else 0.0
    r.worker.ask("lead_in", limit=run.limit, steps=run.profile.lead_in, seconds=lead)
    gpu_before = gpu.before() if cuda else None
    own_before = time.process_time()
    answer = r.worker.ask("block", limit=run.limit, steps=run.profile.steps(r.step_seconds))
    busy, own, parent = answer.get("busy_seconds"), answer["cpu_seconds"], time.process_time() - own_before
    foreign = None if busy is None else max(0.0, busy - own - parent)
    seen = gpu.evidence(gpu_before, own=[r.worker.pid]) if cuda else {}
    disturbed = is_disturbed(
        foreign,
        seconds=answer["seconds"],
        cpus=max(1, r.job["threads"]),
        **{name: seen.get(name) for name in gpu.MARKS},
        **{name: answer.get(name) for name in ("steal_seconds", "throttled_seconds", "cpu_throttles")},
    )
    return {
        "seconds": answer["seconds"],
        "steps": answer["steps"],
        "cpu_seconds": own,
        "foreign_cpu_seconds": foreign,
        "disturbed": disturbed,
    }
