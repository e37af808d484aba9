"""What is installed, what is missing and why, and what would disturb a measurement now."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

import psutil
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from benchmarks.engine.availability import DEVICES, Availability
from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import distributions, frameworks
from benchmarks.machine import counters
from benchmarks.machine.cgroup import cpu_quota
from benchmarks.machine.computer import cpu_budget, interpreter, machine, memory_available
from benchmarks.machine.gpu_check import missing_gpu
from benchmarks.protocol.disturbed import DISTURBED_SHARE, is_disturbed

LOOK_SECONDS = 1.0  # how long the machine is watched
BUSY_SHARE = 0.02  # of one CPU: a process above this is named
NAMED = 5


def run_doctor(console: Console) -> None:
    """Print the report as it comes: probes take seconds where their answers are not remembered."""
    for part in report():
        console.print(part)


def report() -> Iterator[RenderableType]:
    """Yield the parts of the report, in the order in which they are shown."""
    yield from _installed()
    yield stacks_table(Availability())
    yield from _machine()
    yield from _data()
    found = list(disturbances())
    yield "\n[bold]What would disturb a measurement now[/]"
    yield "\n".join(f"  • {line}" for line in found) if found else "  nothing was seen"


def _installed() -> Iterator[RenderableType]:
    this = interpreter("default", also=distributions())
    packages = "  ".join(f"{name} {version}" for name, version in this.packages.items())
    yield f"[bold]Python[/] {this.python}"
    yield f"[bold]Packages that matter[/] {packages or 'none'}"


def stacks_table(availability: Availability) -> Table:
    """Return a table of every mode of every framework, on every device that there is."""
    no_gpu = missing_gpu()
    devices = [device for device in DEVICES if device != "cuda" or not no_gpu]
    table = Table("framework", "mode", *devices, title="Stacks", title_justify="left", title_style="bold")
    for framework in frameworks().values():
        for mode, described in framework.modes.items():
            reasons = [availability.reason(framework.name, mode, device) for device in devices]
            name = f"{mode} (tuned)" if described.tuned else mode
            table.add_row(framework.name, name, *(escape(r) or "[green]available[/]" for r in reasons))
    if no_gpu:
        table.caption, table.caption_justify = f"cuda: {no_gpu}", "left"
    return table


def _machine() -> Iterator[RenderableType]:
    facts = machine()
    yield f"\n[bold]Machine[/] {facts.name}: {facts.cpu}, {facts.physical_cores} cores ({facts.logical_cores} logical)"
    yield f"[bold]System[/] {facts.system}, {facts.libc}{', virtualised' if facts.virtualised else ''}"
    try:
        threads, affinity = cpu_budget()
        yield f"[bold]Budget[/] {threads} threads on CPUs {', '.join(map(str, affinity)) or 'of the system’s choice'}"
    except Problem as error:
        yield f"[bold]Budget[/] {error}"
    yield f"[bold]Memory[/] {memory_available() / 2**30:.1f} of {facts.memory_bytes / 2**30:.1f} GiB available"
    gpus = "; ".join(f"{g['name']}, {g['memory']}, driver {g['driver']}" for g in facts.gpus)
    yield f"[bold]GPU[/] {gpus or missing_gpu()}"
    yield f"[bold]Governor[/] {facts.governor or 'not shown by this system'}"
    compilers = [name for name in ("g++", "clang++", "gcc", "clang", "cl", "nvcc") if shutil.which(name)]
    yield f"[bold]Compilers[/] {', '.join(compilers) or 'none'}"


def _data() -> Iterator[RenderableType]:
    from benchmarks.data import fetch

    chosen = "BOOKBENCH_DATA" if os.environ.get("BOOKBENCH_DATA") else "the default; BOOKBENCH_DATA is not set"
    yield f"[bold]Data[/] {escape(str(fetch.data_folder()))} ({chosen})"
    for name in fetch.sets():
        wrong = fetch.verify(name)
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        missing = f"{escape(wrong[0])}{more}: python -m benchmarks data fetch {name}" if wrong else ""
        yield f"  {name}: {missing or 'complete, hashes right'}"


def disturbances(seconds: float = LOOK_SECONDS) -> Iterator[str]:
    """Watch the machine for ``seconds`` and yield sentences about what would disturb a measurement now."""
    yield from _settings()
    processes = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    for process in processes:
        _used(process)
    before = counters.snapshot()
    time.sleep(seconds)
    gap = counters.difference(before, counters.snapshot())
    if gap["busy_seconds"] is not None:
        foreign = gap["busy_seconds"] - gap["cpu_seconds"]
        taken = {"foreign_cpu_seconds": foreign, "steal_seconds": gap["steal_seconds"]}
        if is_disturbed(taken, seconds, cpus=cpu_budget()[0]):
            stolen = gap["steal_seconds"] or 0.0
            yield f"others use {foreign / seconds:.0%} of a CPU, and the hypervisor took {stolen / seconds:.0%}"
    if gap["pressure_seconds"] and gap["pressure_seconds"] > DISTURBED_SHARE * seconds:
        yield f"tasks waited for a CPU {gap['pressure_seconds'] / seconds:.0%} of the time (/proc/pressure/cpu)"
    used = sorted((_used(process) for process in processes), reverse=True)
    yield from (f"{name} uses {share:.0%} of a CPU" for share, name in used[:NAMED] if share > BUSY_SHARE)


def _used(process: psutil.Process) -> tuple[float, str]:
    """Return the share of one CPU since the last call, and the name; nothing when the process is gone or hidden."""
    try:
        return process.cpu_percent() / 100, process.name()
    except psutil.Error:
        return 0.0, ""


def _settings() -> Iterator[str]:
    """Yield what affects measurements without being busy."""
    facts = machine()
    if facts.governor and facts.governor != "performance":
        yield f"the CPU governor is {facts.governor}, not performance: clocks follow the load"
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is not None and not battery.power_plugged:
        yield "the machine runs on its battery"
    quota = cpu_quota()
    if quota is not None:
        yield f"this container may use {quota:g} CPUs' worth of time: work beyond that is throttled"
    if hasattr(os, "getloadavg"):
        load, cores = os.getloadavg()[0], facts.physical_cores or 1
        if load > 0.5 * cores:
            yield f"the load of the last minute is {load:.1f} on {cores} cores"
    if psutil.swap_memory().used > 0.05 * facts.memory_bytes:
        yield "memory has been swapped out"
    if facts.virtualised:
        yield "this is a virtual machine: neighbours may take time that only steal shows"
