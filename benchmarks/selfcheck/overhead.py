"""``overhead``: what the engine costs per step, and its step time beside a stand-alone script's."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, stdev
from typing import Any

import click
import numpy as np

from benchmarks import data
from benchmarks.engine.availability import available
from benchmarks.engine.environment import KEEP_MEMORY, worker_environment
from benchmarks.engine.worker_process import WorkerError, WorkerProcess
from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import frameworks
from benchmarks.machine.computer import cpu_budget
from benchmarks.schema.results import Stack
from benchmarks.tasks import inputs
from benchmarks.workload import DEFAULT_IMPLS, ROOT, Found, load

SHARE = 0.01
AGREEMENT = 0.02
STEPS, BLOCKS = 20, 5
# With glibc's defaults the memory that a step frees may go back to the system and be faulted in again by the next
# step; whether it does hangs on what the process allocated before (0 to 2,000 page faults a step, up to 8 % of the
# time). Both sides of the comparison keep their memory, so that it compares loops and clocks, not heaps.
ENVIRONMENT = KEEP_MEMORY

SCRIPT = ROOT / "benchmarks" / "selfcheck" / "standalone.py"
NOOP = ROOT / "benchmarks" / "selfcheck" / "noop"
FASTEST = ("mnist_mlp_ablation", "linear")  # the shortest step of the suite


def run_overhead(*, pairs: int, threads: int | None) -> int:
    """Print both figures; 1 when either misses its bound."""
    can, reason = available("torch", "eager", "cpu")
    if not can:
        raise Problem(f"overhead compares with a PyTorch script, and torch eager cannot run here: {reason}")
    count, affinity = cpu_budget(threads)
    with tempfile.TemporaryDirectory(prefix="bookbench-overhead-") as scratch:
        bench = _Bench(Path(scratch), count, affinity)
        own = bench.step(load(NOOP, "default"), "numpy", steps=20_000, blocks=5)
        click.echo(f"engine's own cost per step, step that does nothing: {own * 1e9:,.0f} ns")
        shortest = load(DEFAULT_IMPLS / FASTEST[0], FASTEST[1])
        fastest = min(
            bench.step(shortest, framework, mode=mode, steps=100, blocks=5)
            for framework, described in frameworks().items()
            for mode, what in described.modes.items()
            if not what.tuned and shortest.implementation(framework).exists() and available(framework, mode, "cpu")[0]
        )
        share = own / fastest
        click.echo(f"shortest step of the suite ({'/'.join(FASTEST)}): {fastest * 1e6:,.1f} µs")
        click.echo(f"share: {share:.3%}, bound {SHARE:.0%}: {'ok' if share <= SHARE else 'MISSED'}")
        ratio, error = bench.against_script(pairs)
        near = abs(ratio - 1) <= AGREEMENT
        click.echo(
            f"engine / stand-alone script, {pairs} pairs of fresh processes: {ratio:.4f} ± {error:.4f} "
            f"(standard error), bound 1 ± {AGREEMENT}: {'ok' if near else 'MISSED'} (both sides keep freed memory)"
        )
        return 0 if share <= SHARE and near else 1


class _Bench:
    def __init__(self, scratch: Path, threads: int, affinity: list[int]) -> None:
        self.scratch, self.threads, self.affinity = scratch, threads, affinity
        self.extra: dict[str, str] = {}

    def _environment(self, framework: str, mode: str) -> dict[str, str]:
        stack = Stack(framework=framework, mode=mode, device="cpu")
        scratch, caches = self.scratch / "home", self.scratch / "caches"
        return worker_environment(stack, threads=self.threads, scratch=scratch, caches=caches) | self.extra

    @contextmanager
    def _worker(self, found: Found, framework: str, mode: str) -> Iterator[WorkerProcess]:
        worker = WorkerProcess(
            python=sys.executable, environment=self._environment(framework, mode), log=self.scratch / "worker.log"
        )
        try:
            worker.ask("hello", limit=300, **self._job(found, framework, mode))
            worker.ask("build", limit=300)
            yield worker
        except WorkerError as error:
            raise Problem(f"{framework} {mode}: {error.status}: {error.reason}") from None
        finally:
            worker.stop()

    def _job(self, found: Found, framework: str, mode: str) -> dict[str, Any]:
        w = found.workload
        folder = self.scratch / w.name
        if not folder.exists():
            loaded = data.load(w.dataset, source="embedded", seed=0, train_examples=8 * w.batch_size, test_examples=64)
            inputs.save_arrays(folder, loaded.arrays)
            np.savez(folder / "weights.npz", **inputs.initial_tensors(w, 0))  # type: ignore[arg-type]
        return {
            "framework": framework,
            "mode": mode,
            "device": "cpu",
            "threads": self.threads,
            "seed": 0,
            "folder": str(found.folder),
            "variant": w.variant,
            "batch_size": w.batch_size,
            "inputs": str(folder),
            "weights": str(folder / "weights.npz"),
            "affinity": self.affinity,
        }

    def step(self, found: Found, framework: str, *, mode: str = "eager", steps: int, blocks: int) -> float:
        """Median seconds of a step over ``blocks`` blocks, through the engine."""
        with self._worker(found, framework, mode) as worker:
            worker.ask("lead_in", limit=300, steps=steps, seconds=0.5)
            seen = [worker.ask("block", limit=300, steps=steps) for _ in range(blocks)]
        return median(float(b["seconds"]) / int(b["steps"]) for b in seen)

    def _script(self, found: Found) -> float:
        """The same implementation and the same number of steps, timed by the stand-alone script."""
        w, cpus = found.workload, ",".join(map(str, self.affinity))
        words = [found.implementation("torch"), self.scratch / w.name, w.batch_size, STEPS, BLOCKS, cpus]
        command = [sys.executable, str(SCRIPT), *map(str, words)]
        env = self._environment("torch", "eager")
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise Problem(f"the stand-alone script failed: {(done.stderr.strip().splitlines() or ['silently'])[-1]}")
        return float(done.stdout)

    def against_script(self, pairs: int) -> tuple[float, float]:
        """Geometric mean of engine over script over pairs of fresh processes in alternating order, and its error."""
        found = load(DEFAULT_IMPLS / "mnist_mlp", "default")
        self._job(found, "torch", "eager")  # writes the arrays that both sides read
        self.extra = ENVIRONMENT
        logs = []
        for i in range(pairs):
            engine = self.step(found, "torch", steps=STEPS, blocks=BLOCKS) if i % 2 == 0 else None
            script = self._script(found)
            engine = engine or self.step(found, "torch", steps=STEPS, blocks=BLOCKS)
            logs.append(math.log(engine / script))
            click.echo(f"  pair {i + 1}: engine {engine * 1e3:.2f} ms, script {script * 1e3:.2f} ms", err=True)
        mean = sum(logs) / len(logs)
        return math.exp(mean), (stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else float("nan"))
