"""``python -m benchmarks peers``: every peer in its modes, pass by pass, each in a fresh process."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import attrgetter
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import __version__, data, tasks
from benchmarks.engine.availability import Availability
from benchmarks.engine.environment import clean_paths, worker_environment
from benchmarks.engine.select import choose
from benchmarks.engine.worker_process import WorkerError, WorkerProcess, as_declared
from benchmarks.errors import Problem
from benchmarks.frameworks.discovery import distributions, frameworks, is_written, own_variables
from benchmarks.machine.computer import cpu_budget, git_state, interpreter, machine
from benchmarks.peers import Peer, page, peers
from benchmarks.peers.record import TOLERANCE, TOLERANCE_AMPLIFYING, Pass, Record, Row, read
from benchmarks.protocol.profiles import POOL
from benchmarks.schema.markdown import renew
from benchmarks.schema.results import Stack
from benchmarks.tasks import inputs
from benchmarks.workload import Found, Recipe, Unmeasured, discover
from benchmarks.workload.sources import hashes

LIMIT = 900.0  # seconds of one request to a worker
PLAIN = Recipe(name="smoke", data="embedded", epochs=1, accepted=Unmeasured(reason="nothing is trained here"))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A peer in one mode, and the row that is filled pass by pass."""

    found: Found
    peer: Peer
    row: Row


def measure(
    *,
    workloads: Sequence[str],
    stacks: Sequence[str],
    passes: int,
    rounds: int,
    seconds: float,
    threads: int | None,
    device: str,
    impls: Path,
    json_file: Path | None,
) -> Record:
    """Every comparison asked for. With ``json_file`` the record is written anew after each pass, and the good passes
    that it holds already are not measured again."""
    count, affinity = cpu_budget(threads)
    asked = _asked(workloads, stacks, device, impls)
    if not asked:
        raise Problem("no peer matches --workload and --stack")
    commit, dirty = git_state()
    record = Record(
        suite_version=__version__,
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        git_commit=commit,
        git_dirty=dirty,
        machine=machine(),
        interpreter=interpreter("default", also=distributions()),
        threads=count,
        block_seconds=seconds,
        passes=passes,
        rounds=rounds,
        rows=[a.row for a in asked],
    )
    if json_file and json_file.exists():
        record = _go_on(record, asked, json_file)
    with tempfile.TemporaryDirectory(prefix="bookbench-peers-", ignore_cleanup_errors=True) as scratch:
        bench = _Bench(Path(scratch), threads=count, affinity=affinity, rounds=rounds, seconds=seconds)
        waiting = [(i, a) for i in range(passes) for a in asked if not a.row.unavailable and not a.row.holds(i)]
        begun, todo = time.monotonic(), len(waiting)
        for done, (index, a) in enumerate(waiting, start=1):
            found = bench.run(a, index)
            a.row.passes.append(found)
            a.row.passes.sort(key=attrgetter("index"))
            spent = time.monotonic() - begun
            told = f"{found.ratio:.3f}" if found.status == "ok" else f"{found.status}: {found.reason}"
            left = spent / done * (todo - done) / 60
            click.echo(f"  {done}/{todo}  {a.row.key}, pass {index + 1}: {told}  (about {left:.1f} min left)", err=True)
            if json_file:
                record.write(json_file)
    return record


def _go_on(record: Record, asked: Sequence[Asked], path: Path) -> Record:
    """``record`` with what that at ``path`` holds; Problem unless it was made here, the same way, of the same files."""
    kept = read(path)
    for name in ("suite_version", "machine", "interpreter", "threads", "block_seconds", "rounds"):
        if getattr(kept, name) != getattr(record, name):
            raise Problem(f"{path.name} holds a run with another {name.replace('_', ' ')}: give --json a new file")
    held = {row.key: row for row in kept.rows}
    for a in asked:
        old = held.pop(a.row.key, None)
        if old is None:
            continue
        if old.files != a.row.files:
            raise Problem(f"{path.name} holds {old.key} from other files than today's: give --json a new file")
        a.row.passes.extend(old.good)
    rows = sorted([*record.rows, *held.values()], key=lambda row: (row.workload, row.stack.framework))
    return record.model_copy(update={"rows": rows, "passes": max(record.passes, kept.passes), "started": kept.started})


def _asked(workloads: Sequence[str], stacks: Sequence[str], device: str, impls: Path) -> list[Asked]:
    availability, out = Availability(), []
    for found in choose(discover(impls.resolve()), workloads, everything=False):
        w = found.workload
        for peer in peers(found):
            for mode in peer.modes:
                ours = found.implementation(peer.framework, mode)
                if not is_written(found, peer.framework, mode):
                    raise Problem(f"{peer.path.name}: {ours.name} is not there or not for {mode}")
                if stacks and f"{peer.framework}:{mode}" not in stacks:
                    continue
                row = Row(
                    workload=w.name,
                    stack=Stack.model_validate(frameworks()[peer.framework].facts(mode) | {"device": device}),
                    peer=peer.name,
                    source=peer.source,
                    address=peer.address,
                    differs=peer.differs,
                    tolerance=TOLERANCE_AMPLIFYING if w.certificate_optimiser else TOLERANCE,
                    files=hashes([*dict.fromkeys([found.implementation(peer.framework), ours]), peer.path]),
                    unavailable=availability.reason(peer.framework, mode, device, found),
                )
                out.append(Asked(found=found, peer=peer, row=row))
    return out


class _Bench:
    """What all comparisons of a call share: a scratch folder, threads and CPUs, sizes of rounds."""

    def __init__(self, scratch: Path, *, threads: int, affinity: list[int], rounds: int, seconds: float) -> None:
        self.scratch, self.threads, self.affinity = scratch, threads, affinity
        self.rounds, self.seconds = rounds, seconds

    def run(self, asked: Asked, index: int) -> Pass:
        """One fresh process. In odd passes the peer is built and timed first."""
        stack, name = asked.row.stack, asked.row.key.replace(" ", "-")
        home, caches = self.scratch / "home" / name, self.scratch / "caches" / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        environment = worker_environment(stack, threads=self.threads, scratch=home, caches=caches)
        environment |= own_variables(asked.found, stack.framework, stack.mode)
        environment["TMPDIR"] = str(home / "tmp")
        worker = WorkerProcess(python=sys.executable, environment=environment, log=self.scratch / f"{name}-{index}.log")
        try:
            worker.ask("hello", limit=LIMIT, **self._job(asked))
            answer = worker.ask(
                "benchmarks.peers.worker",
                limit=LIMIT,
                path=str(asked.peer.path),
                rounds=self.rounds,
                seconds=self.seconds,
                first=index % 2,
            )
            return as_declared(Pass, {"index": index, "status": "ok", **answer})
        except WorkerError as error:
            for line in worker.log_tail():
                click.echo(f"    {line}", err=True)
            return Pass.model_validate({"index": index, "status": error.status, "reason": self._clean(error.reason)})
        finally:
            worker.stop()

    def _clean(self, text: str) -> str:
        return clean_paths(text, str(self.scratch))

    def _job(self, asked: Asked) -> dict[str, Any]:
        w, stack = asked.found.workload, asked.row.stack
        folder = self.scratch / "inputs" / w.name
        if not folder.exists():
            per_batch = w.batch_size * w.items
            examples = {"train_examples": 4 * POOL * per_batch, "test_examples": per_batch + w.batch_size}
            loaded = data.load(w.dataset, source="embedded", seed=0, **examples)
            inputs.save_arrays(folder, tasks.prepare(w, PLAIN, loaded.arrays))
            np.savez(folder / "weights.npz", **inputs.initial_tensors(w, 0))  # type: ignore[arg-type]
        return {
            "framework": stack.framework,
            "mode": stack.mode,
            "device": stack.device,
            "threads": self.threads,
            "seed": 0,
            "folder": str(asked.found.folder),
            "variant": w.variant,
            "batch_size": w.batch_size,
            "inputs": str(folder),
            "weights": str(folder / "weights.npz"),
            "affinity": self.affinity,
        }


def run_peers(*, kept: Path | None, page_file: Path | None, json_file: Path | None, **asked: Any) -> int:
    """Measure, or read the record ``kept``; print the table; 1 when something failed."""
    record = read(kept) if kept else measure(json_file=json_file, **asked)
    for row in record.rows:
        click.echo("  ".join(word for word in page.cells(row) if word != "–"))
    bad, every = record.disturbed()
    click.echo(f"theirs over ours: above 1, ours is faster; other work disturbed {bad} of {every} rounds")
    if page_file:
        renew(page_file, "peers", page.markdown(record))
    return int(any(row.reason and not row.unavailable for row in record.rows))
