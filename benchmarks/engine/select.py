"""From what was asked for to a plan: workloads, stacks, availability, machine facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks import tasks
from benchmarks.engine import baselines
from benchmarks.engine import budget as budgets
from benchmarks.engine.availability import DEVICES, Availability
from benchmarks.engine.context import NONE, Experiments
from benchmarks.engine.interpreters import interpreters
from benchmarks.engine.plan import Entry, Plan, Planned, PlannedBaseline
from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import distributions, frameworks, is_written, own_variables
from benchmarks.machine.computer import cpu_budget, git_state, interpreter, machine
from benchmarks.protocol.profiles import MEASURES, PROFILES
from benchmarks.schema.results import Options, Stack
from benchmarks.workload import DEFAULT_IMPLS, DeclarationError, Found, discover
from benchmarks.workload.sources import implementation_files


def make_plan(
    *,
    command: str,
    workload: Sequence[str] = (),
    framework: Sequence[str] = (),
    mode: Sequence[str] = (),
    stack: Sequence[str] = (),
    tuned: bool = False,
    device: Sequence[str] = (),
    profile: str = "quick",
    data: str = "embedded",
    passes: int | None = None,
    rounds: int | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    accuracy_seeds: int | None = None,
    recipe: str | None = None,
    measure: Sequence[str] = (),
    sweep: Sequence[str] = (),
    impls: Path = DEFAULT_IMPLS,
    env: Sequence[str] = (),
    require: Sequence[str] = (),
    canary: bool | None = None,
    isolated: bool = False,
    budget: str | None = None,
    price_per_hour: float | None = None,
    experiments: Experiments = NONE,
) -> Plan:
    """Check every word of the request and fix what will be done."""
    allowed = None if budget is None else budgets.seconds(budget)
    amounts = PROFILES[profile]
    devices = list(device) or ["cpu"]
    _known("--device", devices, DEVICES)
    sweeps = [name.removeprefix("sweep_") for name in experiments if name.startswith("sweep_")]
    _known("--sweep", sweep, sweeps)
    measure = list(dict.fromkeys([*measure, *(f"sweep_{word}" for word in sweep)]))
    _known("--measure", measure, [*MEASURES, *experiments])
    for wanted in require:
        if len(wanted.split(":")) != 3:
            raise Problem(f"--require takes FRAMEWORK:MODE:DEVICE, got {wanted!r}")
    if isolated and measure and "training" not in measure:
        raise Problem("--solo measures training again: --measure must name training too")
    everything = discover(impls.resolve())
    found = choose(everything, workload, everything=profile == "full", gpu=devices == ["cuda"])
    known = {name: list(f.modes) for name, f in frameworks().items()}
    _known("--framework", framework, list(known))
    _known("--stack", stack, [f"{name}:{m}" for name, modes in known.items() for m in modes])
    _known("--mode", mode, sorted({m for modes in known.values() for m in modes}))
    pythons = interpreters(env)
    chosen_recipe = recipe or amounts.recipes[data]
    # A variant that nobody named and that has no such recipe (no real data, for one) is left out.
    found = [f for f in found if f.workload.key in workload or f.workload.has(chosen_recipe)] or found
    for f in found:
        declared = f.workload.recipe(chosen_recipe)
        if declared.data != data:
            raise Problem(f"recipe {chosen_recipe} of {f.workload.key} is for {declared.data} data, not {data}")
        examples = declared.train_examples or f.workload.dataset.train_examples
        sized = dataclasses.replace(f.workload, batch_size=batch_size or f.workload.batch_size)
        if why := tasks.unfit(sized):
            raise Problem(why)
        if batch_size is not None and sized.steps(examples) < 2:
            raise Problem(
                f"--batch-size {batch_size} does not go twice into the {examples} training examples of recipe "
                f"{chosen_recipe} of {f.workload.key}; batches must rotate"
            )
        words = {"train": declared.train_examples, "test": declared.test_examples}  # None: as many as there are
        if short := tasks.too_short(sized, {split: count for split, count in words.items() if count is not None}):
            raise Problem(short)
    trained = not measure or "accuracy" in measure
    timed = "training" in (measure or MEASURES)
    canary = timed and (amounts.canary if canary is None else canary)
    count, affinity = cpu_budget(threads)
    entries = []
    for f in found:
        planned = _planned(f, pythons, framework=framework, mode=mode, stack=stack, tuned=tuned, devices=devices)
        if planned:
            entries.append(
                Entry(
                    folder=str(f.folder),
                    workload=f.workload.name,
                    variant=f.workload.variant,
                    declaration_hash=f.workload.hash,
                    batch_size=batch_size or f.workload.batch_size,
                    stacks=planned + (_again(planned) if canary else []),
                    baselines=_baselines(f, pythons["default"], planned) if trained else [],
                )
            )
    if not entries:
        raise Problem("no stack matches --framework, --mode and --stack; `python -m benchmarks list` shows which exist")
    commit, dirty = git_state()
    facts = machine()
    started = datetime.now(timezone.utc)
    plan = Plan(
        id=f"{started:%Y%m%dT%H%M%SZ}-{facts.name}",
        started=started.isoformat(timespec="seconds"),
        command=command,
        options=Options(
            workloads=[e.key for e in entries],
            frameworks=list(framework),
            modes=list(mode),
            tuned=tuned,
            devices=devices,
            profile=profile,  # type: ignore[arg-type]
            data=data,  # type: ignore[arg-type]
            passes=passes or amounts.passes,
            rounds=rounds or amounts.rounds,
            batch_size=batch_size,
            threads=count,
            seed=seed,
            accuracy_seeds=accuracy_seeds or amounts.accuracy_seeds,
            recipe=chosen_recipe,
            measure=list(measure) or list(MEASURES),
            interpreters=list(pythons),
            require=list(require),
            pilot=amounts.pilot if passes is None and timed else None,
            canary=canary,
            isolate=isolated,
            price_per_hour=price_per_hour,
        ),
        affinity=affinity,
        pythons=pythons,
        git_commit=commit,
        git_dirty=dirty,
        machine=facts,
        interpreters=[interpreter(name, python, also=distributions()) for name, python in pythons.items()],
        notes=_notes(profile, everything, found, workload),
        entries=entries,
    )
    given = {"workload": workload, "passes": passes, "rounds": rounds, "accuracy_seeds": accuracy_seeds}
    given["measure"] = measure
    if allowed is None:
        return plan
    return budgets.fit(plan, allowed, experiments, fixed={name for name, v in given.items() if v})


def choose(found: list[Found], words: Sequence[str], *, everything: bool, gpu: bool = False) -> list[Found]:
    """The variants that ``--workload`` names: ``name`` or ``name/variant``.

    Outside the full profile a bare name, or none, leaves out variants that are not marked quick; ``gpu``: for runs on
    GPUs alone.
    """
    if not found:
        raise DeclarationError("the --impls folder holds no workload folders")
    keys = {f.workload.key for f in found} | {f.workload.name for f in found}
    _known("--workload", words, sorted(keys))
    variants: dict[str, list[str]] = {}
    for f in found:
        variants.setdefault(f.workload.name, []).append(f.workload.variant)
    out = []
    for f in found:
        w = f.workload
        named = w.key in words and (w.variant != "default" or len(variants[w.name]) == 1)
        listed = not words or w.name in words
        quick = w.quick_on_gpu if gpu and w.quick_on_gpu is not None else w.quick
        if named or (listed and (everything or quick)):
            out.append(f)
    return out


def _planned(
    found: Found,
    pythons: dict[str, str],
    *,
    framework: Sequence[str],
    mode: Sequence[str],
    stack: Sequence[str],
    tuned: bool,
    devices: Sequence[str],
) -> list[Planned]:
    """Every stack asked for that has an implementation file, available or not; only those asked for are probed.

    Tuned modes are asked for by name, or all by ``tuned``.
    """
    out = []
    for name, python in pythons.items():
        availability = Availability(python=python)
        for word, described in frameworks().items():
            if framework and word not in framework:
                continue
            for one, what in described.modes.items():
                named = one in mode or f"{word}:{one}" in stack
                if (mode and one not in mode) or (stack and f"{word}:{one}" not in stack):
                    continue
                if (what.tuned and not (named or tuned)) or not is_written(found, word, one):
                    continue
                files = implementation_files(found, word, one)
                for device in devices:
                    reason = availability.reason(word, one, device, found)
                    facts = {**described.facts(one), "device": device, "interpreter": name}
                    out.append(
                        Planned(
                            stack=Stack.model_validate(facts),
                            available=not reason,
                            reason=reason,
                            implementation=files,
                            environment=own_variables(found, word, one),
                        )
                    )
    return out


def _baselines(found: Found, python: str, planned: list[Planned]) -> list[PlannedBaseline]:
    """Of a workload; where no stack of it can run there is nothing to stand beside."""
    able = any(p.available for p in planned)
    out = baselines.planned(found, python)
    alone = "no stack of this run is available here that it could stand beside"
    return out if able else [b.model_copy(update={"reason": b.reason or alone}) for b in out]


def _again(planned: Sequence[Planned]) -> list[Planned]:
    """The canary: the first stack that can run, a documented one if any can, launched a second time in every pass."""
    able = sorted((p for p in planned if p.available), key=lambda p: p.stack.tuned)  # stable
    first = able[0] if able else None
    return [first.model_copy(update={"stack": first.stack.model_copy(update={"replica": 1})})] if first else []


def _notes(profile: str, every: list[Found], found: list[Found], words: Sequence[str]) -> list[str]:
    chosen = {f.workload.key for f in found}
    left = [f.workload.key for f in every if f.workload.key not in chosen and (not words or f.workload.name in words)]
    if profile != "full" and left:
        return [f"not timed in the {profile} profile, left to the full one or to be named: {', '.join(left)}"]
    return []


def _known(option: str, words: Sequence[str], known: Sequence[Any]) -> None:
    for word in words:
        if word not in known:
            raise Problem(f"{option} {word}: not known; choose from {', '.join(map(str, known))}")
