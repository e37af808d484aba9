"""Inside the worker: latency of single requests and throughput of large batches."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.machine import process_memory
from benchmarks.worker.model_handle import Hands
from benchmarks.worker.session import Session


def answer(
    session: Session, *, calls: int, warm_calls: int, batch_sizes: list[int], min_seconds: float
) -> dict[str, Any]:
    """Single: batch 1, host to host, synchronised per call. Offline: throughput per batch size."""
    process_memory.reset_peak()
    session.adapter.reset_peak_memory()
    task, hands = session.task(session.workload), Hands(session.adapter, session.program)
    task.single(hands, warm_calls)
    single = task.single(hands, calls)
    offline = [_offline(session, size, min_seconds) for size in batch_sizes]
    return {
        "single": {"calls": calls, **single},
        "offline": offline,
        "inference_peak_resident": process_memory.peak(),
        "inference_peak_device": session.adapter.peak_memory(),
    }


def _offline(session: Session, size: int, min_seconds: float) -> dict[str, Any]:
    predict, synchronize = session.program.predict, session.adapter.synchronize
    pool = session.inputs_of(size)
    for batch in pool[:3]:
        predict(*batch)
    synchronize()
    start = time.perf_counter_ns()
    calls, spent = 0, 0.0
    while spent < min_seconds or calls < 3:
        for batch in pool:
            predict(*batch)
        synchronize()
        calls += len(pool)
        spent = (time.perf_counter_ns() - start) / 1e9
    return {"batch_size": size, "calls": calls, "seconds": spent, "items": session.workload.items}
