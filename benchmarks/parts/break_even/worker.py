"""Inside the worker: what a training pays from the start, step by step, then in windows."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.session import Session


def answer(
    session: Session, *, steps: int, slow_steps: int, slow_seconds: float, windows: int, window_seconds: float
) -> dict[str, Any]:
    """Build, ``steps`` single steps (``slow_steps`` where they take longer than ``slow_seconds``), an evaluation on
    twice the batch size, then ``windows`` windows of about ``window_seconds``.
    """
    build = session.do_build()["build_seconds"]
    single: list[float] = []
    while len(single) < steps and (len(single) < slow_steps or sum(single[1:]) < slow_seconds):
        single.append(session.steps(1))
    size = 2 * session.workload.batch_size
    evaluation = [_predict(session, inputs) for inputs in session.inputs_of(size)[:2]]
    window = max(1, round(window_seconds / median(single[len(single) // 2 :])))
    return {
        "evaluation_batch": size,
        "launch": {
            "build_seconds": build,
            "step_seconds": single,
            "evaluation_seconds": evaluation,
            "window_steps": window,
            "window_seconds": [session.steps(window) for _ in range(windows)],
        },
    }


def _predict(session: Session, inputs: tuple[Any, ...]) -> float:
    session.adapter.synchronize()
    start = time.perf_counter()
    session.program.predict(*inputs)
    session.adapter.synchronize()
    return time.perf_counter() - start
