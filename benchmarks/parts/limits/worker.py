"""Inside the worker: this stack's step time, then the ceilings as this stack reaches them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import parts
from benchmarks.session import Session

WHOLE = 8  # steps come in multiples of it, which fills calls that take several
ON_GPU = 1 << 30  # bytes of an array there: twenty times the largest cache
BEYOND = 4  # an array is so many times the last cache of a CPU
NO_CACHE_KNOWN = 64 << 20  # bytes, where the system does not tell its caches
SMALLEST = 200  # calls of the smallest step between synchronisations


def answer(
    session: Session,
    *,
    framework: str,
    sizes: list[int],
    stream_bytes: int | None,
    repetitions: int,
    seconds: float,
    blocks: int,
    warm: float,
) -> dict[str, Any]:
    offered = parts.of_framework(framework, "limits")
    session.do_build()
    session.do_first_step()
    session.do_warm_up(floor_seconds=warm / 2, ceiling_seconds=warm, windows=3)
    steps = whole(seconds * WHOLE / session.steps(WHOLE))
    found: dict[str, Any] = {"blocks": [{"steps": steps, "seconds": session.steps(steps)} for _ in range(blocks)]}

    def repeat(run: Callable[[], Any], at_once: int = 1) -> tuple[int, list[float]]:
        return repeated(run, session.adapter.synchronize, repetitions, seconds, at_once)

    found["products"] = []
    for size in sizes:
        count, taken = repeat(offered.product(session.adapter, size))
        found["products"].append({"size": size, "products": count, "seconds": taken})
    found["streams"] = []
    array = stream_bytes or beyond_caches(offered.on_gpu(session.adapter))
    for kind, run, moved in offered.streams(session.adapter, array):
        count, taken = repeat(run)
        found["streams"].append({"kind": kind, "bytes": moved, "passes": count, "seconds": taken})
    run, per_operator = offered.smallest(session.adapter)
    count, taken = repeat(run, SMALLEST)
    together = getattr(session.program, "together", 1)
    found["smallest"] = {"calls": count, "seconds": taken, "per_operator": per_operator, "together": together}
    return found


def whole(steps: float) -> int:
    return max(1, math.ceil(steps / WHOLE)) * WHOLE


def repeated(
    run: Callable[[], Any], synchronize: Callable[[], None], repetitions: int, seconds: float, at_once: int = 1
) -> tuple[int, list[float]]:
    """Calls per repetition, about ``seconds`` long and a multiple of ``at_once``; seconds of every repetition."""

    def timed(calls: int) -> float:
        synchronize()
        start = time.perf_counter_ns()
        for _ in range(calls):
            run()
        synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    timed(at_once)  # compiles, takes memory
    calls = at_once * max(1, round(seconds / timed(at_once)))
    return calls, [timed(calls) for _ in range(repetitions)]


def beyond_caches(gpu: bool, cpu: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Bytes of an array that no cache holds."""
    if gpu:
        return ON_GPU
    found = [_bytes(path.read_text()) for path in cpu.glob("index*/size")]
    return BEYOND * max(found, default=NO_CACHE_KNOWN)


def _bytes(text: str) -> int:
    """``32768K`` as Linux writes it."""
    digits, unit = text.strip().rstrip("KMG"), text.strip()[-1:]
    return int(digits) << {"K": 10, "M": 20, "G": 30}.get(unit, 0)
