"""Energy counters of the machine: RAPL of the processor and its memory, NVML's total of a GPU. Joules.

Counters only ever count up (RAPL's start again at 0 when full), so only differences mean anything. What is not
readable is told, never taken for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import Unavailable

POWERCAP = Path("/sys/class/powercap")
UNIT_RAPL, UNIT_NVML = 1e-6, 1e-3  # joules


@dataclass(frozen=True, kw_only=True)
class Counter:
    """One counter; ``raw()`` reads it, ``unit`` is a count in joules, ``range`` the count at which it starts again."""

    name: str
    raw: Callable[[], int]
    unit: float
    range: int | None

    def joules(self, before: int, after: int) -> float:
        """Return the joules between two readings less than one round of the counter apart."""
        counted = after - before
        if counted < 0:
            if self.range is None:
                raise ValueError(f"{self.name} counted backwards, from {before} to {after}")
            counted += self.range
        return counted * self.unit


class Meter:
    """Reads several counters at once. Read it more often than the fastest of them goes round (minutes)."""

    def __init__(self, counters: list[Counter]) -> None:
        self._counters = counters
        self._last = [c.raw() for c in counters]

    def read(self) -> dict[str, float]:
        """Return the joules since the last reading, by counter."""
        now = [c.raw() for c in self._counters]
        spent = {
            c.name: c.joules(before, after) for c, before, after in zip(self._counters, self._last, now, strict=True)
        }
        self._last = now
        return spent


def counters(device: str, *, powercap: Path = POWERCAP, nvml: Any = None, gpu: Any = None) -> list[Counter]:
    """Return those that cover a stack on ``device``; raise Unavailable, with why, where a required one is missing.

    On a GPU its own counter must be there, the processor's join it where they are readable. ``nvml`` and ``gpu``
    stand in for NVML's module and the handle of the GPU in tests.
    """
    found, why = rapl(powercap)
    if device == "cpu":
        if not found:
            raise Unavailable(f"energy counters: {why}, so not available here")
        return found
    if nvml is None:
        from benchmarks.machine.gpu import handle

        gpu = handle()
        if gpu is None:
            raise Unavailable("energy counters: NVML finds no GPU, so not available here")
        import pynvml

        nvml = pynvml
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    except nvml.NVMLError as error:
        raise Unavailable(f"energy counters: this GPU tells none ({error}), so not available here") from None
    own = Counter(
        name="GPU", raw=lambda: int(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)), unit=UNIT_NVML, range=None
    )
    return [own, *found]


def rapl(powercap: Path = POWERCAP) -> tuple[list[Counter], str]:
    """Return packages and their memory; or none, and why.

    Cores and graphics count within their package, and the platform (psys) counts the packages again: left out.
    """
    found: list[Counter] = []
    refused: list[str] = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
            package = zone.name.split(":")[1]
            if not (name.startswith("package") or name == "dram"):
                continue
            count = int((zone / "max_energy_range_uj").read_text())
            _read(zone / "energy_uj")
        except (OSError, ValueError) as error:
            refused.append(type(error).__name__)
            continue
        own = name if name.startswith("package") else f"{name} of package {package}"
        found.append(
            Counter(name=own, raw=lambda path=zone / "energy_uj": _read(path), unit=UNIT_RAPL, range=count)  # type: ignore[misc]
        )
    if found and not refused:
        return found, ""
    if refused:  # a part of the machine would be left out without a word
        return [], f"RAPL of the processor is there and may not be read ({', '.join(sorted(set(refused)))})"
    return [], "the system shows no RAPL counter of the processor"


def _read(path: Path) -> int:
    return int(path.read_text())
