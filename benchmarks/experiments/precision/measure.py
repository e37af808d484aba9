"""Ask each stack for step times, the probe and one training in every precision, every launch a fresh process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import tasks
from benchmarks.engine.context import Context
from benchmarks.engine.estimate import COMPILE_SECONDS, FLOPS, START_SECONDS, STEP_OVERHEAD, multiply_accumulates
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import keep, unanswered
from benchmarks.experiments.precision.schema import OFFERED
from benchmarks.experiments.timing import time_steps
from benchmarks.protocol.profiles import PROFILES
from benchmarks.workload import Accepted

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
    amounts, profile = AMOUNTS[plan.options.profile], PROFILES[plan.options.profile]
    step = 6 * entry.batch_size * multiply_accumulates(entry.declared) / FLOPS + STEP_OVERHEAD
    block = max(profile.block_seconds, profile.steps(step) * step) + profile.lead_in * step
    compiling = 2 * COMPILE_SECONDS["warm"] if planned.stack.known.caches else 0.0
    launch = START_SECONDS + compiling + 2 * profile.warm_floor + amounts.blocks * block
    training = min(amounts.longest, step * _steps(entry, plan.options.recipe, None))
    return len(OFFERED[planned.stack.device]) * (amounts.launches * launch + training)


def _steps(entry: Entry, name: str, examples: int | None) -> int:
    """Of a training by the recipe ``name``, where the data hold so many ``examples`` (None: as declared)."""
    sized = entry.sized
    recipe = sized.recipe(name)
    return recipe.epochs * sized.steps(examples or recipe.train_examples or sized.dataset.train_examples)


def measure(ctx: Context, entry: Entry) -> None:
    for planned in unanswered(ctx, entry, "precision"):

        def find(planned: Planned = planned) -> dict[str, Any]:
            return _stack(ctx, entry, planned)

        keep(ctx, entry, "precision", planned, find)


def _stack(ctx: Context, entry: Entry, planned: Planned) -> dict[str, Any]:
    """Launches of all precisions by turns, every second turn the other way round, so that drift favours none."""
    offered = OFFERED[planned.stack.device]
    found: dict[str, dict[str, Any]] = {p: {"precision": p, "status": "ok", "launches": []} for p in offered}
    for index in range(AMOUNTS[ctx.request.profile].launches):
        for precision in offered[:: -1 if index % 2 else 1]:
            mine = found[precision]
            if mine["status"] != "ok":
                continue
            ctx.report(f"{entry.key}  precision  {planned.stack.label}  {precision}, launch {index + 1}")
            words: dict[str, Any] = {"precision": precision, "environment": ENVIRONMENT.get(precision)}
            try:
                with ctx.workers.fresh(entry, planned, "precision", **words) as launch:
                    mine["launches"].append({"launch": index, **_launch(ctx, launch)})
                    if index == 0:
                        mine |= _train(ctx, entry, launch, mine["launches"][0])
            except WorkerError as error:
                mine |= {"status": error.status, "reason": ctx.workers.redact(error.reason)}
    if all(a["status"] != "ok" for a in found.values()):
        first = found["float32"]
        raise WorkerError(first["status"], first["reason"])
    return {"batch_size": entry.batch_size, "precisions": list(found.values())}


def _launch(ctx: Context, launch: Launch) -> dict[str, Any]:
    launch.ask("build")
    timed = time_steps(ctx, launch, blocks=AMOUNTS[ctx.request.profile].blocks)
    return timed | launch.ask(f"{__package__}.worker", framework=launch.stack.framework)


def _train(ctx: Context, entry: Entry, launch: Launch, timed: dict[str, Any]) -> dict[str, Any]:
    """``trained``, or ``untrained`` with the reason where it would take too long."""
    workload = entry.sized
    recipe, seed = workload.recipe(ctx.request.recipe), ctx.request.seed
    step = min(b["seconds"] / b["steps"] for b in timed["blocks"])
    data, longest = ctx.data(entry), AMOUNTS[ctx.request.profile].longest
    steps = _steps(entry, recipe.name, data.train_examples)
    expected = step * steps
    if expected > longest:
        return {"untrained": f"training would take about {expected:.0f} s, more than the {longest:g} s allowed"}
    curve: list[dict[str, Any]] = []
    answer = launch.ask("train", timeout=launch.timeout * recipe.epochs, event=curve.append, recipe=recipe.name)
    if answer["sample_order"] != tasks.epoch_digest(tasks.task(workload, ctx.workers.inputs, seed), recipe.epochs):
        raise WorkerError("parity_failed", "the samples were not trained in the declared order")
    if answer["metric"] is None:
        return {"untrained": "training ended without a finite metric"}
    accepted, low, high = recipe.accepted, None, None
    if isinstance(accepted, Accepted) and entry.batch_size == entry.declared.batch_size:
        low, high = (None, None) if accepted.elsewhere(data.corpus) else (accepted.low, accepted.high)
    trained = {"recipe": recipe.name, "seed": seed, "metric": answer["metric"], "also": answer["also"]}
    return {"trained": {**trained, "curve": [p["metric"] for p in curve], "low": low, "high": high}}
