"""``sources``: does a step take as long on embedded data as on real data?

``python -m benchmarks.selfcheck.sources FILE...`` prints what ``sources --json FILE`` wrote as docs/BIAS.md's table.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks import data, tasks
from benchmarks.analysis.ratios import median_rank
from benchmarks.engine.availability import available
from benchmarks.engine.environment import worker_environment
from benchmarks.engine.select import choose
from benchmarks.engine.worker_process import WorkerError, WorkerProcess
from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import distributions
from benchmarks.machine.computer import cpu_budget, interpreter, machine
from benchmarks.protocol.profiles import POOL
from benchmarks.schema.markdown import LEFT, RIGHT, table
from benchmarks.schema.results import Stack
from benchmarks.tasks import inputs
from benchmarks.workload import Found, Recipe, Unmeasured, Workload, discover

NEAR = 0.02
PLAIN = Recipe(name="smoke", data="embedded", epochs=1, accepted=Unmeasured(reason="nothing is trained here"))


def run_sources(
    *, workloads: list[str], stack: str, pairs: int, threads: int | None, json_file: Path | None = None
) -> int:
    """Print the ratio of each workload's step times; 1 when an interval lies wholly outside 1 ± ``NEAR``.

    One program of one process takes ``pairs`` pairs of blocks, on batches of either source by turns, so that
    nothing but the numbers in them differs.
    """
    framework, _, mode = stack.partition(":")
    can, reason = available(framework, mode, "cpu")
    if not can:
        raise Problem(f"--stack {stack} cannot run here: {reason}")
    if pairs < 6:
        raise Problem("--pairs must be at least 6: with fewer no 95 % interval of a median exists")
    found = [f for f in choose(discover(), workloads, everything=False) if f.implementation(framework).exists()]
    count, affinity = cpu_budget(threads)
    far, kept = False, {}
    click.echo(f"step time on embedded data / on real data, {stack}, {pairs} pairs of blocks in one process")
    for f in found:
        with tempfile.TemporaryDirectory(prefix="bookbench-sources-") as scratch:
            logs = _logs(f, framework, mode, Path(scratch), count, affinity, pairs)
        kept[f.workload.key] = [math.exp(log) for log in logs]
        low, middle, high = _interval(logs)
        far |= low > 1 + NEAR or high < 1 - NEAR
        said = f"{middle:.4f}, 95 % interval {low:.4f} to {high:.4f}: {_verdict(low, high)} 1 ± {NEAR}"
        click.echo(f"  {f.workload.key:24} {said}")
    if json_file:
        facts = machine()
        about = {"machine": f"{facts.name}, {facts.cpu}", "threads": count, "stack": stack}
        about["packages"] = interpreter("default", also=distributions()).packages
        json_file.write_text(json.dumps({**about, "ratios": kept}, indent=1) + "\n", encoding="utf-8")
    return int(far)


def _verdict(low: float, high: float) -> str:
    if low > 1 + NEAR or high < 1 - NEAR:
        return "OUTSIDE"
    return "within" if 1 - NEAR <= low and high <= 1 + NEAR else "may be within"


def markdown(files: list[Path]) -> str:
    """A table of one line per workload and stack, from what ``--json`` wrote."""
    rows = []
    for path in files:
        found = json.loads(path.read_text("utf-8"))
        for key, ratios in found["ratios"].items():
            low, middle, high = _interval([math.log(r) for r in ratios])
            interval = f"{low:.4f} to {high:.4f}, {len(ratios)} pairs"
            rows.append([key, found["stack"], f"{middle:.4f}", interval, _verdict(low, high)])
    head = ("Workload", "Stack", "Step time embedded / real", "95 % interval", "1 ± 0.02")
    return "\n".join(table(head, [LEFT, LEFT, RIGHT, LEFT, LEFT], rows))


def _logs(
    found: Found, framework: str, mode: str, scratch: Path, threads: int, affinity: list[int], pairs: int
) -> list[float]:
    """Log ratios embedded / real, one per pair of blocks."""
    w = found.workload
    folders = {source: _arrays(w, source, scratch / source) for source in ("embedded", "real")}
    weights = scratch / "weights.npz"
    np.savez(weights, **inputs.initial_tensors(w, 0))  # type: ignore[arg-type]  # NumPy's own keyword comes first
    environment = worker_environment(
        Stack(framework=framework, mode=mode, device="cpu"),
        threads=threads,
        scratch=scratch / "home",
        caches=scratch / "caches",
    )
    worker = WorkerProcess(python=sys.executable, environment=environment, log=scratch / "worker.log")
    job: dict[str, Any] = {
        "framework": framework,
        "mode": mode,
        "device": "cpu",
        "threads": threads,
        "seed": 0,
        "folder": str(found.folder),
        "variant": w.variant,
        "batch_size": w.batch_size,
        "inputs": str(folders["embedded"]),
        "weights": str(weights),
        "affinity": affinity,
    }
    try:
        worker.ask("hello", limit=600, **job)
        worker.ask("build", limit=600)
        words: dict[str, Any] = {"other": str(folders["real"]), "pairs": pairs, "seconds": 0.5}
        seen = worker.ask("benchmarks.selfcheck.inside", limit=3600, **words)
    except WorkerError as error:
        raise Problem(f"{w.key} on {framework} {mode}: {error.status}: {error.reason}") from None
    finally:
        worker.stop()
    return [math.log(own / other) for own, other in zip(seen["own"], seen["other"], strict=True)]


def _arrays(w: Workload, source: str, folder: Path) -> Path:
    """As many examples of one source as the rotating batches need, laid out for a worker."""
    per_batch = w.batch_size * w.items
    loaded = data.load(
        w.dataset,
        source="real" if source == "real" else "embedded",
        seed=0,
        train_examples=4 * POOL * per_batch,
        test_examples=per_batch + w.batch_size,
    )
    inputs.save_arrays(folder, tasks.prepare(w, PLAIN, loaded.arrays))
    return folder


def _interval(logs: list[float]) -> tuple[float, float, float]:
    """Low end, median and high end of the ratio: the exact interval of a median, whatever a neighbour did to some."""
    kept, (rank, _) = sorted(logs), median_rank(len(logs))
    return math.exp(kept[rank - 1]), math.exp(median(kept)), math.exp(kept[-rank])


if __name__ == "__main__":
    print(markdown([Path(word) for word in sys.argv[1:]]))
