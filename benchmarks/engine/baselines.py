"""Baselines: other public programs on a workload's data, by their own algorithm. Not certified, not equal work.

There is no table: a baseline is a file ``impls/NAME/baseline_PROGRAM.py``. Its literals ``LABEL``, ``DESCRIPTION``,
``REQUIRES`` (distributions) and ``UNIT`` are read without importing it; its functions run in a worker of their own:

* ``settings(workload, recipe)``: what the program is told, as plain values;
* ``build(ids, settings, threads, seed)``: the program, ready to train on int64 word ids (n,);
* ``train(model, ids)``: all epochs; this is what the clock measures;
* ``vectors(model, vocabulary)``: float32 (vocabulary, D) in the order of ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.engine.availability import not_installed
from benchmarks.engine.environment import worker_environment
from benchmarks.engine.plan import Entry, PlannedBaseline
from benchmarks.engine.worker_process import Worker, WorkerError
from benchmarks.errors import Problem
from benchmarks.machine.packages import describe, normalise
from benchmarks.schema.results import Stack
from benchmarks.workload import Found, Pairs, Workload
from benchmarks.workload.literals import literals
from benchmarks.workload.sources import hashes

if TYPE_CHECKING:
    from benchmarks.engine.run import Run

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


def train_all(run: Run, entry: Entry, workload: Workload) -> None:
    """Every baseline that can run and that the journal does not hold yet, one after the other, alone."""
    for baseline in entry.baselines:
        if baseline.reason or run.journal.of("baseline", key=entry.key, name=baseline.name):
            continue
        attempt = 1 + len(run.journal.of("baseline_start", key=entry.key, name=baseline.name))
        run.journal.add("baseline_start", key=entry.key, name=baseline.name, attempt=attempt)
        run.say(f"{entry.key}  baseline {baseline.label}: training")
        found = _train(run, entry, workload, baseline, attempt)
        run.journal.add("baseline", key=entry.key, name=baseline.name, baseline=found)


def _train(run: Run, entry: Entry, workload: Workload, baseline: PlannedBaseline, attempt: int) -> dict[str, Any]:
    recipe = workload.recipe(run.options.recipe)
    name = f"{entry.key}-baseline-{baseline.name}".replace("/", "-")
    home, caches = run.scratch / "home" / name, run.folder / "caches" / name
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    alone = Stack(framework=baseline.name, mode="baseline", device="cpu")
    environment = worker_environment(alone, threads=run.options.threads, scratch=home, caches=caches)
    environment["TMPDIR"] = str(home / "tmp")
    worker = Worker(
        python=run.plan.pythons["default"],
        environment=environment,
        log=run.folder / "logs" / f"{name}-{attempt}.log",
    )
    try:
        answer = worker.ask(
            "baseline",
            limit=run.limit * recipe.epochs,
            folder=entry.folder,
            variant=entry.variant,
            name=baseline.name,
            recipe=recipe.name,
            inputs=str(run.inputs),
            threads=run.options.threads,
            seed=run.options.seed,
            affinity=run.plan.affinity,
        )
        worker.stop()
    except WorkerError as error:
        worker.kill()
        run.say(f"{entry.key}  baseline {baseline.label}: {error.status}: {error.reason}")
        log = [run.clean(line) for line in worker.log_tail()]
        return {"status": error.status, "reason": run.clean(error.reason), "log_tail": log}
    except BaseException:
        worker.kill()
        raise
    return {"status": "ok", **answer}
