"""Inside the worker: high-water marks of building and of a few steps."""

from __future__ import annotations

from typing import Any

from benchmarks.errors import Unavailable
from benchmarks.machine import process_memory
from benchmarks.worker.session import Session


def answer(session: Session, *, steps: int) -> dict[str, Any]:
    imported = process_memory.resident()
    if imported is None:
        raise Unavailable("this system does not tell the resident memory of a process")
    session.adapter.reset_peak_memory()
    built = session.do_build()
    process_memory.reset_peak()
    steps = session.whole_calls(steps)
    for _ in range(0, session.together + steps, session.together):
        session.steps(session.together)
    return {
        "batch_size": session.workload.batch_size,
        "steps": steps,
        "imported_resident": imported,
        "build_peak_resident": built["build_peak_resident"],
        "training_peak_resident": process_memory.peak(),
        "training_peak_device": session.adapter.peak_memory(),
    }
