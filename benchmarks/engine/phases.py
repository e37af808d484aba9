"""What one launch is asked beside its rounds: import, build, first step, warm-up; afterwards stretch, memory, inference
and the certificate. Every answer goes to the journal; a worker that fails raises WorkerError."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.engine.certify import certify
from benchmarks.engine.context import Context
from benchmarks.engine.journal import Certified, PhaseEnded, Seen
from benchmarks.engine.trainings import train_in_pass
from benchmarks.engine.workers import Launch


def importing(ctx: Context, launch: Launch) -> None:
    ctx.report(f"{_label(ctx, launch)}: import")
    _keep(ctx, launch, **ctx.workers.greet(launch))


def before_rounds(ctx: Context, launch: Launch) -> None:
    """Build, first step and, where training is timed, warm-up, which leaves ``launch.step_seconds``."""
    label = _label(ctx, launch)
    ctx.report(f"{label}: build")
    _keep(ctx, launch, **launch.ask("build"))
    ctx.report(f"{label}: first step")
    _keep(ctx, launch, **launch.ask("first_step"))
    if "training" in ctx.request.measure:
        ctx.report(f"{label}: warm-up")
        _keep(ctx, launch, warm_up=warm_up(ctx, launch), **launch.ask("used"))


def warm_up(ctx: Context, launch: Launch) -> dict[str, Any]:
    """What the worker says of its warm-up; the step time of its last windows becomes that of the launch."""
    profile = ctx.profile
    answer = launch.ask(
        "warm_up",
        floor_seconds=profile.warm_floor,
        ceiling_seconds=profile.warm_ceiling,
        windows=profile.warm_windows,
    )
    launch.step_seconds = median(answer["window_seconds"][-profile.warm_windows :]) / answer["window_steps"]
    return answer


def after_rounds(ctx: Context, launch: Launch) -> None:
    """Stretch, memory, inference, the certificate, a training in this process.

    Nothing of stacks alone and of the canary, whose rounds are all that is asked for.
    """
    if launch.solo or launch.stack.replica:
        return
    label, profile, measure = _label(ctx, launch), ctx.profile, ctx.request.measure
    if "training" in measure and launch.pass_index < profile.stretch_passes:
        ctx.report(f"{label}: unbroken stretch")
        stretch = launch.ask("stretch", seconds=profile.stretch, windows=profile.stretch_windows)
        _keep(ctx, launch, stretch=stretch)
    _keep(ctx, launch, **launch.ask("training_memory"))
    if "inference" in measure and launch.pass_index < profile.inference_passes:
        ctx.report(f"{label}: inference")
        answer = launch.ask(
            "benchmarks.worker.inference",
            calls=profile.single_calls,
            warm_calls=profile.single_warm,
            batch_sizes=list(profile.offline_sizes),
            min_seconds=profile.offline_seconds,
        )
        seen = {"single": answer.pop("single"), "offline": answer.pop("offline")}
        _keep(ctx, launch, inference=seen, **answer)
    if "certificate" in measure and not _is_certified(ctx, launch.row):
        ctx.report(f"{label}: parity certificate")
        certify(ctx, launch)
    train_in_pass(ctx, launch)


def _keep(ctx: Context, launch: Launch, **seen: Any) -> None:
    ctx.journal.add(PhaseEnded(**launch.named, seen=Seen.model_validate(seen)))


def _label(ctx: Context, launch: Launch) -> str:
    number = launch.pass_index + 1
    words = "alone, pass" if launch.solo else "pass"
    return f"{launch.entry.key}  {words} {number}/{max(number, ctx.passes(launch.entry))}  {launch.stack.label}"


def _is_certified(ctx: Context, row: str) -> bool:
    known = ctx.journal.of(Certified, row=row)
    return any(e.certificate.status in ("ok", "parity_failed") for e in known)
