"""What the system's files say of this process's control groups: quotas, memory, kills.

Standard library only: it runs inside workers too. Elsewhere than on Linux there are no such files, and nothing is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def read(path: str | Path) -> str:
    """Return a file of the system; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def groups(system: Path = ROOT) -> Iterator[Path]:
    """Yield the folders of this process's control group (version 2) and of those around it, innermost first."""
    own = next((x[3:] for x in read(system / "proc/self/cgroup").splitlines() if x.startswith("0::")), "/")
    top = (system / "sys/fs/cgroup").resolve()
    group = (top / own.strip("/")).resolve()
    yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top))


def cpu_quota(system: Path = ROOT) -> float | None:
    """Return the CPUs' worth of time that this process may use; None where there is no limit."""
    limits = [read(folder / "cpu.max").split() for folder in groups(system)]
    old = system / "sys/fs/cgroup/cpu"  # version 1
    limits.append([read(old / "cpu.cfs_quota_us").strip(), read(old / "cpu.cfs_period_us").strip()])
    quotas = [int(x[0]) / int(x[1]) for x in limits if len(x) == 2 and x[0].isdigit() and x[1].isdigit()]
    return min(quotas, default=None)


def quota_statistics(system: Path = ROOT) -> list[Path]:
    """Return cpu.stat of each group that has a quota."""
    return [f / "cpu.stat" for f in groups(system) if read(f / "cpu.max").split()[:1] not in ([], ["max"])]


def memory_left(system: Path = ROOT) -> Iterator[int]:
    """Yield, of each group with a limit, how many bytes it leaves."""
    for folder in groups(system):
        limit, used = read(folder / "memory.max").strip(), read(folder / "memory.current").strip()
        if limit.isdigit() and used.isdigit():
            yield max(0, int(limit) - int(used))


def oom_kills(system: Path = ROOT) -> int:
    """Return how often the kernel killed a process of this group for lack of memory; 0 where it does not tell."""
    lines = read(next(groups(system), system) / "memory.events").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
