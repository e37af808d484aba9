"""The parent's side of a timed block, the same for rounds, experiments, banks and exhibits."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.engine.worker_process import as_declared
from benchmarks.engine.workers import Launch
from benchmarks.machine import cpu_speed, gpu
from benchmarks.machine.counters import process_cpu_seconds
from benchmarks.protocol.disturbed import is_disturbed
from benchmarks.schema.samples import Block

IDLE_POLL, IDLE_SHARE, IDLE_CEILING = 0.02, 0.05, 2.0  # seconds, share of one CPU, seconds
GPU_LEAD_IN = 0.3  # seconds of untimed steps, so that an idle GPU's clocks have risen


def timed_block(launch: Launch, others: Sequence[Launch] = (), *, steps: int, lead_in: int) -> Block:
    """Time ``steps`` after at least ``lead_in`` untimed ones, once the run's ``others`` are idle.

    The worker counts what else ran (:mod:`benchmarks.worker.evidence`); the GPU is looked at from here as well, because
    the worker's interpreter may lack NVML's binding.
    """
    job, cuda = launch.job, launch.job["device"] == "cuda"
    waited = wait_until_idle(others)
    loop_before = cpu_speed.slowest(job["affinity"])
    lead = launch.ask("lead_in", steps=lead_in, seconds=GPU_LEAD_IN if cuda else 0.0)
    pids = [other.process.pid for other in others]
    gpu_before = gpu.before() if cuda else None
    answer = launch.ask("block", steps=steps, others=pids)
    seen = gpu.evidence(gpu_before, own=[launch.process.pid, *pids]) if cuda else {}
    loop_after = cpu_speed.slowest(job["affinity"])
    block = as_declared(Block, {**answer, "lead_in_steps": lead["steps"]})
    loop = None if loop_before is None or loop_after is None else (loop_before, loop_after)
    evidence = block.evidence.model_copy(update={**seen, "idle_wait_seconds": waited, "loop_seconds": loop})
    marked = is_disturbed(dict(evidence), evidence.wall_seconds or block.seconds, cpus=max(1, job["threads"]))
    return block.model_copy(update={"evidence": evidence, "disturbed": marked})


def wait_until_idle(others: Sequence[Launch]) -> float:
    """Wait until the other workers use no CPU, two seconds at most; return the seconds waited."""
    start = time.monotonic()
    used = _cpu_seconds(others)
    while others and time.monotonic() - start < IDLE_CEILING:
        time.sleep(IDLE_POLL)
        now_used = _cpu_seconds(others)
        if now_used - used < IDLE_SHARE * IDLE_POLL:
            break
        used = now_used
    return time.monotonic() - start


def _cpu_seconds(launches: Sequence[Launch]) -> float:
    """CPU seconds of the workers since they started."""
    return sum(process_cpu_seconds(launch.process.pid) or 0.0 for launch in launches)
