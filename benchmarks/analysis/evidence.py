"""Whether samples are marked as their own evidence says, whatever kind they are and wherever they lie."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from benchmarks.protocol.disturbed import is_disturbed
from benchmarks.schema.samples import Sample

ROUNDING = 1 + 1e-9  # seconds of a sample may be a sum of many


def contradicts(sample: Sample, *, cpus: int) -> bool:
    """Say whether ``sample``, of a stack with so many ``cpus``, is marked against its evidence.

    Of samples from before all evidence was kept, what is left can only show a mark that is missing.
    """
    kept, cpus = sample.evidence, max(1, cpus)
    wall = sample.seconds if kept.wall_seconds is None else kept.wall_seconds
    if kept.cpus not in (None, cpus) or wall * ROUNDING < sample.seconds:
        return True
    again = is_disturbed(dict(kept), wall, cpus=cpus)
    return again > sample.disturbed if kept.idle_worker_cpu_seconds is None else again != sample.disturbed


def contradictions(value: object, *, cpus: int) -> int:
    """Return how many samples within ``value`` are marked against their evidence."""
    return sum(contradicts(sample, cpus=own) for sample, own in samples(value, cpus))


def samples(value: object, cpus: int) -> Iterator[tuple[Sample, int]]:
    """Yield every sample within ``value`` and the CPUs of its stack: ``cpus``, or the threads of what it lies in."""
    if isinstance(value, Sample):
        yield value, cpus
    if isinstance(value, BaseModel):
        cpus = getattr(value, "threads", cpus)
        value = [getattr(value, name) for name in type(value).model_fields]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from samples(item, cpus)
