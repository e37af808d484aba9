"""Inside the worker: this stack's step time, then the ceilings as this stack reaches them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import experiments
from benchmarks.worker.evidence import counted
from benchmarks.worker.session import Session

LEAST = 8  # steps of a block
ON_GPU = 1 << 30  # bytes of an array there: twenty times the largest cache
BEYOND = 4  # an array is so many times all last-level caches together
ARRAYS = 2  # of a stream
OF_MEMORY = 0.25  # of what is free may be taken by them
NO_CACHE_KNOWN = 64 << 20  # bytes, where the system does not tell its caches
SMALLEST = 200  # calls of the smallest step between synchronisations


def answer(
    session: Session,
    *,
    framework: str,
    sizes: list[int],
    stream_bytes: int | None,
    free_bytes: int,
    repetitions: int,
    seconds: float,
    blocks: int,
    warm: float,
) -> dict[str, Any]:
    offered = experiments.of_framework(framework, "limits")
    session.do_build()
    session.do_first_step()
    session.do_warm_up(floor_seconds=warm / 2, ceiling_seconds=warm, windows=3)
    least = session.whole_calls(LEAST)
    steps = session.whole_calls(max(least, math.ceil(seconds * least / session.steps(least))))
    timed = [counted(session, partial(session.steps, steps)) for _ in range(blocks)]
    found: dict[str, Any] = {"blocks": [{"steps": steps, **block} for block in timed]}

    def repeat(run: Callable[[], Any], at_once: int = 1) -> tuple[int, list[dict[str, Any]]]:
        return repeated(run, session, repetitions, seconds, at_once)

    found["products"] = []
    for size in sizes:
        count, taken = repeat(offered.product(session.adapter, size))
        found["products"].append({"size": size, "products": count, "repetitions": taken})
    found["streams"] = []
    found["caches"] = caches = sized(offered.on_gpu(session.adapter), stream_bytes, free_bytes)
    for kind, run, moved in offered.streams(session.adapter, caches["array_bytes"]):
        count, taken = repeat(run)
        found["streams"].append({"kind": kind, "bytes": moved, "passes": count, "repetitions": taken})
    run, per_operator = offered.smallest(session.adapter)
    count, taken = repeat(run, SMALLEST)
    rest = "" if per_operator else getattr(offered, "EAGER_REST", "")
    facts = {"per_operator": per_operator, "together": session.together, "eager_rest": rest}
    found["smallest"] = {"calls": count, "repetitions": taken, **facts}
    return found


def repeated(
    run: Callable[[], Any], session: Session, repetitions: int, seconds: float, at_once: int = 1
) -> tuple[int, list[dict[str, Any]]]:
    """Calls per repetition, about ``seconds`` long and a multiple of ``at_once``; every repetition, watched."""

    def timed(calls: int) -> float:
        session.adapter.synchronize()
        start = time.perf_counter_ns()
        for _ in range(calls):
            run()
        session.adapter.synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    timed(at_once)  # compiles, takes memory
    calls = at_once * max(1, round(seconds / timed(at_once)))
    return calls, [counted(session, partial(timed, calls)) for _ in range(repetitions)]


def sized(
    gpu: bool, wanted: int | None, free: int, *, cpus: Collection[int] | None = None, system: Path = Path("/")
) -> dict[str, Any]:
    """Bytes of a stream's array that no caches hold, as far as ``free`` memory allows, or ``wanted``; and the caches.

    ``cpus``: those of the run, as this worker is bound to them.
    """
    if gpu:
        return {"last_level_bytes": None, "count": 0, "array_bytes": wanted or ON_GPU, "short_of_memory": False}
    if cpus is None:
        cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    found = last_level(cpus, system)
    most = max(1 << 20, int(OF_MEMORY * free / ARRAYS))
    array = wanted or BEYOND * (sum(found) or NO_CACHE_KNOWN)
    facts = {"last_level_bytes": sum(found) or None, "count": len(found)}
    return {**facts, "array_bytes": min(array, most), "short_of_memory": most < array}


def last_level(cpus: Collection[int], system: Path = Path("/")) -> list[int]:
    """Bytes of each different last-level cache of ``cpus``: a processor may have one per group of cores."""
    found: dict[str, int] = {}
    for cpu in cpus:
        levels: dict[int, tuple[str, int]] = {}
        for folder in sorted((system / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index*")):
            try:
                level, size = int((folder / "level").read_text()), _bytes((folder / "size").read_text())
                levels[level] = (f"{level}: {(folder / 'shared_cpu_list').read_text().strip()}", size)
            except (OSError, ValueError):  # a cache of which the system does not tell all
                continue
        if levels:
            shared, size = levels[max(levels)]
            found[shared] = size
    return list(found.values())


def _bytes(text: str) -> int:
    """``32768K`` as Linux writes it."""
    digits, unit = text.strip().rstrip("KMG"), text.strip()[-1:]
    return int(digits) << {"K": 10, "M": 20, "G": 30}.get(unit, 0)
