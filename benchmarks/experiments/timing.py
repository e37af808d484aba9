"""Time the steps of a worker that is alone on the machine: first step, warm-up, blocks with their evidence."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.timed_block import timed_block
from benchmarks.engine.workers import Launch


def time_steps(ctx: Context, launch: Launch, *, blocks: int) -> dict[str, Any]:
    """``settled`` and ``blocks`` (as :class:`benchmarks.schema.samples.Block`) of a worker that has built."""
    profile, ask = ctx.profile, launch.ask
    ask("first_step")
    warm = ask(
        "warm_up",
        floor_seconds=profile.warm_floor,
        ceiling_seconds=profile.warm_ceiling,
        windows=profile.warm_windows,
    )
    once = median(warm["window_seconds"][-profile.warm_windows :]) / warm["window_steps"]
    steps, lead_in = profile.steps(once), profile.lead_in
    timed = [timed_block(launch, steps=steps, lead_in=lead_in) for _ in range(blocks)]
    return {"settled": warm["settled"], "blocks": [block.model_dump(mode="json") for block in timed]}
