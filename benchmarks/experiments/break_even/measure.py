"""Launch every stack several times with empty and with filled compile caches, the stacks by turns."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.answering import unanswered
from benchmarks.experiments.break_even.schema import Launch
from benchmarks.experiments.turns import Finding, by_turns, refuse

PART = "break_even"


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Launches of each kind, and what each measures: see :func:`benchmarks.experiments.break_even.worker.answer`."""

    cold: int
    warm: int
    steps: int = 30
    slow_steps: int = 10
    slow_seconds: float = 5.0
    windows: int = 8
    window_seconds: float = 0.4


AMOUNTS = {
    "smoke": Amounts(cold=1, warm=1, steps=4, slow_steps=3, slow_seconds=0.5, windows=2, window_seconds=0.02),
    "quick": Amounts(cold=2, warm=2),
    "full": Amounts(cold=5, warm=5, windows=16),
}


def seconds(plan: Plan, entry: Entry, planned: Planned) -> float:
    from benchmarks.engine.estimate import COMPILE_SECONDS, START_SECONDS, step_seconds

    if not _is_asked(entry, planned):
        return 0.0
    amounts, step = AMOUNTS[plan.options.profile], step_seconds(entry)
    launch = START_SECONDS + min(amounts.steps * step, max(amounts.slow_seconds, amounts.slow_steps * step))
    launch += amounts.windows * max(amounts.window_seconds, step)
    total = (amounts.cold + amounts.warm) * launch
    if planned.stack.known.caches:
        total += amounts.cold * COMPILE_SECONDS["cold"] + amounts.warm * COMPILE_SECONDS["warm"]
    return total


def measure(ctx: Context, entry: Entry) -> None:
    """Whatever compiles, and the mode of each framework that it is held against."""
    asked = unanswered(ctx, entry, PART)
    refuse(ctx, entry, PART, [p for p in asked if not _is_asked(entry, p)], "nothing is compiled in this mode")
    amounts = dataclasses.asdict(AMOUNTS[ctx.request.profile])
    turns = [f"cold {i + 1}" for i in range(amounts.pop("cold"))] + [
        f"warm {i + 1}" for i in range(amounts.pop("warm"))
    ]
    epoch = entry.sized.steps(ctx.data(entry).train_examples)
    kept = ctx.workers.caches(PART)

    def ask(planned: Planned, turn: str) -> Finding:
        own = kept / entry.slug(planned)
        if turn.startswith("cold"):
            shutil.rmtree(own, ignore_errors=True)
        elif not own.exists():
            raise WorkerError("failed", "the caches of its cold launch are gone")
        files = _files(own)
        with ctx.workers.fresh(entry, planned, PART, caches=own) as launch:
            answer = launch.ask(f"{__package__}.worker", **amounts)
        found = Launch(
            caches="cold" if turn.startswith("cold") else "warm",
            cached_files=files,
            **answer["launch"],
        )
        return {**answer, "launch": found.model_dump()}

    def value(planned: Planned, found: list[Finding]) -> dict[str, Any]:
        out = {"batch_size": entry.batch_size, "evaluation_batch": found[0]["evaluation_batch"]}
        return {**out, "epoch_steps": epoch, "launches": [f["launch"] for f in found]}

    by_turns(ctx, entry, PART, [p for p in asked if _is_asked(entry, p)], turns, ask, value)
    shutil.rmtree(kept, ignore_errors=True)


def _is_asked(entry: Entry, planned: Planned) -> bool:
    """Whether it compiles, or is what one that does is held against."""
    return bool(planned.stack.uncompiled) or planned.stack.key in {p.stack.uncompiled for p in entry.stacks}


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))
