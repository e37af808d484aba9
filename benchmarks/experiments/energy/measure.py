"""Ask each stack, alone, for what the energy counters count; where there are none no process is started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.errors import Unavailable
from benchmarks.experiments.answering import each, unanswered
from benchmarks.experiments.energy.schema import LEAST
from benchmarks.experiments.turns import refuse
from benchmarks.machine.energy_counters import counters
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running

WINDOWS = {"smoke": 0.4, "quick": 1.02 * LEAST, "full": 2 * LEAST}  # seconds, each of idle and load


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    from benchmarks.engine.estimate import START_SECONDS

    if missing(planned.stack.device):
        return 0.0
    return START_SECONDS + 2.3 * WINDOWS[plan.options.profile]


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    for device in run.options.devices:
        if why := missing(device):
            refuse(run, entry, "energy", [p for p in unanswered(run, entry, "energy") if p.stack.device == device], why)

    def ask(r: Running) -> dict[str, Any]:
        seconds, device = WINDOWS[run.options.profile], r.planned.stack.device
        return r.worker.ask("part", limit=run.limit, part="energy", window_seconds=seconds, device=device)

    each(run, entry, workload, "energy", ask)


def missing(device: str) -> str:
    """Why nothing can be counted for stacks on ``device``; empty where it can."""
    try:
        counters(device)
    except Unavailable as error:
        return str(error)
    return ""
