"""Time the steps of a worker that is alone on the machine: first step, warm-up, blocks with their evidence."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.phases import warm_up
from benchmarks.engine.timed_block import timed_block
from benchmarks.engine.workers import Launch


def time_steps(ctx: Context, launch: Launch, *, blocks: int) -> dict[str, Any]:
    """``settled`` and ``blocks`` (as :class:`benchmarks.schema.samples.Block`) of a worker that has built."""
    launch.ask("first_step")
    warm = warm_up(ctx, launch)
    steps, lead_in = ctx.profile.steps(launch.step_seconds), ctx.profile.lead_in
    timed = [timed_block(launch, steps=steps, lead_in=lead_in) for _ in range(blocks)]
    return {"settled": warm["settled"], "blocks": [block.model_dump(mode="json") for block in timed]}
