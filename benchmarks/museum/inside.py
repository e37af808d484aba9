"""What exhibits share inside a worker: blocks of two ways to take steps by turns, programs with a fault. NumPy only."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frameworks.base import Program
from benchmarks.tasks import inputs
from benchmarks.worker.evidence import counted
from benchmarks.worker.session import Session
from benchmarks.workload import load_module

Take = Callable[[int], float]  # takes so many steps and gives the seconds that this way of measuring claims for them
LEAD_IN = 3  # untimed steps before each block, fewer only where a block is shorter
FEWEST = 2  # steps of a block
PROBE = 5  # steps from which the length of a block is chosen


def answer(session: Session, *, exhibit: str, others: Sequence[int], **fields: Any) -> dict[str, Any]:
    """What ``inside`` of the exhibit's module answers; ``others`` are the run's, as of a block."""
    session.job["others"] = others
    found: dict[str, Any] = importlib.import_module(f"benchmarks.museum.exhibits.{exhibit}").inside(session, **fields)
    return found


def taking(session: Session, program: Program | None = None, batches: Iterable[tuple[Any, ...]] | None = None) -> Take:
    """Steps by the suite's own clock, of another program or on other batches (in turn, for ever) than the session's."""
    chosen = session.program if program is None else program
    fed: Iterator[tuple[Any, ...]] = session.batches if batches is None else cycle(batches)

    def take(count: int) -> float:
        with session.running(chosen, fed):
            return session.steps(count)

    return take


def by_turns(
    session: Session, right: Take, wrong: Take, *, pairs: int, seconds: float, same_steps: bool = False
) -> dict[str, Any]:
    """Fields ``right`` and ``wrong`` of a case: blocks of about ``seconds``, in the order right, wrong, wrong, right...

    ``same_steps``: the wrong side takes as many as the right one, where its own clock cannot be trusted with a choice.
    """
    counts = [_count(take, seconds) for take in ((right,) if same_steps else (right, wrong))]
    seen: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for pair in range(pairs):
        for side in ((0, 1), (1, 0))[pair % 2]:
            take = (right, wrong)[side]
            count = counts[side % len(counts)]
            take(min(LEAD_IN, count))
            seen[side].append(sample(session, take, count))
    return {"right": seen[0], "wrong": seen[1]}


def _count(take: Take, seconds: float) -> int:
    """Steps of a block of about ``seconds``; warms up."""
    take(1)  # may compile
    if take(1) > seconds / FEWEST:
        return FEWEST
    count = max(FEWEST, round(seconds * PROBE / take(PROBE)))
    take(count)  # warm-up
    return count


def sample(session: Session, take: Take, steps: int) -> dict[str, Any]:
    """One block, whose seconds are those that ``take`` claims, with the evidence of what else ran."""
    return {"steps": steps, **counted(session, lambda: take(steps))}


# -- programs with a fault ---------------------------------------------------------------------------------


Spoil = Callable[[Session, Any], None]  # puts a fault into a copy of the implementation module


def copied(session: Session) -> Any:
    """The implementation's module, loaded again from its file: what is replaced in it stays there."""
    path = Path(session.job["folder"]) / f"{session.workload.name}_{session.framework}.py"
    return load_module(path, f"{path.stem}_in_the_museum")


def spoilt(session: Session, spoil: Spoil) -> Any:
    module = copied(session)
    spoil(session, module)
    return module


def faulty(session: Session, spoil: Spoil, *, what: str, **fields: Any) -> dict[str, Any]:
    """An exhibit whose mistake is in the program. ``what`` is asked for:

    ``timed``: blocks by turns of the program and its faulty twin; ``put in``: the session is given the fault, so that
    certificates and trainings are of it; ``take out``: the session as it was; ``train``: one training, see ``trained``.
    """
    if what == "timed":
        twin = session.adapter.build(spoilt(session, spoil), session.workload)
        twin.set_tensors(session.program.get_tensors())
        return by_turns(session, taking(session), taking(session, twin), **fields)
    if what == "train":
        return trained(session, **fields)
    session.implementation = spoilt(session, spoil) if what == "put in" else copied(session)
    session.do_build()
    return {}


def trained(session: Session, *, seed: int, recipe: str) -> dict[str, Any]:
    """One training from ``seed`` of the program that the session holds now."""
    twin = copy.copy(session)
    weights = Path(session.job["weights"]).with_name(f"museum-{session.workload.name}-{seed}.npz")
    np.savez(weights, **inputs.initial_tensors(session.workload, seed))  # type: ignore[arg-type]  # NumPy's stub
    twin.job = {**session.job, "seed": seed, "weights": str(weights)}
    return {"metric": twin.do_train(recipe=recipe)["metric"]}


def replaced_loss(module: Any, wrap: Callable[[Any], Any]) -> None:
    """Let the module's loss, and so its step, see ``wrap(model)`` in the model's place."""
    loss = module.loss

    def wrong(model: Any, *batch: Any) -> Any:
        return loss(wrap(model), *batch)

    module.loss = wrong
