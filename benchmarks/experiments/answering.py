"""How parts ask: every stack in a fresh process alone on the machine, answers kept one by one, failures with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.engine.plan import Entry, Planned
from benchmarks.engine.worker_process import WorkerError
from benchmarks.frameworks.discovery import mode_of
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run, Running

Ask = Callable[["Running"], dict[str, Any]]


def each(
    run: Run, entry: Entry, workload: Workload, part: str, ask: Ask, *, among: Sequence[Planned] | None = None
) -> None:
    """``ask`` every stack of ``entry``, or those ``among`` it, that has no answer yet, in a fresh process."""
    for planned in unanswered(run, entry, part):
        if among is not None and planned not in among:
            continue

        def alone(planned: Planned = planned) -> dict[str, Any]:
            with fresh(run, entry, workload, planned, part) as running:
                return ask(running)

        keep(run, entry, part, planned, alone)


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


def unanswered(run: Run, entry: Entry, part: str) -> list[Planned]:
    """Stacks that can run, canaries left out, of which the journal holds no answer."""
    known = {e["answer"]["stack"] for e in run.journal.of("answer", part=part, key=entry.key)}
    return [p for p in entry.runnable() if not p.stack.replica and p.stack.key not in known]


def keep(run: Run, entry: Entry, part: str, planned: Planned, find: Callable[[], dict[str, Any]]) -> None:
    """Journal what ``find`` finds for a stack, or how it failed."""
    answer: dict[str, Any] = {"part": part, "workload": entry.workload, "variant": entry.variant}
    answer["stack"] = planned.stack.key
    run.say(f"{entry.key}  {part.replace('_', ' ')}  {planned.stack.label}")
    try:
        answer |= {"status": "ok", "value": find()}
    except WorkerError as error:
        answer |= {"status": error.status, "reason": run.clean(error.reason)}
        answer["log_tail"] = [] if error.status == "unavailable" else error.log_tail
        run.say(f"{entry.key}  {part}: {error.status}: {error.reason}")
    run.journal.add("answer", part=part, key=entry.key, answer=answer)


@contextmanager
def fresh(
    run: Run, entry: Entry, workload: Workload, planned: Planned, part: str, *, seed: int | None = None, **changes: Any
) -> Iterator[Running]:
    """A new worker that has said hello; ``changes`` go to :meth:`benchmarks.engine.run.Run.start`. Ended at the end.

    A WorkerError that leaves the block carries the last lines of the worker's log as ``log_tail``.
    """
    run.counter += 1
    name = f"{part}-{run.counter}"
    running = run.start(
        entry, workload, planned, name=name, seed=run.options.seed if seed is None else seed, attempt=1, **changes
    )
    try:
        running.hello = run.hello(running)
        yield running
    except WorkerError as error:
        error.log_tail = run.log_tail(running)
        running.worker.kill()
        raise
    finally:
        run.stop(running)
