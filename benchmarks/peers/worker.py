"""Inside the worker: ours and a peer, built from the same weights, checked for equal work and timed by turns."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frameworks.base import Program
from benchmarks.frameworks.discovery import uncompiled
from benchmarks.protocol.profiles import POOL
from benchmarks.worker.evidence import counted
from benchmarks.worker.session import Session
from benchmarks.workload import Workload, load_module

CHECKED = 3  # steps after which the updates of both are compared
SLOW = 0.2  # seconds: a step that takes longer gets about half the rounds and a lead-in of one step instead of three
LEAD_IN, LEAST = 3, 3  # untimed steps before a block; timed ones in a block

Arrays = dict[str, np.ndarray]
Initial = Callable[[Workload], Arrays]
Count = Callable[[Callable[[], float]], dict[str, Any]]  # benchmarks.worker.evidence.counted of this worker


class Side:
    """One of the two programs and its own way through the batches."""

    def __init__(self, adapter: Any, program: Program, batches: Sequence[tuple[Any, ...]]) -> None:
        self.program, self._batches, self._synchronize = program, cycle(batches), adapter.synchronize
        self.once, self.block = math.nan, LEAST
        self.loss: Any = None

    def steps(self, count: int) -> float:
        """Wall seconds of ``count`` steps, synchronised at both ends."""
        step = self.program.train_step
        self._synchronize()
        start = time.perf_counter_ns()
        for batch in islice(self._batches, count):
            self.loss = step(*batch)
        self._synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    def warm_up(self, seconds: float) -> None:
        """Compile, then steps until a stretch of them takes ``seconds``; a block is to take as long."""
        self.steps(2)
        count, spent = 1, 0.0
        while spent < seconds:
            spent = self.steps(count)
            self.once, count = spent / count, 2 * count
        self.block = max(LEAST, math.ceil(seconds / self.once))

    def timed(self, count: Count) -> dict[str, Any]:
        """A block after its lead-in, with the evidence of what else ran."""
        lead_in = 1 if self.once > SLOW else LEAD_IN
        self.steps(lead_in)
        return {"steps": self.block, "lead_in_steps": lead_in, **count(lambda: self.steps(self.block))}


def answer(session: Session, *, path: str, **fields: Any) -> dict[str, Any]:
    """This session's workload by the implementation at ``path``, timed by turns with the session's own."""
    both = (session.implementation, load_module(Path(path), Path(path).stem))
    batches = [batch.arrays for batch in session.first(session.workload, POOL)]
    plain = uncompiled(session.framework, session.mode)
    how: dict[str, Any] = {"plain": plain, "count": partial(counted, session), **fields}
    return compare(session.adapter, session.workload, both, session.initial, batches, **how)


def compare(
    adapter: Any,
    workload: Workload,
    implementations: tuple[Any, Any],
    initial: Initial,
    batches: Sequence[tuple[np.ndarray, ...]],
    *,
    rounds: int,
    seconds: float,
    first: int,
    plain: str,
    count: Count,
) -> dict[str, Any]:
    """``implementations`` are ours and theirs; ``first`` (0 or 1) of them is built and timed first.

    ``plain`` is the mode of an uncompiled twin.
    """
    placed = [tuple(adapter.place(array) for array in arrays) for arrays in batches]
    programs = _both(adapter, workload, implementations, initial, first)
    certified = workload.certified(workload.batch_size)
    if certified == workload:
        checked = programs
    else:  # dropout draws, or steps that amplify rounding: an uncompiled twin takes the certificate's steps
        twin = copy.copy(adapter)
        twin.mode = plain
        checked = _both(twin, certified, implementations, initial, first)
    moved = differences(*(_moves(adapter, p, placed, initial(certified)) for p in checked))
    del checked
    sides = [Side(adapter, program, placed) for program in programs]
    for side in sides:
        side.warm_up(seconds)
    if max(side.once for side in sides) > SLOW:
        rounds = 2 * math.ceil(rounds / 4)  # half as many, and both orders equally often
    seen = [_round(sides, (first + number) % 2, count) for number in range(rounds)]
    losses = [float(np.asarray(adapter.to_numpy(side.loss))) for side in sides]
    if not np.isfinite(losses).all():
        raise ValueError(f"a loss is not finite after timing: ours {losses[0]}, theirs {losses[1]}")
    return {"rounds": seen, "differences": moved, "versions": adapter.versions()}


def _both(
    adapter: Any, workload: Workload, implementations: tuple[Any, Any], initial: Initial, first: int
) -> list[Program]:
    """Ours and theirs with the shared weights; ``first`` is built first."""
    built: dict[int, Program] = {}
    for which in (first, 1 - first):
        built[which] = adapter.build(implementations[which], workload)
        built[which].set_tensors(initial(workload))
    return [built[0], built[1]]


def _moves(adapter: Any, program: Program, placed: Sequence[tuple[Any, ...]], before: Arrays) -> Arrays:
    """How far the first steps move each tensor."""
    for batch in islice(cycle(placed), CHECKED):
        program.train_step(*batch)
    adapter.synchronize()
    return {name: np.asarray(value, np.float64) - before[name] for name, value in program.get_tensors().items()}


def differences(ours: Arrays, theirs: Arrays) -> dict[str, float | None]:
    """‖theirs − ours‖ / ‖ours‖ of each tensor's move; None where only theirs moves or one is not finite."""
    out: dict[str, float | None] = {}
    for name, own in ours.items():
        apart, size = float(np.linalg.norm(theirs[name] - own)), float(np.linalg.norm(own))
        share = apart / size if size else (0.0 if apart == 0 else math.inf)
        out[name] = share if math.isfinite(share) else None
    return out


def _round(sides: Sequence[Side], first: int, count: Count) -> dict[str, Any]:
    """A block of each, ``first`` first."""
    found = {which: sides[which].timed(count) for which in (first, 1 - first)}
    return {"ours": found[0], "theirs": found[1]}
