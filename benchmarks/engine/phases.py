"""What one launch is asked beside its rounds: import, build, first step, warm-up; afterwards stretch, memory, inference
and the certificate. Every answer goes to the journal; a worker that fails raises WorkerError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.engine.certify import certify
from benchmarks.engine.plan import Entry
from benchmarks.engine.trainings import train_in_pass
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running


def importing(run: Run, entry: Entry, r: Running, index: int) -> None:
    run.say(f"{_label(run, entry, r, index)}: import")
    _keep(run, r, index, **run.hello(r))


def before_rounds(run: Run, entry: Entry, r: Running, index: int) -> None:
    """Build, first step and, where training is timed, warm-up, which leaves ``r.step_seconds``."""
    label = _label(run, entry, r, index)
    run.say(f"{label}: build")
    _keep(run, r, index, **r.worker.ask("build", limit=run.limit))
    run.say(f"{label}: first step")
    _keep(run, r, index, **r.worker.ask("first_step", limit=run.limit))
    if "training" not in run.options.measure:
        return
    run.say(f"{label}: warm-up")
    profile = run.profile
    warm = r.worker.ask(
        "warm_up",
        limit=run.limit,
        floor_seconds=profile.warm_floor,
        ceiling_seconds=profile.warm_ceiling,
        windows=profile.warm_windows,
    )
    _keep(run, r, index, warm_up=warm, **r.worker.ask("used", limit=run.limit))
    last = warm["window_seconds"][-profile.warm_windows :]
    r.step_seconds = sorted(last)[len(last) // 2] / warm["window_steps"]


def after_rounds(run: Run, entry: Entry, workload: Workload, r: Running, index: int) -> None:
    """Stretch, memory, inference, the certificate, a training in this process.

    Nothing of stacks alone and of the canary, whose rounds are all that is asked for.
    """
    if r.alone or r.planned.stack.replica:
        return
    label, profile = _label(run, entry, r, index), run.profile
    if "training" in run.options.measure and index < profile.stretch_passes:
        run.say(f"{label}: unbroken stretch")
        stretch = r.worker.ask("stretch", limit=run.limit, seconds=profile.stretch, windows=profile.stretch_windows)
        _keep(run, r, index, stretch=stretch)
    _keep(run, r, index, **r.worker.ask("training_memory", limit=run.limit))
    if "inference" in run.options.measure and index < profile.inference_passes:
        run.say(f"{label}: inference")
        answer = r.worker.ask(
            "inference",
            limit=run.limit,
            calls=profile.single_calls,
            warm_calls=profile.single_warm,
            batch_sizes=list(profile.offline_sizes),
            min_seconds=profile.offline_seconds,
        )
        seen = {"single": answer.pop("single"), "offline": answer.pop("offline")}
        _keep(run, r, index, inference=seen, **answer)
    if "certificate" in run.options.measure and not _certified(run, r.row):
        run.say(f"{label}: parity certificate")
        certify(run, entry, workload, r)
    train_in_pass(run, entry, workload, r)


def _keep(run: Run, r: Running, index: int, **fields: Any) -> None:
    run.journal.add("phase", row=r.row, attempt=r.attempt, fields=fields, pass_index=index)


def _label(run: Run, entry: Entry, r: Running, index: int) -> str:
    words = "alone, pass" if r.alone else "pass"
    return f"{entry.key}  {words} {index + 1}/{run.passes}  {r.planned.stack.label}"


def _certified(run: Run, row: str) -> bool:
    return any(e["certificate"]["status"] in ("ok", "parity_failed") for e in run.journal.of("certificate", row=row))
