"""Accuracy: train the recipe on the chosen stacks, every seed in a process alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks import tasks
from benchmarks.engine.assemble import assemble
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running


def train_all(run: Run, entry: Entry, workload: Workload) -> None:
    """Every training that the journal does not hold yet."""

    def started() -> Iterator[tuple[Running, int]]:
        for planned in trained(run, entry):
            for seed in range(run.options.seed, run.options.seed + run.options.accuracy_seeds):
                row = entry.row(planned)
                if run.journal.of("training", row=row, seed=seed):
                    continue
                attempt = 1 + len(run.journal.of("training_start", row=row, seed=seed))
                run.journal.add("training_start", row=row, seed=seed, attempt=attempt)
                yield run.start(entry, workload, planned, name=f"train{seed}", seed=seed, attempt=attempt), seed

    def train(item: tuple[Running, int]) -> None:
        r, seed = item
        try:
            found = _train(run, entry, workload, r, seed, fresh=True)
        finally:
            run.stop(r)
        if not run.stopping:
            run.journal.add("training", row=r.row, seed=seed, attempt=r.attempt, training=found)

    run.side_by_side(train, started())


def train_in_pass(run: Run, entry: Entry, workload: Workload, r: Running) -> None:
    """Where the profile says so, train on a worker that has been timed, if its mode is its framework's first."""
    options, stack = run.options, r.planned.stack
    same = [p for p in entry.trainable() if p.stack.kind == stack.kind]
    if not _trains_in_pass(run) or not same or same[0].stack.key != stack.key:
        return
    if not run.journal.of("training", row=r.row, seed=options.seed):
        run.journal.add("training_start", row=r.row, seed=options.seed, attempt=r.attempt)
        found = _train(run, entry, workload, r, options.seed, fresh=False)
        run.journal.add("training", row=r.row, seed=options.seed, attempt=r.attempt, training=found)


def _trains_in_pass(run: Run) -> bool:
    one = run.profile.trains_in_pass and run.options.accuracy_seeds == 1
    return one and {"training", "accuracy"} <= set(run.options.measure)


def _train(run: Run, entry: Entry, workload: Workload, r: Running, seed: int, *, fresh: bool) -> dict[str, Any]:
    recipe = workload.recipe(run.options.recipe)
    label = f"{entry.key}  {r.planned.stack.label}  training, seed {seed}"

    def on_epoch(point: dict[str, Any]) -> None:
        run.say(f"{label}: epoch {point['epoch']}/{recipe.epochs}, {point['metric']:.5g}")
        run.journal.add("curve", row=r.row, seed=seed, attempt=r.attempt, point=point)

    try:
        if fresh:
            run.say(f"{label}: import")
            run.hello(r)
        answer = r.worker.ask(
            "train",
            limit=run.limit * recipe.epochs,
            event=on_epoch,
            recipe=recipe.name,
        )
    except WorkerError as error:
        r.worker.kill()
        run.say(f"{label}: {error.status}: {error.reason}")
        return {"status": error.status, "reason": run.clean(error.reason), "log_tail": run.log_tail(r)}
    expected = tasks.epoch_digest(tasks.task(workload, run.inputs, seed), recipe.epochs)
    if answer["sample_order"] != expected:
        return {"status": "parity_failed", "reason": "the samples were not trained in the declared order", **answer}
    return {"status": "ok", **answer}


def trained(run: Run, entry: Entry) -> list[Planned]:
    """The stacks that train: each framework's fastest sound documented mode, or all of these when nothing was timed.

    Tuned stacks train only where a framework has no documented stack in the run.
    """
    if "training" not in run.options.measure:
        return entry.trainable()
    if _trains_in_pass(run):
        return []
    rows = {
        row.stack.key: row
        for row in assemble(run.plan, run.journal.events).rows
        if (row.workload, row.variant) == (entry.workload, entry.variant)
    }
    speeds: dict[tuple[str, str, str], dict[float, Planned]] = {}
    for planned in entry.trainable():
        stack, row = planned.stack, rows[planned.stack.key]
        if stack.replica:
            continue
        speed = row.samples_per_second()
        timed = all(launch.status == "ok" for launch in row.launches)
        if speed is not None and timed and (row.certificate is None or row.certificate.status == "ok"):
            speeds.setdefault(stack.kind, {})[speed] = planned
    return [found[max(found)] for found in speeds.values()]
