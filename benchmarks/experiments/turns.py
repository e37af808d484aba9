"""Parts that ask every stack several times: the stacks by turns, so that a machine that drifts drifts for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.engine.context import Context
from benchmarks.engine.journal import Found
from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.answering import failing, keep

Finding = dict[str, Any]


def by_turns(
    ctx: Context,
    entry: Entry,
    part: str,
    stacks: Sequence[Planned],
    turns: Iterable[str],
    ask: Callable[[Planned, str], Finding],
    value: Callable[[Planned, list[Finding]], dict[str, Any]],
) -> None:
    """In every turn ``ask`` each stack once; what it finds is journalled at once, and --resume asks for the rest.

    A stack that fails is answered with its failure and not asked again. ``value`` makes the answer of a stack from
    its findings, in the order of ``turns``.
    """
    failed: dict[str, WorkerError] = {}
    turns = list(turns)
    for turn in turns:
        for planned in stacks:
            name = planned.stack.key
            if name in failed or ctx.journal.of(Found, part=part, key=entry.key, stack=name, turn=turn):
                continue
            ctx.report(f"{entry.key}  {part.replace('_', ' ')}  {planned.stack.label}  {turn}")
            try:
                with failing():
                    finding = ask(planned, turn)
            except WorkerError as error:
                failed[name] = error
            else:
                ctx.journal.add(Found(part=part, key=entry.key, stack=name, turn=turn, finding=finding))
    for planned in stacks:

        def found(planned: Planned = planned) -> dict[str, Any]:
            if planned.stack.key in failed:
                raise failed[planned.stack.key]
            events = ctx.journal.of(Found, part=part, key=entry.key, stack=planned.stack.key)
            kept = {e.turn: e.finding for e in events}
            return value(planned, [kept[turn] for turn in turns])

        keep(ctx, entry, part, planned, found)


def refuse(ctx: Context, entry: Entry, part: str, stacks: Iterable[Planned], reason: str) -> None:
    """Answer each of ``stacks`` with unavailable and the ``reason``."""
    for planned in stacks:

        def unavailable() -> dict[str, Any]:
            raise WorkerError("unavailable", reason)

        keep(ctx, entry, part, planned, unavailable)
