"""Inside the worker: what a training pays from the start, step by step, then in windows."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.worker.evidence import Watch
from benchmarks.worker.session import Session

LEAST_CALLS = 3


def answer(
    session: Session, *, steps: int, slow_steps: int, slow_seconds: float, windows: int, window_seconds: float
) -> dict[str, Any]:
    """Build, ``steps`` steps call by call (``slow_steps`` where they take longer than ``slow_seconds``; 3 calls at
    least), an evaluation on twice the batch size, then ``windows`` windows of about ``window_seconds``.
    """
    watch = Watch(session)
    watch.start()
    build = session.do_build()["build_seconds"]
    together = session.together
    calls = [session.do_first_step()["first_step_seconds"]]
    while len(calls) < LEAST_CALLS or (
        len(calls) * together < steps and (len(calls) * together < slow_steps or sum(calls[1:]) < slow_seconds)
    ):
        calls.append(session.steps(together))
    graphs = session.adapter.used(session.program).get("compiled_graphs")  # of the step: nothing else ran yet
    size = 2 * session.workload.batch_size
    evaluation = [_predict(session, inputs) for inputs in session.inputs_of(size)[:2]]
    window = session.whole_calls(max(1, round(window_seconds / median(calls[len(calls) // 2 :]) * together)))
    seen = [session.steps(window) for _ in range(windows)]
    watch.stop()
    return {
        "evaluation_batch": size,
        "launch": {
            "compiled_graphs": graphs,
            "build_seconds": build,
            "call_steps": together,
            "call_seconds": calls,
            "evaluation_seconds": evaluation,
            "window_steps": window,
            "window_seconds": seen,
            **watch.sample(),
        },
    }


def _predict(session: Session, inputs: tuple[Any, ...]) -> float:
    session.adapter.synchronize()
    start = time.perf_counter()
    session.program.predict(*inputs)
    session.adapter.synchronize()
    return time.perf_counter() - start
