"""Accuracy: train the recipe on the chosen stacks, every seed in a process alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import tasks
from benchmarks.engine.assemble import rows
from benchmarks.engine.context import Context
from benchmarks.engine.journal import EpochTrained, TrainingBegun, TrainingEnded
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.engine.workers import Launch
from benchmarks.schema.results import CurvePoint, Training


def train_all(ctx: Context, entry: Entry) -> None:
    """Every training that the journal does not hold yet."""

    def started() -> Iterator[tuple[Launch, int]]:
        for planned in trained(ctx, entry):
            for seed in range(ctx.request.seed, ctx.request.seed + ctx.request.accuracy_seeds):
                row = entry.row(planned)
                if ctx.journal.of(TrainingEnded, row=row, seed=seed):
                    continue
                attempt = 1 + len(ctx.journal.of(TrainingBegun, row=row, seed=seed))
                ctx.journal.add(TrainingBegun(row=row, seed=seed, attempt=attempt))
                yield ctx.workers.start(entry, planned, name=f"train{seed}", seed=seed, attempt=attempt), seed

    def train(item: tuple[Launch, int]) -> None:
        launch, seed = item
        try:
            found = _train(ctx, launch, seed, fresh=True)
        finally:
            ctx.workers.stop(launch.process)
        if not ctx.workers.stopping:
            _keep(ctx, launch, seed, found)

    ctx.workers.side_by_side(train, started())


def train_in_pass(ctx: Context, launch: Launch) -> None:
    """Where the profile says so, train on a worker that has been timed, if its mode is its framework's first."""
    seed, stack = ctx.request.seed, launch.stack
    same = [p for p in launch.entry.trainable() if p.stack.kind == stack.kind]
    if not _trains_in_pass(ctx) or not same or same[0].stack.key != stack.key:
        return
    if not ctx.journal.of(TrainingEnded, row=launch.row, seed=seed):
        ctx.journal.add(TrainingBegun(row=launch.row, seed=seed, attempt=launch.attempt))
        _keep(ctx, launch, seed, _train(ctx, launch, seed, fresh=False))


def _keep(ctx: Context, launch: Launch, seed: int, found: dict[str, Any]) -> None:
    training = Training(seed=seed, **found)
    ctx.journal.add(TrainingEnded(row=launch.row, seed=seed, attempt=launch.attempt, training=training))


def _trains_in_pass(ctx: Context) -> bool:
    one = ctx.profile.trains_in_pass and ctx.request.accuracy_seeds == 1
    return one and {"training", "accuracy"} <= set(ctx.request.measure)


def _train(ctx: Context, launch: Launch, seed: int, *, fresh: bool) -> dict[str, Any]:
    recipe = launch.entry.sized.recipe(ctx.request.recipe)
    label = f"{launch.entry.key}  {launch.stack.label}  training, seed {seed}"

    def on_epoch(point: dict[str, Any]) -> None:
        if point["metric"] is None:  # what is not finite has no place in JSON
            raise WorkerError("accuracy_failed", f"the metric is not finite after epoch {point['epoch']}")
        ctx.report(f"{label}: epoch {point['epoch']}/{recipe.epochs}, {point['metric']:.5g}")
        curve = EpochTrained(row=launch.row, seed=seed, attempt=launch.attempt, point=CurvePoint(**point))
        ctx.journal.add(curve)

    try:
        if fresh:
            ctx.report(f"{label}: import")
            ctx.workers.greet(launch)
        answer = launch.ask("train", timeout=launch.timeout * recipe.epochs, event=on_epoch, recipe=recipe.name)
    except WorkerError as error:
        launch.process.kill()
        ctx.report(f"{label}: {error.status}: {error.reason}")
        log = ctx.workers.log_tail(launch.process)
        return {"status": error.status, "reason": ctx.workers.redact(error.reason), "log_tail": log}
    expected = tasks.epoch_digest(tasks.task(launch.entry.sized, ctx.workers.inputs, seed), recipe.epochs)
    if answer["sample_order"] != expected:
        return {"status": "parity_failed", "reason": "the samples were not trained in the declared order", **answer}
    return {"status": "ok", **answer}


def trained(ctx: Context, entry: Entry) -> list[Planned]:
    """The stacks that train: each framework's fastest sound documented mode, or all of these when nothing was timed.

    Tuned stacks train only where a framework has no documented stack in the run.
    """
    if "training" not in ctx.request.measure:
        return entry.trainable()
    if _trains_in_pass(ctx):
        return []
    found = {row.stack.key: row for row in rows(ctx.plan, entry, ctx.journal)}
    speeds: dict[tuple[str, str, str], dict[float, Planned]] = {}
    for planned in entry.trainable():
        stack, row = planned.stack, found[planned.stack.key]
        if stack.replica:
            continue
        speed = row.samples_per_second()
        timed = all(launch.status == "ok" for launch in row.launches)
        if speed is not None and timed and (row.certificate is None or row.certificate.status == "ok"):
            speeds.setdefault(stack.kind, {})[speed] = planned
    return [mine[max(mine)] for mine in speeds.values()]
