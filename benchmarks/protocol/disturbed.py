"""When is something that was timed disturbed: the one rule, from evidence alone.

Pure and standard library only: workers judge by it, and ``verify`` judges again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DISTURBED_SHARE = 0.05  # of the wall seconds times the CPUs of the stack
MOST_CPU = 0.1  # CPUs that others may use: a barrier waits for the one thread that was held up, however many there are
# NVML's throttle reasons that heat or the power supply causes: hardware slowdown, software and hardware thermal
# slowdown, power brake. Left out: idleness, clocks somebody set, sync boost, and the software power cap, which a
# program that uses the whole GPU reaches by itself.
GPU_THROTTLES = 0x08 | 0x20 | 0x40 | 0x80
RESOLUTION_SECONDS = 0.03  # /proc/stat counts in 10 ms and rounds several fields: less cannot be told from nothing
RESOLVED_CPUS = 2  # for so many; each CPU is rounded for itself, so the error grows with the root of their number
# Evidence that adds up, and evidence of which the least marks.
TAKEN = ("foreign_cpu_seconds", "steal_seconds", "throttled_seconds")
MARKS = ("cpu_throttles", "gpu_throttled_seconds", "gpu_foreign_processes")


def is_disturbed(evidence: Mapping[str, Any], seconds: float, *, cpus: int) -> bool:
    """Say whether others, or a quota, took more than the declared share of the CPUs that were to be used, or heat
    slowed CPU or GPU, or another process had work on the GPU.

    ``evidence`` is by name as in :class:`benchmarks.schema.samples.Evidence`; what is unknown counts as nothing. The
    share ends at ``MOST_CPU`` whole CPUs, so that one busy neighbour is seen beside any number of threads. The duration
    ``seconds`` is no evidence: it only scales the threshold.

    CPU pressure and involuntary switches are recorded but decide nothing, because a stack with more threads than CPUs
    makes them itself. Over the 288 quiet blocks of a published run on two cores, tasks waited 0.5 to 6 % of the time in
    PyTorch and 10 to 41 % in TensorFlow graphs, so that any threshold would mark one framework's blocks and
    spare another's. A neighbour who causes pressure also uses CPU, and that is seen.
    """
    taken = sum(max(0.0, evidence.get(name) or 0.0) for name in TAKEN)
    resolution = RESOLUTION_SECONDS * max(1.0, math.sqrt(cpus / RESOLVED_CPUS))
    crowded = taken >= resolution and taken > min(DISTURBED_SHARE * cpus, MOST_CPU) * seconds
    hot = bool((evidence.get("gpu_throttle_reasons") or 0) & GPU_THROTTLES)
    return crowded or hot or any(evidence.get(name) for name in MARKS)
