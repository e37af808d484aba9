"""State of the GPU around a block: clocks, throttling, other processes. Nothing where NVML is not there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any


@cache
def handle() -> Any:
    """Return the first GPU this process may use; None without NVML."""
    import os

    try:
        import pynvml

        pynvml.nvmlInit()
        wanted = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        if wanted.isdigit():
            return pynvml.nvmlDeviceGetHandleByIndex(int(wanted))
        return pynvml.nvmlDeviceGetHandleByUUID(wanted)
    except Exception:  # no library, no driver, no such device: NVML has an error class for each
        return None


@dataclass(frozen=True)
class Before:
    """What NVML said just before a block; None where it cannot tell."""

    processes: frozenset[int] | None = None
    heat_ns: int | None = None


def before() -> Before:
    """Return which processes compute on the GPU now, and for how long heat has slowed it so far."""
    gpu = handle()
    return Before() if gpu is None else Before(_processes(gpu), _heat_ns(gpu))


def evidence(earlier: Before | None = None, *, own: Collection[int] = ()) -> dict[str, Any]:
    """Return the fields ``gpu_*`` of :class:`benchmarks.schema.samples.Evidence` that can be read.

    With what :func:`before` said before the block also what happened since: ``own`` are the process ids of this run's
    workers, the timed one first. A process counts as foreign that was there before or is there now. Where NVML does not
    list the timed worker, as in a container with process ids of its own, others cannot be told: nothing is said.
    """
    gpu = handle()
    if gpu is None:
        return {}
    import pynvml

    readings: dict[str, Callable[[], Any]] = {
        "gpu_clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_SM),
        "gpu_temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU),
        "gpu_throttle_reasons": lambda: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu),
    }
    out = {name: value for name, read in readings.items() if (value := _told(read)) is not None}
    if earlier is not None:
        now, heat = _processes(gpu), _heat_ns(gpu)
        seen = None if now is None or earlier.processes is None else now | earlier.processes
        if seen is not None and own and next(iter(own)) in seen:
            out["gpu_foreign_processes"] = len(seen - set(own))
        if heat is not None and earlier.heat_ns is not None:
            out["gpu_throttled_seconds"] = max(0, heat - earlier.heat_ns) / 1e9
    return out


def both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Evidence of two stretches of one sample together: what either saw counts, clocks and temperature of the later."""
    out = first | second
    for name in first.keys() & second.keys():
        if name == "gpu_throttle_reasons":
            out[name] = first[name] | second[name]
        elif name == "gpu_foreign_processes":
            out[name] = max(first[name], second[name])
        elif name == "gpu_throttled_seconds":
            out[name] = first[name] + second[name]
    return out


def _processes(gpu: Any) -> frozenset[int] | None:
    import pynvml

    found = _told(lambda: pynvml.nvmlDeviceGetComputeRunningProcesses(gpu))
    return None if found is None else frozenset(process.pid for process in found)


def _heat_ns(gpu: Any) -> int | None:
    """Return for how many nanoseconds, since the driver was loaded, heat held the clocks down."""
    import pynvml

    status = _told(lambda: pynvml.nvmlDeviceGetViolationStatus(gpu, pynvml.NVML_PERF_POLICY_THERMAL))
    return None if status is None else int(status.violationTime)


def _told(read: Callable[[], Any]) -> Any:
    """Return what NVML reports; None where this GPU or this version of NVML does not."""
    import pynvml

    try:
        return read()
    except (pynvml.NVMLError, AttributeError):  # the latter: a binding that has no such function
        return None


def processes() -> int | None:
    """Count the processes that use the GPU, to compute or to draw; None where NVML does not report them.

    Only their number: within a container NVML's process ids are the host's, so that one cannot find oneself by them.
    """
    gpu = handle()
    if gpu is None:
        return None
    import pynvml

    found: set[int] = set()
    for seen in (
        _told(lambda: pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)),
        _told(lambda: pynvml.nvmlDeviceGetGraphicsRunningProcesses(gpu)),
    ):
        if seen is None:
            return None
        found |= {process.pid for process in seen}
    return len(found) or None  # the caller is one of them: an empty list is a list withheld
