"""What else the machine did while something was timed.

Standard library only, and cheap: it runs inside workers too. Linux offers all
of it; elsewhere each function answers None. Units are seconds.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TypedDict

DISTURBED_SHARE = 0.05  # of the block's wall seconds times the CPUs of the budget
RESOLUTION_SECONDS = 0.03  # /proc/stat counts in 10 ms and rounds several fields: less cannot be told from nothing

if sys.platform == "linux":
    _TICK = 1.0 / os.sysconf("SC_CLK_TCK")
else:
    _TICK = 0.01


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Counters since boot or since the process began; only differences mean anything."""

    busy_seconds: float | None
    steal_seconds: float | None
    pressure_seconds: float | None
    cpu_seconds: float
    involuntary_switches: int | None


class Difference(TypedDict):
    """What happened between two snapshots of one process."""

    busy_seconds: float | None  # all CPUs, this process included, steal excluded
    steal_seconds: float | None
    pressure_seconds: float | None
    cpu_seconds: float  # this process, all threads
    involuntary_switches: int | None


def snapshot() -> Snapshot:
    """The counters now, of the machine and of the calling process."""
    busy, steal = parse_stat(_read("/proc/stat"))
    return Snapshot(
        busy_seconds=busy,
        steal_seconds=steal,
        pressure_seconds=parse_pressure(_read("/proc/pressure/cpu")),
        cpu_seconds=time.process_time(),
        involuntary_switches=involuntary_switches(),
    )


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """``after`` minus ``before``; None wherever one of the two is."""
    switches = _minus(after.involuntary_switches, before.involuntary_switches)
    return {
        "busy_seconds": _minus(after.busy_seconds, before.busy_seconds),
        "steal_seconds": _minus(after.steal_seconds, before.steal_seconds),
        "pressure_seconds": _minus(after.pressure_seconds, before.pressure_seconds),
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "involuntary_switches": None if switches is None else int(switches),
    }


def is_disturbed(foreign_cpu_seconds: float | None, steal_seconds: float | None, seconds: float, *, cpus: int) -> bool:
    """Whether others took more than the declared share of the CPUs that the block could use.

    The block's own duration is no evidence: it only scales the threshold. What is unknown counts as nothing.
    """
    taken = max(0.0, foreign_cpu_seconds or 0.0) + max(0.0, steal_seconds or 0.0)
    return taken >= RESOLUTION_SECONDS and taken > DISTURBED_SHARE * seconds * cpus


def process_cpu_seconds(pid: int) -> float | None:
    """CPU seconds of a whole process, ended threads included; None when it is gone or the system cannot tell.

    Asks the kernel's CPU clock of that process (as ``clock_getcpuclockid`` does): same figure as
    /proc/PID/stat, in nanoseconds instead of 10 ms.
    """
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


def involuntary_switches() -> int | None:
    """Times the kernel took a CPU away from this process, over all its threads, ended ones included."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def parse_stat(text: str) -> tuple[float | None, float | None]:
    """Busy and steal seconds of all CPUs from /proc/stat."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == "cpu" and len(fields) >= 7:
            user, nice, system, _idle, _iowait, irq, softirq, *rest = (int(field) for field in fields)
            steal = rest[0] if rest else 0  # what follows (guests) is part of user and nice already
            return (user + nice + system + irq + softirq) * _TICK, steal * _TICK
    return None, None


def parse_pressure(text: str) -> float | None:
    """Total seconds of the 'some' line of /proc/pressure/cpu."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == "some":
            return int(dict(field.split("=") for field in fields)["total"]) / 1e6
    return None


def _minus(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
