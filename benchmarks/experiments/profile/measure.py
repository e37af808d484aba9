"""Profile a few steps of each stack in a worker of its own, so that profiling touches no other measurement."""

from __future__ import annotations

from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import each

# Seconds of steps to profile, steps at most (traces grow with them), seconds of warm-up at most.
AMOUNTS = {"smoke": (0.02, 8, 0.1), "quick": (0.5, 40, 3.0), "full": (1.0, 80, 6.0)}
START_SECONDS = 10.0  # and reading what the profiler wrote
COMPILE_SECONDS = 30.0


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    profiled, _, warm = AMOUNTS[plan.options.profile]
    return START_SECONDS + 5 * profiled + warm + (COMPILE_SECONDS if planned.stack.known.caches else 0.0)


def measure(ctx: Context, entry: Entry) -> None:
    profiled, most, warm = AMOUNTS[ctx.request.profile]

    def ask(launch: Launch) -> dict[str, Any]:
        trace = ctx.folder / "traces" / f"{entry.slug(launch.planned)}.json.gz"
        trace.parent.mkdir(exist_ok=True)
        value: dict[str, Any] = launch.ask(
            f"{__package__}.worker",
            framework=launch.stack.framework,
            seconds=profiled,
            most=most,
            warm=warm,
            trace=str(trace.resolve()),
        )
        return value | {"batch_size": entry.batch_size, "trace": f"traces/{trace.name}"}

    each(ctx, entry, "profile", ask)
