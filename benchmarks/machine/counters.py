"""Counters of what the machine and this process do; :mod:`benchmarks.protocol.disturbed` judges their differences.

Standard library only, and cheap: it runs inside workers too. Linux offers all
of it; elsewhere each function answers None. Units are seconds.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

from benchmarks.machine.cgroup import quota_statistics, read

if sys.platform == "linux":
    TICK = 1.0 / os.sysconf("SC_CLK_TCK")
else:
    TICK = 0.01


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Counters since boot or since the process began; only differences mean anything."""

    busy_seconds: float | None
    steal_seconds: float | None
    stat_cpus: int | None
    pressure_seconds: float | None
    throttled_seconds: float | None
    cpu_throttles: int | None
    cpu_seconds: float
    involuntary_switches: int | None


class Difference(TypedDict):
    """What happened between two snapshots of one process."""

    busy_seconds: float | None  # of the CPUs looked at, this process included, steal excluded
    steal_seconds: float | None  # of the same CPUs
    stat_cpus: int | None  # how many CPUs were looked at
    pressure_seconds: float | None
    throttled_seconds: float | None  # by a container's CPU quota
    cpu_throttles: int | None  # thermal events of the CPUs this process may use
    cpu_seconds: float  # this process, all threads
    involuntary_switches: int | None


_quota_files = cache(quota_statistics)


def snapshot(cpus: Collection[int] = ()) -> Snapshot:
    """The counters now, of the machine and of the calling process; busy time and steal of ``cpus`` (empty: of all)."""
    busy, steal, looked_at = parse_stat(read("/proc/stat"), cpus)
    return Snapshot(
        busy_seconds=busy,
        steal_seconds=steal,
        stat_cpus=looked_at,
        pressure_seconds=parse_pressure(read("/proc/pressure/cpu")),
        throttled_seconds=parse_throttled([read(path) for path in _quota_files()]),
        cpu_throttles=_thermal_events(),
        cpu_seconds=time.process_time(),
        involuntary_switches=involuntary_switches(),
    )


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """``after`` minus ``before``; None wherever one of the two is, and where they looked at different CPUs."""
    switches = _minus(after.involuntary_switches, before.involuntary_switches)
    throttles = _minus(after.cpu_throttles, before.cpu_throttles)
    same = after.stat_cpus == before.stat_cpus  # a CPU that went offline between them took its counters along
    return {
        "busy_seconds": _minus(after.busy_seconds, before.busy_seconds) if same else None,
        "steal_seconds": _minus(after.steal_seconds, before.steal_seconds) if same else None,
        "stat_cpus": after.stat_cpus if same else None,
        "pressure_seconds": _minus(after.pressure_seconds, before.pressure_seconds),
        "throttled_seconds": _minus(after.throttled_seconds, before.throttled_seconds),
        "cpu_throttles": None if throttles is None else int(throttles),
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "involuntary_switches": None if switches is None else int(switches),
    }


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


def parse_stat(text: str, cpus: Collection[int] = ()) -> tuple[float | None, float | None, int | None]:
    """Busy and steal seconds from /proc/stat, and of how many CPUs: of ``cpus`` where each has a line, else of all.

    All of them together are rounded once, so their common line is taken where ``cpus`` are all there are.
    """
    found: dict[str, tuple[int, int]] = {}
    for line in text.splitlines():
        name, *fields = line.split() or [""]
        if re.fullmatch(r"cpu\d*", name) and len(fields) >= 7:
            user, nice, system, _idle, _iowait, irq, softirq, *rest = (int(field) for field in fields)
            steal = rest[0] if rest else 0  # what follows (guests) is part of user and nice already
            found[name] = (user + nice + system + irq + softirq, steal)
    together = found.pop("cpu", None)
    wanted = {f"cpu{cpu}" for cpu in cpus}
    if wanted and wanted < found.keys():
        busy, steal = (sum(found[name][k] for name in wanted) for k in (0, 1))
        return busy * TICK, steal * TICK, len(wanted)
    return (together[0] * TICK, together[1] * TICK, len(found) or None) if together else (None, None, None)


def parse_pressure(text: str) -> float | None:
    """Total seconds of the 'some' line of /proc/pressure/cpu."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == "some":
            return int(dict(field.split("=") for field in fields)["total"]) / 1e6
    return None


def parse_throttled(texts: Iterable[str]) -> float | None:
    """Seconds for which CPU quotas stopped tasks, from the cpu.stat files of this control group and those around it."""
    found = [int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("throttled_usec ")]
    return max(found) / 1e6 if found else None


@cache
def _thermal_files() -> list[Path]:
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    folders = (Path(f"/sys/devices/system/cpu/cpu{cpu}/thermal_throttle") for cpu in sorted(cpus))
    return [path for folder in folders for path in folder.glob("*_throttle_count")]


def _thermal_events() -> int | None:
    """Thermal throttling events of the CPUs this process may use; None where they are not counted."""
    counts = [text for path in _thermal_files() if (text := read(path).strip()).isdigit()]
    return sum(map(int, counts)) if counts else None


def _minus(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
