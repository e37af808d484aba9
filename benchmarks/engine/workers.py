"""A run's workers: started with the run's variables, threads and CPUs, asked, guarded, ended."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.engine.environment import RECORDED, clean_paths, worker_environment
from benchmarks.engine.journal import Journal, LaunchEnded
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.worker_process import WorkerError, WorkerProcess
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Stack
from benchmarks.tasks import inputs
from benchmarks.workload import Workload

TIMEOUT = 900.0  # seconds any one request may take, unless --request-timeout says otherwise

Report = Callable[[str], None]  # is told, in a few words, what is going on
T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(eq=False, kw_only=True)
class Launch:
    """A live worker of one stack on one workload variant, and what it was started for."""

    entry: Entry
    planned: Planned
    row: str
    pass_index: int
    attempt: int
    solo: bool  # of --solo
    process: WorkerProcess
    job: dict[str, Any]
    timeout: float
    conventions: dict[str, str] = dataclasses.field(default_factory=dict)
    hello: dict[str, Any] = dataclasses.field(default_factory=dict)  # its first answer
    step_seconds: float = 0.0
    ended: bool = False  # by a failure

    @property
    def stack(self) -> Stack:
        return self.planned.stack

    @property
    def named(self) -> dict[str, Any]:
        """What the journal's events of this launch begin with."""
        return {"row": self.row, "pass_index": self.pass_index, "attempt": self.attempt, "solo": self.solo}

    def ask(
        self,
        command: str,
        *,
        timeout: float | None = None,
        event: Callable[[dict[str, Any]], None] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """As :meth:`WorkerProcess.ask`, in the run's time limit unless another is given."""
        return self.process.ask(command, limit=timeout or self.timeout, event=event, **fields)


class Workers:
    """Those of one run. What they need and the run does not keep lies in ``scratch``."""

    def __init__(self, plan: Plan, folder: Path, journal: Journal, *, report: Report, timeout: float) -> None:
        self.plan, self.folder, self.journal, self.report, self.timeout = plan, folder, journal, report, timeout
        self.scratch = Path(tempfile.mkdtemp(prefix="bookbench-"))
        self.alive: list[WorkerProcess] = []
        self.stopping = False
        self._numbers = itertools.count(1)

    @property
    def inputs(self) -> Path:
        """The arrays of the workload at hand, see :mod:`benchmarks.engine.prepare`."""
        return self.scratch / "inputs"

    def start(
        self,
        entry: Entry,
        planned: Planned,
        *,
        name: str,
        attempt: int | None = None,
        pass_index: int = 0,
        solo: bool = False,
        seed: int | None = None,
        threads: int | None = None,
        caches: Path | None = None,
        environment: Mapping[str, str] | None = None,
        **job: Any,
    ) -> Launch:
        """Start a worker process for one launch; whoever does ends it with :meth:`stop`.

        Experiments may give it another ``seed``, compile ``caches``, ``threads``, further ``environment`` variables and
        words of its ``job`` (such as batch_size). Without an ``attempt`` it is numbered.
        """
        stack, options, slug = planned.stack, self.plan.options, entry.slug(planned)
        attempt = attempt or next(self._numbers)
        threads, seed = threads or options.threads, options.seed if seed is None else seed
        process = self.spawn(
            stack,
            name=f"{slug}-{name}-{attempt}",
            threads=threads,
            caches=caches or self.caches(slug),
            environment=planned.environment | dict(environment or {}),
        )
        job = {
            "framework": stack.framework,
            "mode": stack.mode,
            "device": stack.device,
            "threads": threads,
            "seed": seed,
            "folder": entry.folder,
            "variant": entry.variant,
            "batch_size": entry.batch_size,
            "inputs": str(self.inputs),
            "weights": str(self._weights(entry.sized, seed)),
            "affinity": self.plan.affinity[:threads],
        } | job
        return Launch(
            entry=entry,
            planned=planned,
            row=entry.row(planned),
            pass_index=pass_index,
            attempt=attempt,
            solo=solo,
            process=process,
            job=job,
            timeout=self.timeout,
        )

    def spawn(
        self, stack: Stack, *, name: str, threads: int, caches: Path, environment: Mapping[str, str] | None = None
    ) -> WorkerProcess:
        """Start a worker process that has been asked nothing yet."""
        home = self.scratch / "home" / name
        for folder in (home, caches):
            folder.mkdir(parents=True, exist_ok=True)
        variables = worker_environment(stack, threads=threads, scratch=home, caches=caches)
        # TensorFlow leaves generated files there, and PyTorch's loaders sockets, whose paths must stay below 108 bytes.
        variables["TMPDIR"] = tempfile.mkdtemp(dir=self.scratch)
        process = WorkerProcess(
            python=self.plan.pythons[stack.interpreter],
            environment=variables | dict(environment or {}),
            log=self.folder / "logs" / f"{name}.log",
        )
        self.alive.append(process)
        return process

    def caches(self, slug: str) -> Path:
        """Where the compilers of a stack (:meth:`Entry.slug`) keep what they made."""
        return self.folder / "caches" / slug

    def _weights(self, workload: Workload, seed: int) -> Path:
        path = self.scratch / f"weights-{workload.name}-{workload.variant}-{seed}.npz"
        if not path.exists():
            np.savez(path, **inputs.initial_tensors(workload, seed))  # type: ignore[arg-type]
        return path

    def greet(self, launch: Launch) -> dict[str, Any]:
        """Have the worker import; its answer, with what is recorded of its environment, is kept as ``launch.hello``."""
        launch.hello = launch.ask("hello", **launch.job)
        launch.conventions = launch.hello.pop("conventions")
        seen = launch.hello["environment"]
        launch.hello["environment"] = {k: self.redact(seen[k]) for k in RECORDED if k in seen}
        return launch.hello

    @contextmanager
    def fresh(self, entry: Entry, planned: Planned, name: str, **changes: Any) -> Iterator[Launch]:
        """A launch that has been greeted; ``changes`` go to :meth:`start`. Ended at the end.

        A WorkerError that leaves the block carries the last lines of the worker's log as ``log_tail``.
        """
        launch = self.start(entry, planned, name=name, **changes)
        try:
            self.greet(launch)
            yield launch
        except WorkerError as error:
            error.log_tail = self.log_tail(launch.process)
            launch.process.kill()
            raise
        finally:
            self.stop(launch.process)

    def stop(self, process: WorkerProcess) -> None:
        process.stop()
        if process in self.alive:
            self.alive.remove(process)

    def kill_all(self) -> None:
        for process in list(self.alive):
            process.kill()

    def side_by_side(self, work: Callable[[T], R], items: Iterable[T], *, at_once: int | None = None) -> list[R]:
        """``work`` on every item, ``at_once``: by default one after the other, in smoke runs a few at a time.

        The items themselves are always made in the calling thread: a worker dies with the thread that started it.
        """
        at_once = at_once or PROFILES[self.plan.options.profile].side_by_side
        if at_once == 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(at_once) as pool:
            try:
                return list(pool.map(work, items))
            except BaseException:
                self.stopping = True  # the workers' deaths are ours, not theirs
                pool.shutdown(wait=False, cancel_futures=True)
                self.kill_all()
                raise

    @contextmanager
    def guard(self, launch: Launch) -> Iterator[None]:
        """Within it a failure ends the launch with its status, and is kept; the run goes on."""
        try:
            yield
        except WorkerError as error:
            launch.ended = True
            if self.stopping:
                return
            launch.process.kill()
            self.report(f"{launch.row}: {error.status}: {error.reason}")
            log = self.log_tail(launch.process)
            ended = LaunchEnded(**launch.named, status=error.status, reason=self.redact(error.reason), log_tail=log)
            self.journal.add(ended)

    def log_tail(self, process: WorkerProcess) -> list[str]:
        """The last lines of a worker's log, without this machine's paths."""
        return [self.redact(line) for line in process.log_tail()]

    def redact(self, text: str) -> str:
        """``text`` without this machine's paths."""
        return clean_paths(text, *self._private)

    @cached_property
    def _private(self) -> list[str]:
        folders = {self.folder, self.scratch, *(Path(e.folder).parent for e in self.plan.entries)}
        return sorted(map(str, folders | {Path(p).parent.parent for p in self.plan.pythons.values()}))

    def close(self) -> None:
        """End workers that are still alive and remove what the run does not keep."""
        self.kill_all()
        shutil.rmtree(self.scratch, ignore_errors=True)
