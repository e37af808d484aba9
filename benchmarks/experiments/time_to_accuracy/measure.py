"""Train one mode of every framework to the declared target, from several seeds, the frameworks by turns."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import data, tasks
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.experiments.answering import fresh, is_usual, unanswered
from benchmarks.experiments.time_to_accuracy.schema import LEAST_SEEDS
from benchmarks.experiments.time_to_accuracy.validation import hold_out
from benchmarks.experiments.turns import Finding, by_turns, refuse
from benchmarks.tasks import inputs
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run

PART = "time_to_accuracy"


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Trainings per framework, and how often in its recipe each is scored."""

    seeds: int
    evaluations: int


AMOUNTS = {
    "smoke": Amounts(seeds=1, evaluations=4),
    "quick": Amounts(seeds=5, evaluations=24),
    "full": Amounts(seeds=5, evaluations=48),
}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    from benchmarks.engine.estimate import START_SECONDS, declared, step_seconds

    sized = dataclasses.replace(declared(entry), batch_size=entry.batch_size)
    recipe = sized.recipe(plan.options.recipe)
    alike = [p for p in _untuned(entry) if p.stack.kind == planned.stack.kind]
    judged = recipe.target is not None and entry.batch_size == declared(entry).batch_size
    if not judged or not alike or planned is not _first(alike):
        return 0.0
    steps = recipe.epochs * sized.steps(recipe.train_examples or sized.dataset.train_examples)
    evaluating = 1.3  # times the steps
    return AMOUNTS[plan.options.profile].seeds * (START_SECONDS + evaluating * steps * step_seconds(entry))


def measure(run: Run, entry: Entry, workload: Workload) -> None:
    asked = unanswered(run, entry, PART)
    chosen = representatives(run, entry)
    recipe = workload.recipe(run.options.recipe)
    if recipe.target is None:
        return refuse(run, entry, PART, asked, f"the recipe {recipe.name} declares no target")
    if entry.batch_size != entry.load().batch_size:
        return refuse(run, entry, PART, asked, f"the target holds for batches of {entry.load().batch_size:,}")
    tuned = [p for p in asked if p.stack.kind not in chosen]
    refuse(run, entry, PART, tuned, "tuned modes do not train to a target, and this run has no other of its framework")
    asked = [p for p in asked if p not in tuned]
    for mode in sorted({p.stack.mode for p in chosen.values()}):
        others = [p for p in asked if chosen[p.stack.kind].stack.mode == mode != p.stack.mode]
        refuse(run, entry, PART, others, f"one mode of each framework trains, here {mode}")
    stacks = [p for p in asked if chosen[p.stack.kind] is p]
    if stacks:
        _train(run, entry, workload, stacks)
    return None


def _train(run: Run, entry: Entry, workload: Workload, stacks: list[Planned]) -> None:
    amounts, recipe = AMOUNTS[run.options.profile], workload.recipe(run.options.recipe)
    assert recipe.target is not None
    target = recipe.target.value
    folder, examples, validation = _prepare(run, workload)
    if short := tasks.too_short(workload, {"train": examples, "test": validation}):
        return refuse(run, entry, PART, stacks, f"too little to hold out for validation: {short}")
    steps = recipe.epochs * workload.steps(examples)
    every = -(-steps // amounts.evaluations)
    caches = run.folder / "caches" / PART

    def ask(planned: Planned, turn: str) -> Finding:
        seed = int(turn.removeprefix("seed "))
        shutil.rmtree(caches, ignore_errors=True)  # what compiling takes belongs to every training
        with fresh(run, entry, workload, planned, PART, seed=seed, caches=caches, inputs=str(folder)) as r:
            found: Finding = r.worker.ask(
                "part",
                limit=run.limit * recipe.epochs,
                part=PART,
                recipe=recipe.name,
                target=target,
                every=every,
                steps=steps,
            )
        return {"seed": seed, **found}

    def value(planned: Planned, found: list[Finding]) -> dict[str, Any]:
        words = {"recipe": recipe.name, "metric": workload.metric, "target": target}
        words |= {"provisional": len(found) < LEAST_SEEDS}
        return {**words, "validation_examples": validation, "every": every, "steps": steps, "trainings": found}

    seeds = range(run.options.seed, run.options.seed + amounts.seeds)
    by_turns(run, entry, PART, stacks, [f"seed {seed}" for seed in seeds], ask, value)
    shutil.rmtree(caches, ignore_errors=True)
    return None


def _prepare(run: Run, workload: Workload) -> tuple[Path, int, int]:
    """Folder of arrays with validation data in the place of the test set; how many examples train and judge."""
    recipe = workload.recipe(run.options.recipe)
    if recipe.augmentation:  # the run's own arrays are enlarged already
        arrays = data.load(
            workload.dataset,
            source=run.options.data,
            seed=run.options.seed,
            train_examples=recipe.train_examples,
            test_examples=recipe.test_examples,
        ).arrays
    else:
        arrays = {path.stem: inputs.load_array(run.inputs, path.stem) for path in run.inputs.glob("*.npy")}
    held = hold_out(arrays)
    train, test = (len(held[name] if name in held else held[f"{name}_x"]) for name in ("train", "test"))
    folder = run.scratch / "validation"
    shutil.rmtree(folder, ignore_errors=True)  # another workload's arrays have other names
    inputs.save_arrays(folder, tasks.prepare(workload, recipe, held))
    return folder, train, test


def representatives(run: Run, entry: Entry) -> dict[tuple[str, str, str], Planned]:
    """The mode that trains, by framework, device and interpreter: the fastest that the run timed and certified.

    Tuned modes do not: not everyone has them, and some take several steps at once, between which no target is seen.
    """
    timed = {row.stack.key: row for row in run.rows(entry)}
    out: dict[tuple[str, str, str], Planned] = {}
    for kind in dict.fromkeys(p.stack.kind for p in _untuned(entry)):
        own = [p for p in _untuned(entry) if p.stack.kind == kind and not p.stack.replica]
        rows = [(timed[p.stack.key], p) for p in own]
        sound = [(row.samples_per_second(), p) for row, p in rows if row.status in ("ok", "accuracy_failed")]
        speeds = {speed: p for speed, p in sound if speed is not None}
        out[kind] = speeds[max(speeds)] if speeds else _first(own)
    return out


def _untuned(entry: Entry) -> list[Planned]:
    return [p for p in entry.runnable() if not p.stack.tuned]


def _first(alike: list[Planned]) -> Planned:
    """Return the stack in their framework's usual mode or, where the run has none, the first."""
    return next((p for p in alike if is_usual(p)), alike[0])
