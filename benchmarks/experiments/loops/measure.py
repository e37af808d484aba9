"""Ask one stack of each framework, alone, what its high-level loops cost."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError, as_declared
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import each, representatives
from benchmarks.experiments.loops.schema import TOLERANCE, Value

# ``seconds`` of a timed call of the bare loop at least, how many ``calls`` of each loop, and the ``most`` steps of an
# epoch (always in eights, as many as Keras is told to take at once).
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"seconds": 0.05, "calls": 2, "most": 8},
    "quick": {"seconds": 1.0, "calls": 5, "most": 200},
    "full": {"seconds": 2.0, "calls": 10, "most": 400},
}
LOOPS = 3  # of a framework, roughly, each a little slower than the bare one
SETTING_UP = 25.0  # seconds of start, proof and first calls


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    size = SIZES[plan.options.profile]
    asked = planned in representatives(entry.runnable())
    return SETTING_UP + 1.5 * LOOPS * size["calls"] * size["seconds"] if asked else 0.0


def measure(ctx: Context, entry: Entry) -> None:
    def ask(launch: Launch) -> dict[str, Any]:
        framework, size = launch.stack.framework, SIZES[ctx.request.profile]
        proof = ctx.profile.certified(entry.batch_size)
        answer = launch.ask(f"{__package__}.worker", framework=framework, proof_batch=proof, **size)
        value = as_declared(Value, answer)
        for loop in value.loops[1:]:
            if loop.error is None or loop.error > TOLERANCE:
                error = "not finite" if loop.error is None else f"{loop.error:.1e}"
                raise WorkerError(
                    "parity_failed",
                    f"after {value.proof_steps} steps the tensors of {loop.name} are not those of the bare loop: "
                    f"error {error}, tolerance {TOLERANCE:.0e}",
                )
        return answer

    each(ctx, entry, "loops", ask, among=representatives(entry.runnable()))
