"""Baselines: other public programs on a workload's data, by their own algorithm. Not certified, not equal work.

There is no table: a baseline is a file ``impls/NAME/baseline_PROGRAM.py``. Its literals ``LABEL``, ``DESCRIPTION``,
``REQUIRES`` (distributions) and ``UNIT`` are read without importing it; its functions run in a worker of their own:

* ``settings(workload, recipe)``: what the program is told, as plain values;
* ``build(ids, settings, threads, seed)``: the program, ready to train on int64 word ids (n,);
* ``train(model, ids)``: all epochs; this is what the clock measures;
* ``vectors(model, vocabulary)``: float32 (vocabulary, D) in the order of ids.
"""

from __future__ import annotations

from typing import Any

from benchmarks.engine.availability import not_installed
from benchmarks.engine.context import Context
from benchmarks.engine.journal import BaselineBegun, BaselineEnded
from benchmarks.engine.plan import Entry, PlannedBaseline
from benchmarks.engine.worker_process import WorkerError
from benchmarks.errors import Problem
from benchmarks.machine.packages import describe, normalise
from benchmarks.schema.results import Stack
from benchmarks.workload import Found, Pairs
from benchmarks.workload.literals import literals
from benchmarks.workload.sources import hashes

WORDS = ("LABEL", "DESCRIPTION", "UNIT")


def planned(found: Found, python: str) -> list[PlannedBaseline]:
    """The baselines of a workload, each with the reason why ``python`` cannot run it, or none."""
    out = []
    for name in found.baselines():
        path = found.baseline(name)
        if not isinstance(found.workload.dataset, Pairs):
            raise Problem(f"{path.name}: {found.workload.key} has no word vectors that a baseline could be scored by")
        said = literals(path, *WORDS, "REQUIRES")
        requires = tuple(said.get("REQUIRES", ()))
        if not requires or not all(isinstance(said.get(word), str) for word in WORDS):
            raise Problem(f"{path.name} must assign strings to {', '.join(WORDS)} and distributions to REQUIRES")
        out.append(
            PlannedBaseline(
                name=name,
                label=said["LABEL"],
                description=said["DESCRIPTION"],
                unit=said["UNIT"],
                version=describe(requires, python)["versions"].get(normalise(requires[0])),
                reason=not_installed(requires, python),
                implementation=hashes([path]),
            )
        )
    return out


def train_all(ctx: Context, entry: Entry) -> None:
    """Every baseline that can run and that the journal does not hold yet, one after the other, alone."""
    for baseline in entry.baselines:
        about = {"key": entry.key, "name": baseline.name}
        if baseline.reason or ctx.journal.of(BaselineEnded, **about):
            continue
        attempt = 1 + len(ctx.journal.of(BaselineBegun, **about))
        ctx.journal.add(BaselineBegun(key=entry.key, name=baseline.name, attempt=attempt))
        ctx.report(f"{entry.key}  baseline {baseline.label}: training")
        found = entry.baseline(baseline, ctx.request, **_train(ctx, entry, baseline, attempt))
        ctx.journal.add(BaselineEnded(key=entry.key, name=baseline.name, baseline=found))


def _train(ctx: Context, entry: Entry, baseline: PlannedBaseline, attempt: int) -> dict[str, Any]:
    recipe, workers = entry.sized.recipe(ctx.request.recipe), ctx.workers
    name = f"{entry.key}-baseline-{baseline.name}".replace("/", "-")
    process = workers.spawn(
        Stack(framework=baseline.name, mode="baseline", device="cpu"),
        name=f"{name}-{attempt}",
        threads=ctx.request.threads,
        caches=workers.caches(name),
    )
    try:
        answer = process.ask(
            "baseline",
            limit=workers.timeout * recipe.epochs,
            folder=entry.folder,
            variant=entry.variant,
            name=baseline.name,
            recipe=recipe.name,
            inputs=str(workers.inputs),
            threads=ctx.request.threads,
            seed=ctx.request.seed,
            affinity=ctx.plan.affinity,
        )
    except WorkerError as error:
        process.kill()
        ctx.report(f"{entry.key}  baseline {baseline.label}: {error.status}: {error.reason}")
        return {"status": error.status, "reason": workers.redact(error.reason), "log_tail": workers.log_tail(process)}
    finally:
        workers.stop(process)
    return {"status": "ok", **answer}
