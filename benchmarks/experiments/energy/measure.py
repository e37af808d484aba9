"""Ask each stack, alone, for what the energy counters count; where there are none no process is started."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.workers import Launch
from benchmarks.errors import Unavailable
from benchmarks.experiments.answering import each, unanswered
from benchmarks.experiments.energy.schema import LEAST
from benchmarks.experiments.turns import refuse
from benchmarks.machine.energy_counters import counters

WINDOWS = {"smoke": 0.4, "quick": 1.02 * LEAST, "full": 2 * LEAST}  # seconds, each of idle and load


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    from benchmarks.engine.estimate import START_SECONDS

    if missing(planned.stack.device):
        return 0.0
    return START_SECONDS + 2.3 * WINDOWS[plan.options.profile]


def measure(ctx: Context, entry: Entry) -> None:
    for device in ctx.request.devices:
        if why := missing(device):
            refuse(ctx, entry, "energy", [p for p in unanswered(ctx, entry, "energy") if p.stack.device == device], why)

    def ask(launch: Launch) -> dict[str, Any]:
        seconds, device = WINDOWS[ctx.request.profile], launch.stack.device
        return launch.ask(f"{__package__}.worker", window_seconds=seconds, device=device)

    each(ctx, entry, "energy", ask)


def missing(device: str) -> str:
    """Why nothing can be counted for stacks on ``device``; empty where it can."""
    try:
        counters(device)
    except Unavailable as error:
        return str(error)
    return ""
