"""Inside the worker: warm up, time a few steps, take as many again under the profiler, list one step's operators."""

from __future__ import annotations

import dataclasses
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import experiments
from benchmarks.errors import Unavailable
from benchmarks.experiments.profile import timeline
from benchmarks.worker.evidence import counted
from benchmarks.worker.session import Session
from benchmarks.workload import operations

LEAST = 8  # steps that are profiled
BLOCKS = 3  # without the profiler
SHOWN = 20  # operators


def answer(session: Session, *, framework: str, seconds: float, most: int, warm: float, trace: str) -> dict[str, Any]:
    offered = experiments.of_framework(framework, "profile")
    offered.prepare(session.adapter)
    session.do_build()
    session.do_first_step()
    session.do_warm_up(floor_seconds=warm / 2, ceiling_seconds=warm, windows=3)
    least = session.whole_calls(LEAST)
    fitting = math.ceil(seconds * least / session.steps(least))
    steps = session.whole_calls(max(least, min(fitting, most)))
    unprofiled = [{"steps": steps, **counted(session, partial(session.steps, steps))} for _ in range(BLOCKS)]
    used, profiled = 0.0, {}

    def timed() -> float:
        nonlocal used
        before = time.process_time()
        seconds = session.steps(steps)
        used = time.process_time() - before
        return seconds

    def run() -> None:
        nonlocal profiled
        profiled = counted(session, timed)

    recorded: timeline.Recorded = offered.record(session.adapter, run, Path(trace))
    device = offered.on_gpu(session.adapter)
    found = timeline.operators(recorded, device=device)
    return {
        "steps": steps,
        "split": timeline.split(recorded, device=device, cpu_seconds=used),
        "profiled": profiled,
        "cpu_seconds": used,
        "unprofiled": unprofiled,
        "operators": [dataclasses.asdict(o) for o in found[:SHOWN]],
        "operator_seconds": sum(o.seconds for o in found),
        "compilation": offered.compilation(session.adapter, session.program),
        **_flags(session, framework),
    }


def _flags(session: Session, framework: str) -> dict[str, Any]:
    """What one step does otherwise than declared, of a program of its own, after everything else."""
    workload, batch = session.workload, next(session.batches)
    try:
        listing = experiments.of_framework(framework, "operations", room="experiments.profile")
        found = listing.operators(session.adapter, session.implementation, workload, batch)
    except Unavailable as reason:
        return {"unlisted": str(reason)}
    return {"flags": [dataclasses.asdict(flag) for flag in operations.compare(workload, found)]}
