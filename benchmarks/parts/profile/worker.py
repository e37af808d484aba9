"""Inside the worker: warm up, time a few steps, and take as many again under the framework's profiler."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

from benchmarks import parts
from benchmarks.parts.profile import timeline
from benchmarks.session import Session

WHOLE = 8  # steps come in multiples of it, which fills calls that take several
BLOCKS = 3  # without the profiler
SHOWN = 20  # operators


def answer(session: Session, *, framework: str, seconds: float, most: int, warm: float, trace: str) -> dict[str, Any]:
    offered = parts.of_framework(framework, "profile")
    offered.prepare(session.adapter)
    session.do_build()
    session.do_first_step()
    session.do_warm_up(floor_seconds=warm / 2, ceiling_seconds=warm, windows=3)
    fitting = seconds * WHOLE / session.steps(WHOLE)
    steps = max(1, math.ceil(min(fitting, most) / WHOLE)) * WHOLE
    unprofiled = [{"steps": steps, "seconds": session.steps(steps)} for _ in range(BLOCKS)]
    used = 0.0

    def run() -> None:
        nonlocal used
        before = time.process_time()
        session.steps(steps)
        used = time.process_time() - before

    recorded: timeline.Recorded = offered.record(session.adapter, run, Path(trace))
    device = offered.on_gpu(session.adapter)
    found = timeline.operators(recorded, device=device)
    return {
        "steps": steps,
        "split": timeline.split(recorded, device=device, cpu_seconds=used),
        "cpu_seconds": used,
        "unprofiled": unprofiled,
        "operators": [dataclasses.asdict(o) for o in found[:SHOWN]],
        "operator_seconds": sum(o.seconds for o in found),
        "compilation": offered.compilation(session.adapter, session.program),
    }
