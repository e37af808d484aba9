"""Ask one stack of each framework, alone, for epochs from each feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.answering import each, representatives
from benchmarks.launch import WorkerError
from benchmarks.parts.pipeline.schema import Value, unlike
from benchmarks.plan import Entry, Plan, Planned
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.run import Run, Running

PREFERRED = {"torch": "eager", "tensorflow": "graph", "tensorlayerx": "graph"}

# ``seconds`` of an epoch with data resident, about, in at most ``most`` steps; and how many ``epochs`` from each feed.
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"seconds": 0.1, "most": 8, "epochs": 2},
    "quick": {"seconds": 2.0, "most": 400, "epochs": 3},
    "full": {"seconds": 5.0, "most": 1_000, "epochs": 5},
}
FEEDS = 4  # each with an epoch of training and one of loading alone, about as long
SETTING_UP = 15.0  # seconds of start and first epochs


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    size = SIZES[plan.options.profile]
    asked = planned in representatives(entry.runnable(), PREFERRED)
    return SETTING_UP + 2.5 * FEEDS * size["epochs"] * size["seconds"] if asked else 0.0


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    def ask(r: Running) -> dict[str, Any]:
        framework, size = r.planned.stack.framework, SIZES[run.options.profile]
        value = r.worker.ask("part", limit=run.limit, part="pipeline", framework=framework, **size)
        if wrong := list(unlike(Value.model_validate(value))):
            raise WorkerError("parity_failed", "; ".join(wrong))
        return value

    each(run, entry, workload, "pipeline", ask, among=representatives(entry.runnable(), PREFERRED))
