"""Train one mode of every framework to the declared target, from several seeds, the frameworks by turns."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import data, tasks
from benchmarks.engine.assemble import rows
from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.experiments.answering import is_usual, unanswered
from benchmarks.experiments.time_to_accuracy.schema import LEAST_SEEDS
from benchmarks.experiments.time_to_accuracy.validation import hold_out
from benchmarks.experiments.turns import Finding, by_turns, refuse
from benchmarks.tasks import inputs
from benchmarks.workload import Workload

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
    from benchmarks.engine.estimate import START_SECONDS, step_seconds

    sized = entry.sized
    recipe = sized.recipe(plan.options.recipe)
    alike = [p for p in _untuned(entry) if p.stack.kind == planned.stack.kind]
    judged = recipe.target is not None and entry.batch_size == entry.declared.batch_size
    if not judged or not alike or planned is not _first(alike):
        return 0.0
    steps = recipe.epochs * sized.steps(recipe.train_examples or sized.dataset.train_examples)
    evaluating = 1.3  # times the steps
    return AMOUNTS[plan.options.profile].seeds * (START_SECONDS + evaluating * steps * step_seconds(entry))


def measure(ctx: Context, entry: Entry) -> None:
    asked = unanswered(ctx, entry, PART)
    chosen = representatives(ctx, entry)
    recipe = entry.declared.recipe(ctx.request.recipe)
    if recipe.target is None:
        return refuse(ctx, entry, PART, asked, f"the recipe {recipe.name} declares no target")
    if entry.batch_size != entry.declared.batch_size:
        return refuse(ctx, entry, PART, asked, f"the target holds for batches of {entry.declared.batch_size:,}")
    tuned = [p for p in asked if p.stack.kind not in chosen]
    refuse(ctx, entry, PART, tuned, "tuned modes do not train to a target, and this run has no other of its framework")
    asked = [p for p in asked if p not in tuned]
    for mode in sorted({p.stack.mode for p in chosen.values()}):
        others = [p for p in asked if chosen[p.stack.kind].stack.mode == mode != p.stack.mode]
        refuse(ctx, entry, PART, others, f"one mode of each framework trains, here {mode}")
    stacks = [p for p in asked if chosen[p.stack.kind] is p]
    if stacks:
        _train(ctx, entry, stacks)
    return None


def _train(ctx: Context, entry: Entry, stacks: list[Planned]) -> None:
    amounts, workload = AMOUNTS[ctx.request.profile], entry.sized
    recipe = workload.recipe(ctx.request.recipe)
    assert recipe.target is not None
    target = recipe.target.value
    folder, examples, validation = _prepare(ctx, workload)
    if short := tasks.too_short(workload, {"train": examples, "test": validation}):
        return refuse(ctx, entry, PART, stacks, f"too little to hold out for validation: {short}")
    steps = recipe.epochs * workload.steps(examples)
    every = -(-steps // amounts.evaluations)
    caches = ctx.workers.caches(PART)

    def ask(planned: Planned, turn: str) -> Finding:
        seed = int(turn.removeprefix("seed "))
        shutil.rmtree(caches, ignore_errors=True)  # what compiling takes belongs to every training
        with ctx.workers.fresh(entry, planned, PART, seed=seed, caches=caches, inputs=str(folder)) as launch:
            found: Finding = launch.ask(
                f"{__package__}.worker",
                timeout=launch.timeout * recipe.epochs,
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

    seeds = range(ctx.request.seed, ctx.request.seed + amounts.seeds)
    by_turns(ctx, entry, PART, stacks, [f"seed {seed}" for seed in seeds], ask, value)
    shutil.rmtree(caches, ignore_errors=True)
    return None


def _prepare(ctx: Context, workload: Workload) -> tuple[Path, int, int]:
    """Folder of arrays with validation data in the place of the test set; how many examples train and judge."""
    recipe = workload.recipe(ctx.request.recipe)
    if recipe.augmentation:  # the run's own arrays are enlarged already
        arrays = data.load(
            workload.dataset,
            source=ctx.request.data,
            seed=ctx.request.seed,
            train_examples=recipe.train_examples,
            test_examples=recipe.test_examples,
        ).arrays
    else:
        own = ctx.workers.inputs
        arrays = {path.stem: inputs.load_array(own, path.stem) for path in own.glob("*.npy")}
    held = hold_out(arrays)
    train, test = (len(held[name] if name in held else held[f"{name}_x"]) for name in ("train", "test"))
    folder = ctx.workers.scratch / "validation"
    shutil.rmtree(folder, ignore_errors=True)  # another workload's arrays have other names
    inputs.save_arrays(folder, tasks.prepare(workload, recipe, held))
    return folder, train, test


def representatives(ctx: Context, entry: Entry) -> dict[tuple[str, str, str], Planned]:
    """The mode that trains, by framework, device and interpreter: the fastest that the run timed and certified.

    Tuned modes do not: not everyone has them, and some take several steps at once, between which no target is seen.
    """
    timed = {row.stack.key: row for row in rows(ctx.plan, entry, ctx.journal)}
    out: dict[tuple[str, str, str], Planned] = {}
    for kind in dict.fromkeys(p.stack.kind for p in _untuned(entry)):
        own = [p for p in _untuned(entry) if p.stack.kind == kind and not p.stack.replica]
        found = [(timed[p.stack.key], p) for p in own]
        sound = [(row.samples_per_second(), p) for row, p in found if row.status in ("ok", "accuracy_failed")]
        speeds = {speed: p for speed, p in sound if speed is not None}
        out[kind] = speeds[max(speeds)] if speeds else _first(own)
    return out


def _untuned(entry: Entry) -> list[Planned]:
    return [p for p in entry.runnable() if not p.stack.tuned]


def _first(alike: list[Planned]) -> Planned:
    """Return the stack in their framework's usual mode or, where the run has none, the first."""
    return next((p for p in alike if is_usual(p)), alike[0])
