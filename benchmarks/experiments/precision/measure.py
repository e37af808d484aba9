"""Ask each stack for step times, the probe and one training in every precision, every launch a fresh process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import tasks
from benchmarks.engine.estimate import COMPILE_SECONDS, FLOPS, START_SECONDS, STEP_OVERHEAD, multiply_accumulates
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.answering import fresh, keep, unanswered
from benchmarks.experiments.precision.schema import OFFERED
from benchmarks.experiments.timing import time_steps
from benchmarks.protocol.profiles import PROFILES
from benchmarks.workload import Accepted, Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running

# The libraries' own switch overrules the frameworks' flags, and workers have it at 0: never TF32.
ENVIRONMENT: Mapping[str, Mapping[str, str]] = {"tf32": {"NVIDIA_TF32_OVERRIDE": "1"}}


@dataclass(frozen=True)
class Amounts:
    """``longest``: seconds a training may be expected to take; what would take longer is not trained, and says so."""

    launches: int
    blocks: int
    longest: float


AMOUNTS = {"smoke": Amounts(1, 2, 30.0), "quick": Amounts(2, 3, 150.0), "full": Amounts(3, 5, 3600.0)}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    amounts, profile, workload = AMOUNTS[plan.options.profile], PROFILES[plan.options.profile], entry.load()
    step = 6 * entry.batch_size * multiply_accumulates(workload) / FLOPS + STEP_OVERHEAD
    block = max(profile.block_seconds, profile.steps(step) * step) + profile.lead_in * step
    compiling = 2 * COMPILE_SECONDS["warm"] if planned.stack.known.caches else 0.0
    launch = START_SECONDS + compiling + 2 * profile.warm_floor + amounts.blocks * block
    training = min(amounts.longest, step * _steps(entry, workload, plan.options.recipe, None))
    return len(OFFERED[planned.stack.device]) * (amounts.launches * launch + training)


def _steps(entry: Entry, workload: Workload, name: str, examples: int | None) -> int:
    """Of a training by the recipe ``name``, where the data hold so many ``examples`` (None: as declared)."""
    recipe = workload.recipe(name)
    sized = dataclasses.replace(workload, batch_size=entry.batch_size)
    return recipe.epochs * sized.steps(examples or recipe.train_examples or workload.dataset.train_examples)


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    for planned in unanswered(run, entry, "precision"):

        def find(planned: Planned = planned) -> dict[str, Any]:
            return _stack(run, entry, workload, planned)

        keep(run, entry, "precision", planned, find)


def _stack(run: Run, entry: Entry, workload: Workload, planned: Planned) -> dict[str, Any]:
    """Launches of all precisions by turns, every second turn the other way round, so that drift favours none."""
    offered = OFFERED[planned.stack.device]
    found: dict[str, dict[str, Any]] = {p: {"precision": p, "status": "ok", "launches": []} for p in offered}
    for launch in range(AMOUNTS[run.options.profile].launches):
        for precision in offered[:: -1 if launch % 2 else 1]:
            mine = found[precision]
            if mine["status"] != "ok":
                continue
            run.say(f"{entry.key}  precision  {planned.stack.label}  {precision}, launch {launch + 1}")
            words: dict[str, Any] = {"precision": precision, "environment": ENVIRONMENT.get(precision)}
            try:
                with fresh(run, entry, workload, planned, "precision", **words) as r:
                    mine["launches"].append({"launch": launch, **_launch(run, r)})
                    if launch == 0:
                        mine |= _train(run, entry, workload, r, mine["launches"][0])
            except WorkerError as error:
                mine |= {"status": error.status, "reason": run.clean(error.reason)}
    if all(a["status"] != "ok" for a in found.values()):
        first = found["float32"]
        raise WorkerError(first["status"], first["reason"])
    return {"batch_size": entry.batch_size, "precisions": list(found.values())}


def _launch(run: Run, r: Running) -> dict[str, Any]:
    r.worker.ask("build", limit=run.limit)
    timed = time_steps(run, r, blocks=AMOUNTS[run.options.profile].blocks)
    return timed | r.worker.ask("part", limit=run.limit, part="precision", framework=r.planned.stack.framework)


def _train(run: Run, entry: Entry, workload: Workload, r: Running, timed: dict[str, Any]) -> dict[str, Any]:
    """``trained``, or ``untrained`` with the reason where it would take too long."""
    recipe, seed = workload.recipe(run.options.recipe), run.options.seed
    step = min(b["seconds"] / b["steps"] for b in timed["blocks"])
    data = run.journal.of("data", key=entry.key)[-1]["data"]
    steps, longest = _steps(entry, workload, recipe.name, data["train_examples"]), AMOUNTS[run.options.profile].longest
    expected = step * steps
    if expected > longest:
        return {"untrained": f"training would take about {expected:.0f} s, more than the {longest:g} s allowed"}
    curve: list[dict[str, Any]] = []
    limit = run.limit * recipe.epochs
    answer = r.worker.ask("train", limit=limit, event=curve.append, recipe=recipe.name)
    if answer["sample_order"] != tasks.epoch_digest(tasks.task(workload, run.inputs, seed), recipe.epochs):
        raise WorkerError("parity_failed", "the samples were not trained in the declared order")
    if answer["metric"] is None:
        return {"untrained": "training ended without a finite metric"}
    accepted, low, high = recipe.accepted, None, None
    if isinstance(accepted, Accepted) and entry.batch_size == entry.load().batch_size:
        low, high = (None, None) if accepted.elsewhere(data.get("corpus")) else (accepted.low, accepted.high)
    trained = {"recipe": recipe.name, "seed": seed, "metric": answer["metric"], "also": answer["also"]}
    return {"trained": {**trained, "curve": [p["metric"] for p in curve], "low": low, "high": high}}
