"""Resident memory of this process and its resettable high-water mark. Bytes; None where not offered."""

from __future__ import annotations

import os
from pathlib import Path

_STATUS = Path("/proc/self/status")


def _field(name: str) -> int | None:
    try:
        text = _STATUS.read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return None


def resident() -> int | None:
    return _field("VmRSS")


def peak() -> int | None:
    """Return the high-water mark since the last :func:`reset_peak` (Linux)."""
    return _field("VmHWM")


def reset_peak() -> None:
    """Set the high-water mark to the current resident set, where the kernel lets us."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # not Linux: peak() then answers None there too


def allocator() -> str:
    """Return which allocator serves ``malloc`` in this process, and whether it is set to keep what is freed."""
    try:
        mapped = Path("/proc/self/maps").read_text()
    except OSError:
        return "not known"
    for name in ("jemalloc", "tcmalloc", "mimalloc"):
        if name in mapped:
            return name
    kept = "MALLOC_TRIM_THRESHOLD_" in os.environ and "MALLOC_MMAP_THRESHOLD_" in os.environ
    return "glibc, freed memory kept" if kept else "glibc"
