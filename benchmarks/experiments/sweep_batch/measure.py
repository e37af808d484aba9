"""Ask each stack, in one fresh process, for blocks at one batch size after the other, the smallest first."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from benchmarks import tasks
from benchmarks.engine.context import Context
from benchmarks.engine.estimate import COMPILE_SECONDS, FLOPS, START_SECONDS, STEP_OVERHEAD, multiply_accumulates
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.experiments.answering import each
from benchmarks.experiments.sweep_batch.schema import SIZES
from benchmarks.experiments.timing import time_steps
from benchmarks.machine.computer import memory_available
from benchmarks.protocol.profiles import PROFILES

MEMORY_SHARE = 0.7  # of what is available, that a larger batch may be expected to take
GOES_ON = ("failed", "unavailable")  # statuses after which the worker still answers


@dataclass(frozen=True)
class Amounts:
    """``longest``: seconds of a step beyond which no larger batch is tried, by extrapolation from the one before."""

    blocks: int
    longest: float


AMOUNTS = {
    "smoke": Amounts(2, 1.0),
    "quick": Amounts(3, 3.0),
    "full": Amounts(5, 10.0),
}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    amounts, profile = AMOUNTS[plan.options.profile], PROFILES[plan.options.profile]
    macs, total = multiply_accumulates(entry.declared), START_SECONDS
    compiling = COMPILE_SECONDS["warm"] if planned.stack.known.caches else 0.5
    for size in SIZES[plan.options.profile]:
        step = min(6 * size * macs / FLOPS + STEP_OVERHEAD, amounts.longest)
        block = max(profile.block_seconds, profile.steps(step) * step) + profile.lead_in * step
        total += compiling + 2 * profile.warm_floor + amounts.blocks * block
    return total


def measure(ctx: Context, entry: Entry) -> None:
    each(ctx, entry, "sweep_batch", lambda launch: _sweep(ctx, entry, launch))


def _sweep(ctx: Context, entry: Entry, launch: Launch) -> dict[str, Any]:
    points: list[dict[str, Any]] = []
    ended = ""
    for size in SIZES[ctx.request.profile]:
        why = _empty(ctx, entry, size) or ended or _too_large(ctx, launch, points, size)
        if why:
            points.append({"batch_size": size, "status": "unavailable", "reason": why})
            continue
        ctx.report(f"{entry.key}  sweep batch  {launch.stack.label}  batch {size:,}")
        points.append({"batch_size": size, **_point(ctx, launch, size)})
        if points[-1]["status"] not in ("ok", *GOES_ON):
            ended = f"not tried: batch {size:,} ended the sweep ({points[-1]['status'].replace('_', ' ')})"
    if all(p["status"] != "ok" for p in points):
        worst = next((p for p in points if p["status"] != "unavailable"), points[0])
        raise WorkerError(worst["status"], f"batch {worst['batch_size']:,}: {worst['reason']}")
    return {"declared": entry.batch_size, "items": entry.declared.items, "unit": entry.declared.unit, "points": points}


def _point(ctx: Context, launch: Launch, size: int) -> dict[str, Any]:
    try:
        launch.ask(f"{__package__}.worker", batch_size=size)
        found = time_steps(ctx, launch, blocks=AMOUNTS[ctx.request.profile].blocks)
        peak = launch.ask("training_memory")["training_peak_resident"]
        return {"status": "ok", **found, "peak_resident": peak}
    except WorkerError as error:
        return {"status": error.status, "reason": ctx.workers.redact(error.reason)}


def _empty(ctx: Context, entry: Entry, size: int) -> str:
    """Why the run's data hold no two different batches of ``size``; empty where they do."""
    sized = dataclasses.replace(entry.declared, batch_size=size)
    examples = ctx.data(entry).train_examples
    if why := tasks.unfit(sized) or tasks.too_short(sized, {"train": examples}):
        return why
    if sized.steps(examples) < 2:
        return f"{examples:,} training examples do not fill two batches of {size:,}"
    return ""


def _too_large(ctx: Context, launch: Launch, points: list[dict[str, Any]], size: int) -> str:
    """Why ``size`` is not tried after what smaller ones took, both in proportion to the batch; empty where it is."""
    before = next((p for p in reversed(points) if p["status"] == "ok"), None)
    if before is None:
        return ""
    growth = size / before["batch_size"]
    longest = AMOUNTS[ctx.request.profile].longest
    step: float = min(b["seconds"] / b["steps"] for b in before["blocks"])
    if step * growth > longest:
        return f"not tried: a step would take about {step * growth:.1f} s, more than the {longest:g} s allowed"
    imported, peak = launch.hello.get("imported_resident"), before["peak_resident"]
    if launch.stack.device == "cpu" and imported and peak:
        needed, have = (peak - imported) * (growth - 1), memory_available()
        if needed > MEMORY_SHARE * have:
            return f"not tried: about {needed / 2**30:.1f} GiB more would be needed, {have / 2**30:.1f} GiB are free"
    return ""
