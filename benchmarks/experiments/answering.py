"""How parts ask: every stack in a fresh process alone on the machine, answers kept one by one, failures with them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.journal import Answered
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.worker_process import LOG_LINES, WorkerError, as_declared
from benchmarks.engine.workers import Launch
from benchmarks.experiments import schema
from benchmarks.frameworks.discovery import mode_of
from benchmarks.schema.results import Answer

Ask = Callable[[Launch], dict[str, Any]]


def each(ctx: Context, entry: Entry, part: str, ask: Ask, *, among: Sequence[Planned] | None = None) -> None:
    """``ask`` every stack of ``entry``, or those ``among`` it, that has no answer yet, in a fresh process."""
    for planned in unanswered(ctx, entry, part):
        if among is not None and planned not in among:
            continue

        def alone(planned: Planned = planned) -> dict[str, Any]:
            with ctx.workers.fresh(entry, planned, part) as launch:
                return ask(launch)

        keep(ctx, entry, part, planned, alone)


def is_usual(planned: Planned) -> bool:
    """Whether its mode stands for its framework where one must."""
    mode = mode_of(planned.stack.framework, planned.stack.mode)
    return mode is not None and mode.usual


def representatives(planned: Sequence[Planned]) -> list[Planned]:
    """One stack per framework, device and interpreter: in the framework's usual mode, or else the first.

    For parts whose schema says PER_FRAMEWORK.
    """
    found: dict[tuple[str, str, str], Planned] = {}
    for p in planned:
        s = p.stack
        if not s.replica and (is_usual(p) or s.kind not in found):
            found[s.kind] = p
    return list(found.values())


def unanswered(ctx: Context, entry: Entry, part: str) -> list[Planned]:
    """Stacks that can run, canaries left out, of which the journal holds no answer."""
    known = {e.answer.stack for e in ctx.journal.of(Answered, key=entry.key, part=part)}
    return [p for p in entry.runnable() if not p.stack.replica and p.stack.key not in known]


def keep(ctx: Context, entry: Entry, part: str, planned: Planned, find: Callable[[], dict[str, Any]]) -> None:
    """Journal what ``find`` finds for a stack, or how it failed."""
    answer: dict[str, Any] = {"part": part, "workload": entry.workload, "variant": entry.variant}
    answer["stack"] = planned.stack.key
    ctx.report(f"{entry.key}  {part.replace('_', ' ')}  {planned.stack.label}")
    try:
        with failing():
            value = find()
            as_declared(schema(part).Value, value)
        answer |= {"status": "ok", "value": value}
    except WorkerError as error:
        answer |= {"status": error.status, "reason": ctx.workers.redact(error.reason)}
        tail = [] if error.status == "unavailable" else error.log_tail
        answer["log_tail"] = [ctx.workers.redact(line) for line in tail]
        ctx.report(f"{entry.key}  {part}: {error.status}: {error.reason}")
    ctx.journal.add(Answered(part=part, key=entry.key, answer=Answer.model_validate(answer)))


@contextmanager
def failing() -> Iterator[None]:
    """Raise whatever goes wrong within as a WorkerError: then it is the stack's answer and does not end the run."""
    try:
        yield
    except WorkerError:
        raise
    except Exception as error:
        failed = WorkerError("failed", f"{type(error).__name__}: {error}")
        failed.log_tail = traceback.format_exc().splitlines()[-LOG_LINES:]
        raise failed from error
