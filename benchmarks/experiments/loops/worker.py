"""Inside the worker: the bare loop and the framework's high-level ones, in turns over the same arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import experiments
from benchmarks.errors import Unavailable
from benchmarks.experiments.loops.schema import BARE
from benchmarks.frameworks.base import Program
from benchmarks.worker.evidence import counted
from benchmarks.worker.session import Session
from benchmarks.workload import Pairs, Workload

EIGHT = 8  # steps that Keras is told to take at once: epochs and the proof come in whole eights
SMALL = 1e-3  # of the whole move: what a tensor moved is compared with this at least, as some gradients are rounding

Arrays = dict[str, np.ndarray]
Run = Callable[[int], None]


def answer(
    session: Session, *, framework: str, seconds: float, calls: int, most: int, proof_batch: int
) -> dict[str, Any]:
    module, workload = experiments.of_framework(framework, "loops"), session.workload
    written: dict[str, str] = module.loops(workload)
    program = session.fresh(workload)
    if getattr(program, "together", 1) > 1:
        raise Unavailable(f"{session.mode} takes several batches in a call, a loop over batches brings one at a time")
    errors = _errors(session, module, list(written), proof_batch)
    eight = _bare(session, workload, EIGHT, program)
    first, again = _timed(session, eight), _timed(session, eight)
    once = again / EIGHT
    steps = min(most, _eights(seconds / once))
    epochs = max(1, round(seconds / once / steps))
    runs = {BARE: _bare(session, workload, steps, program)}
    runs |= {name: _written(session, module, name, workload, steps, session.fresh(workload)) for name in written}
    begun = {name: _timed(session, runs[name]) for name in written}
    taken = _in_turns(session, runs, calls, epochs)
    least = {name: min(call["seconds"] for call in taken[name]) for name in written}
    set_up = {name: begun[name] - least[name] / epochs for name in written} | {BARE: first - again}
    told = {BARE: "for batch in batches: place it on the device, take a step"} | written
    return {
        "batch_size": workload.batch_size,
        "steps": steps,
        "epochs": epochs,
        "proof_steps": EIGHT,
        "proof_batch": proof_batch,
        "loops": [
            {
                "name": name,
                "written": told[name],
                "set_up_seconds": max(0.0, set_up[name]),
                "calls": taken[name],
                "error": errors.get(name),
            }
            for name in runs
        ],
    }


def _in_turns(session: Session, runs: dict[str, Run], calls: int, epochs: int) -> dict[str, list[dict[str, Any]]]:
    """``calls`` calls of each loop, watched; none always follows the same one."""
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    order = list(runs)
    for call in range(calls):
        for i in range(len(order)):
            name = order[(i + call) % len(order)]
            taken[name].append(counted(session, partial(_timed, session, runs[name], epochs)))
    return taken


def _eights(steps: float) -> int:
    return max(EIGHT, -int(-steps // EIGHT) * EIGHT)


def _timed(session: Session, run: Run, epochs: int = 1) -> float:
    session.adapter.synchronize()
    start = time.perf_counter_ns()
    run(epochs)
    session.adapter.synchronize()
    return (time.perf_counter_ns() - start) / 1e9


def _bare(session: Session, workload: Workload, steps: int, program: Program) -> Run:
    host, place = [batch.arrays for batch in session.first(workload, steps)], session.adapter.place

    def run(epochs: int) -> None:
        for _ in range(epochs):
            for arrays in host:
                program.train_step(*(place(array) for array in arrays))

    return run


def _written(session: Session, module: Any, name: str, workload: Workload, steps: int, program: Program) -> Run:
    """The high-level loop ``name`` over the same batches, joined to arrays of samples.

    Pairs share their batch's negatives, so there a sample is a whole batch.
    """
    batches = [batch.arrays for batch in session.first(workload, steps)]
    whole = isinstance(workload.dataset, Pairs)
    arrays = tuple((np.stack if whole else np.concatenate)(column) for column in zip(*batches, strict=True))
    batch = None if whole else workload.batch_size
    run: Run = module.make(name, program, session.implementation, workload, arrays, batch)
    return run


def _errors(session: Session, module: Any, names: list[str], batch_size: int) -> dict[str, float | None]:
    """How far each loop's steps move the worst tensor from where the bare loop's do; None where it is not finite."""
    workload = session.workload.certified(batch_size)
    program = session.fresh(workload)
    start = program.get_tensors()
    _bare(session, workload, EIGHT, program)(1)
    aim, out = program.get_tensors(), {}
    for name in names:
        other = session.fresh(workload)
        _written(session, module, name, workload, EIGHT, other)(1)
        out[name] = distance(start, aim, other.get_tensors())
    return out


def distance(start: Arrays, aim: Arrays, seen: Arrays) -> float | None:
    """‖seen − aim‖ / ‖aim − start‖ of the worst tensor; None where it is not finite."""
    moved = {name: np.linalg.norm(aim[name].astype(np.float64) - value) for name, value in start.items()}
    least = SMALL * np.sqrt(sum(m**2 for m in moved.values()))
    off = [np.linalg.norm(seen[name].astype(np.float64) - aim[name]) / max(moved[name], least) for name in start]
    worst = float(np.max(off))  # NaN stays NaN, which Python's max may lose
    return worst if np.isfinite(worst) else None
