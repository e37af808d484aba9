"""How fast the CPUs run a fixed loop between blocks.

A neighbour on the same physical core, in another virtual machine, and a lowered clock slow every program down, and no
counter that a virtual machine sees tells so: on the two cores where this was written the loop took twice as long for
half a second to a few seconds at a time, with no steal and no foreign CPU. The loop between blocks shows it. It decides
nothing, because it cannot say what happened within a block, which may be longer than such a spell.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

LOOP, TRIES = 20_000, 3  # turns of the loop, about half a millisecond; the fastest try counts
MOST_CPUS = 4  # are looked at, spread over the budget


def slowest(cpus: Sequence[int]) -> float | None:
    """Return the seconds of the loop on the slowest of ``cpus``; None where a thread cannot choose its CPU."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        return None
    chosen = cpus[:: -(-len(cpus) // MOST_CPUS)]
    kept = os.sched_getaffinity(0)
    try:
        return max(_on(cpu) for cpu in chosen)
    except OSError:  # the system took the CPU away from this process
        return None
    finally:
        os.sched_setaffinity(0, kept)


def _on(cpu: int) -> float:
    os.sched_setaffinity(0, {cpu})
    return min(_loop() for _ in range(TRIES))


def _loop() -> float:
    start, total = time.perf_counter(), 0
    for i in range(LOOP):
        total += i
    return time.perf_counter() - start
