"""Profile a few steps of each stack in a worker of its own, so that profiling touches no other measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.experiments.answering import each
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running

# Seconds of steps to profile, steps at most (traces grow with them), seconds of warm-up at most.
AMOUNTS = {"smoke": (0.02, 8, 0.1), "quick": (0.5, 40, 3.0), "full": (1.0, 80, 6.0)}
START_SECONDS = 10.0  # and reading what the profiler wrote
COMPILE_SECONDS = 30.0


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    profiled, _, warm = AMOUNTS[plan.options.profile]
    return START_SECONDS + 5 * profiled + warm + (COMPILE_SECONDS if planned.stack.known.caches else 0.0)


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    profiled, most, warm = AMOUNTS[run.options.profile]

    def ask(r: Running) -> dict[str, Any]:
        trace = run.folder / "traces" / f"{entry.slug(r.planned)}.json.gz"
        trace.parent.mkdir(exist_ok=True)
        value: dict[str, Any] = r.worker.ask(
            "part",
            limit=run.limit,
            part="profile",
            framework=r.planned.stack.framework,
            seconds=profiled,
            most=most,
            warm=warm,
            trace=str(trace.resolve()),
        )
        return value | {"batch_size": entry.batch_size, "trace": f"traces/{trace.name}"}

    each(run, entry, workload, "profile", ask)
