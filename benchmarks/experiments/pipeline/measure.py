"""Ask one stack of each framework, alone, for epochs from each feed."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import each, representatives
from benchmarks.experiments.pipeline.schema import Value, unlike

# ``seconds`` that the slowest feed may take for an epoch, with ``most`` steps (None: a whole epoch), and how many
# ``epochs`` from each feed. Where the time does not suffice the epoch is cut, and the report says so.
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"seconds": 0.1, "most": 8, "epochs": 2},
    "quick": {"seconds": 3.0, "most": 400, "epochs": 3},
    "full": {"seconds": 120.0, "most": None, "epochs": 3},
}
FEEDS = 4  # each with an epoch of training and one of loading alone, at most as long
SETTING_UP = 20.0  # seconds of start and of the pilot
SLOWER = 1.5  # than with data resident, a feed on average


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    from benchmarks.engine.estimate import step_seconds

    size, workload = SIZES[plan.options.profile], entry.sized
    if planned not in representatives(entry.runnable()):
        return 0.0
    recipe = workload.recipe(plan.options.recipe)
    examples = recipe.train_examples or workload.dataset.train_examples
    steps = workload.steps(examples)
    epochs: int = size["epochs"] + 1
    epoch: float = min(size["seconds"], SLOWER * step_seconds(entry) * min(steps, size["most"] or steps))
    return SETTING_UP + 2 * FEEDS * epochs * epoch


def measure(ctx: Context, entry: Entry) -> None:
    def ask(launch: Launch) -> dict[str, Any]:
        framework, size = launch.stack.framework, SIZES[ctx.request.profile]
        # Whole epochs of all feeds may take longer together than what one request may; starts come on top.
        timeout = launch.timeout + 4 * FEEDS * (size["epochs"] + 1) * size["seconds"]
        value = launch.ask(f"{__package__}.worker", timeout=timeout, framework=framework, **size)
        if wrong := list(unlike(Value.model_validate(value))):
            raise WorkerError("parity_failed", "; ".join(wrong))
        return value

    each(ctx, entry, "pipeline", ask, among=representatives(entry.runnable()))
