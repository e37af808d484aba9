"""Time the steps of a worker that is alone on the machine: first step, warm-up, blocks with their evidence."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.rounds import GPU_LEAD_IN
from benchmarks.engine.workers import Launch
from benchmarks.machine import gpu
from benchmarks.machine.disturbance import is_disturbed


def time_steps(ctx: Context, launch: Launch, *, blocks: int) -> dict[str, Any]:
    """``settled`` and ``blocks`` (as :class:`benchmarks.experiments.timed.Timed`) of a worker that has built."""
    profile, ask = ctx.profile, launch.ask
    ask("first_step")
    warm = ask(
        "warm_up",
        floor_seconds=profile.warm_floor,
        ceiling_seconds=profile.warm_ceiling,
        windows=profile.warm_windows,
    )
    launch.step_seconds = median(warm["window_seconds"][-profile.warm_windows :]) / warm["window_steps"]
    return {"settled": warm["settled"], "blocks": [_block(ctx, launch) for _ in range(blocks)]}


def _block(ctx: Context, launch: Launch) -> dict[str, Any]:
    cuda = launch.stack.device == "cuda"
    lead = GPU_LEAD_IN if cuda else 0.0
    launch.ask("lead_in", steps=ctx.profile.lead_in, seconds=lead)
    gpu_before = gpu.before() if cuda else None
    own_before = time.process_time()
    answer = launch.ask("block", steps=ctx.profile.steps(launch.step_seconds))
    busy, own, parent = answer.get("busy_seconds"), answer["cpu_seconds"], time.process_time() - own_before
    foreign = None if busy is None else max(0.0, busy - own - parent)
    seen = gpu.evidence(gpu_before, own=[launch.process.pid]) if cuda else {}
    disturbed = is_disturbed(
        foreign,
        seconds=answer["seconds"],
        cpus=max(1, launch.job["threads"]),
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
