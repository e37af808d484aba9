"""State of the GPU: evidence of clocks, throttling and other processes. Nothing where NVML is not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def handle() -> Any:
    """The first GPU this process may use; None without NVML."""
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


def evidence() -> dict[str, Any]:
    """``gpu_clock_mhz``, ``gpu_temperature_c`` and ``gpu_throttle_reasons``; empty where they cannot be read."""
    gpu = handle()
    if gpu is None:
        return {}
    import pynvml

    readings: dict[str, Callable[[], Any]] = {
        "gpu_clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_SM),
        "gpu_temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU),
        "gpu_throttle_reasons": lambda: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu),
    }
    out: dict[str, Any] = {}
    for name, read in readings.items():
        try:
            out[name] = read()
        except pynvml.NVMLError:
            continue  # this GPU does not tell: the field stays None
    return out


def processes() -> int | None:
    """How many processes use the GPU, to compute or to draw; None where NVML does not tell.

    Only their number: within a container NVML's process ids are the host's, so that one cannot find oneself by them.
    """
    gpu = handle()
    if gpu is None:
        return None
    import pynvml

    found: set[int] = set()
    for name in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
        try:
            found |= {process.pid for process in getattr(pynvml, name)(gpu)}
        except pynvml.NVMLError:
            return None
    return len(found) or None  # the caller is one of them: an empty list is a list withheld
