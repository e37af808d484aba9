"""The engine: run > pass > round > block. Starts workers, asks them in turn, keeps the journal."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, experiments, tasks
from benchmarks.analysis import pilot
from benchmarks.engine import baselines, phases
from benchmarks.engine.assemble import assemble
from benchmarks.engine.budget import cut_words, notes
from benchmarks.engine.clock import Clock
from benchmarks.engine.environment import RECORDED, clean_paths, worker_environment
from benchmarks.engine.journal import Journal
from benchmarks.engine.orders import launch_order
from benchmarks.engine.plan import Entry, Plan, Planned
from benchmarks.engine.rounds import measure_rounds
from benchmarks.engine.solo import ALONE, measure_isolated
from benchmarks.engine.trainings import train_all
from benchmarks.engine.worker_process import Worker, WorkerError
from benchmarks.machine.computer import memory_available
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Result, Row, write
from benchmarks.tasks import inputs
from benchmarks.workload import Workload

WORKER_BYTES = 1_500_000_000  # what one resident worker may take; decides whether all fit at once
LIMIT = 900.0  # seconds any one request may take, unless --time-limit says otherwise

Say = Callable[[str], None]


@dataclasses.dataclass(eq=False)
class Running:
    """A live worker and the launch it belongs to."""

    planned: Planned
    row: str
    attempt: int
    worker: Worker
    job: dict[str, Any]
    conventions: dict[str, str] = dataclasses.field(default_factory=dict)
    step_seconds: float = 0.0
    alone: bool = False  # for --isolated
    hello: dict[str, Any] = dataclasses.field(default_factory=dict)  # its answer, for parts


class Run:
    """Carries out a plan in ``folder``. ``say`` is told, in a few words, what is going on."""

    def __init__(self, plan: Plan, folder: Path, *, say: Say, limit: float = LIMIT) -> None:
        self.plan, self.folder, self.say, self.limit = plan, folder, say, limit
        self.options = plan.options
        self.profile = PROFILES[plan.options.profile]
        self.journal = Journal(folder)
        self.clock = Clock(plan, self.journal)
        self._alive: list[Running] = []
        self.counter = 0  # of workers that parts have started
        self.passes = self.options.passes  # of the workload at hand, as far as is decided
        self.stopping = False
        self.on_round: Callable[[int, int], None] = lambda index, number: None  # told of each pass and round
        self.scratch = Path(tempfile.mkdtemp(prefix="bookbench-"))

    def go(self) -> Result:
        """Do all that is not done yet. On KeyboardInterrupt the workers are ended and the result so far is written."""
        try:
            for entry in self.plan.entries:
                self._entry(entry)
            if not self.journal.of("finished"):
                self._account()
                self.journal.add("finished", time=now())
        finally:
            self.close()
            if not self.journal.of("finished"):
                self.clock.keep()
            result = assemble(self.plan, self.journal.events)
            write(result, self.folder / "result.json")
        return result

    def _account(self) -> None:
        """What --budget came to, in notes."""
        self.clock.keep()
        budget = assemble(self.plan, self.journal.events).budget
        for text in notes(budget, self.options) if budget is not None else []:
            self.journal.add("note", text=text)

    def close(self) -> None:
        """End workers that are still alive and remove what the run does not keep."""
        for running in self._alive:
            running.worker.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    # -- one workload variant -------------------------------------------------------------------

    def _entry(self, entry: Entry) -> None:
        passes = self.clock.left(entry, pilot.undone(self.plan, self.journal, entry))
        timed = bool({"training", "inference", "certificate"} & set(self.options.measure))
        asked = experiments.chosen(self.options.measure)
        more = self.options.isolate or "accuracy" in self.options.measure or bool(asked)
        if not entry.runnable() or not ((timed and passes) or more):
            return
        workload = dataclasses.replace(entry.load(), batch_size=entry.batch_size)
        self.say(f"{entry.key}: preparing data")
        self.prepare(entry, workload)
        while timed and passes:
            self.passes = passes[-1] + 1
            for p in passes:
                begun = time.monotonic()
                self._pass(entry, workload, p)
                cut = self.clock.cut(entry, took=time.monotonic() - begun)
                write(assemble(self.plan, self.journal.events), self.folder / "result.json")
                if cut is not None:
                    self.say(cut_words(cut))
                    break
            passes = self.clock.left(entry, pilot.undone(self.plan, self.journal, entry))
            if passes:
                self.say(f"{entry.key}: {pilot.reason(self.journal, entry, passes)}")
        if self.options.isolate:
            measure_isolated(self, entry, workload, self.rows(entry))
        if "accuracy" in self.options.measure:
            train_all(self, entry, workload)
            baselines.train_all(self, entry, workload)
        for name in asked:
            experiments.measuring(name).measure(self, entry, workload)
            write(assemble(self.plan, self.journal.events), self.folder / "result.json")

    def rows(self, entry: Entry) -> list[Row]:
        """What the journal says of this workload so far."""
        rows = assemble(self.plan, self.journal.events).rows
        return [r for r in rows if (r.workload, r.variant) == (entry.workload, entry.variant)]

    def prepare(self, entry: Entry, workload: Workload) -> None:
        """Arrays and weights for the workers, and the data's facts for the journal."""
        recipe = workload.recipe(self.options.recipe)
        loaded = data.load(
            workload.dataset,
            source=self.options.data,
            seed=self.options.seed,
            train_examples=recipe.train_examples,
            test_examples=recipe.test_examples,
        )
        sizes: dict[str, int] = {
            split: len(loaded.arrays[split]) for split in ("train", "test") if split in loaded.arrays
        }
        if short := tasks.too_short(workload, sizes):
            raise data.DataError(short)
        known = self.journal.of("data", key=entry.key)
        if known and known[0]["data"]["digest"] != loaded.digest:
            began, now = known[0]["data"]["description"], loaded.description
            raise data.DataError(f"{entry.key}: the run began with other data ({began}) than there are now ({now})")
        shutil.rmtree(self.inputs, ignore_errors=True)  # another workload's arrays have other names
        inputs.save_arrays(self.inputs, tasks.prepare(workload, recipe, loaded.arrays))
        self._weights(workload, self.options.seed)
        if not known:
            facts = {
                "workload": entry.workload,
                "variant": entry.variant,
                "source": self.options.data,
                "description": loaded.description,
                "train_examples": loaded.train_examples,
                "test_examples": loaded.test_examples,
                "digest": loaded.digest,
                "optimum": loaded.optimum,
                "corpus": loaded.corpus,
            }
            self.journal.add("data", key=entry.key, data=facts)

    @property
    def inputs(self) -> Path:
        return self.scratch / "inputs"

    def _weights(self, workload: Workload, seed: int) -> Path:
        path = self.scratch / f"weights-{workload.name}-{workload.variant}-{seed}.npz"
        if not path.exists():
            np.savez(path, **inputs.initial_tensors(workload, seed))  # type: ignore[arg-type]
        return path

    # -- workers ----------------------------------------------------------------------------------

    def start(
        self,
        entry: Entry,
        workload: Workload,
        planned: Planned,
        *,
        name: str,
        seed: int,
        attempt: int,
        caches: Path | None = None,
        threads: int | None = None,
        environment: Mapping[str, str] | None = None,
        **job: Any,
    ) -> Running:
        """A worker process for one launch. Whoever starts it ends it with :meth:`stop`.

        Parts may give it other compile ``caches``, ``threads``, further ``environment`` variables and words of its
        ``job`` (such as batch_size).
        """
        stack, short = planned.stack, entry.slug(planned)
        count = threads or self.options.threads
        home, caches = self.scratch / "home" / f"{short}-{name}", caches or self.folder / "caches" / short
        for folder in (home, caches):
            folder.mkdir(parents=True, exist_ok=True)
        variables = worker_environment(stack, threads=count, scratch=home, caches=caches)
        # TensorFlow leaves generated files there, and PyTorch's loaders sockets, whose paths must stay below 108 bytes.
        variables["TMPDIR"] = tempfile.mkdtemp(dir=self.scratch)
        variables |= planned.environment | dict(environment or {})
        worker = Worker(
            python=self.plan.pythons[stack.interpreter],
            environment=variables,
            log=self.folder / "logs" / f"{short}-{name}-{attempt}.log",
        )
        job = {
            "framework": stack.framework,
            "mode": stack.mode,
            "device": stack.device,
            "threads": count,
            "seed": seed,
            "folder": entry.folder,
            "variant": entry.variant,
            "batch_size": entry.batch_size,
            "inputs": str(self.inputs),
            "weights": str(self._weights(workload, seed)),
            "affinity": self.plan.affinity[:count],
        } | job
        running = Running(planned, entry.row(planned), attempt, worker, job)
        self._alive.append(running)
        return running

    def hello(self, r: Running) -> dict[str, Any]:
        """The worker's first answer, with what is recorded of its environment; its conventions go to ``r``."""
        answer = r.worker.ask("hello", limit=self.limit, **r.job)
        r.conventions = answer.pop("conventions")
        seen = answer.pop("environment")
        answer["environment"] = {k: self.clean(seen[k]) for k in RECORDED if k in seen}
        return answer

    def stop(self, running: Running) -> None:
        running.worker.stop()
        if running in self._alive:
            self._alive.remove(running)

    def log_tail(self, running: Running) -> list[str]:
        """The last lines of a worker's log, without this machine's paths."""
        return [self.clean(line) for line in running.worker.log_tail()]

    def clean(self, text: str) -> str:
        """``text`` without this machine's paths."""
        folders = {self.folder, self.scratch, *(Path(e.folder).parent for e in self.plan.entries)}
        pythons = {Path(p).parent.parent for p in self.plan.pythons.values()}
        return clean_paths(text, *sorted(map(str, folders | pythons)))

    # -- a pass -----------------------------------------------------------------------------------

    def _pass(self, entry: Entry, workload: Workload, index: int) -> None:
        """Start every stack once, measure in interleaved rounds, end them all."""
        planned = entry.runnable()
        order = launch_order(len(planned), seed=self.options.seed, workload=entry.key, pass_index=index)
        if self.profile.side_by_side > 1:
            order = list(range(len(planned)))[::-1]  # nothing to balance; what is listed last compiles longest
        need, have = WORKER_BYTES * len(planned), memory_available()
        interleaved = need <= have
        if not interleaved:
            self.journal.add(
                "note",
                text=f"{entry.key}: memory was short ({have / 1e9:.0f} GB for {len(planned)} workers), "
                "so workers were taken in turns and rounds are not interleaved",
            )
        groups = [order] if interleaved else [[i] for i in order]
        for group in groups:
            self.group(entry, workload, index, [planned[i] for i in group], interleaved=interleaved)
        self.journal.add("pass", workload=entry.key, index=index)

    def group(
        self,
        entry: Entry,
        workload: Workload,
        index: int,
        group: list[Planned],
        *,
        interleaved: bool,
        alone: bool = False,
    ) -> None:
        """Launch the stacks of ``group`` one after the other, time them in rounds, then end them one by one."""
        started: list[Running] = []

        def launched() -> Iterator[Running]:
            for planned in group:
                started.append(self._launch(entry, workload, planned, index, interleaved=interleaved, alone=alone))
                yield started[-1]

        def imports(r: Running) -> bool:
            return self.guard(r, index, phases.importing, self, entry, r, index)

        def ready(r: Running) -> bool:
            return self.guard(r, index, phases.before_rounds, self, entry, r, index)

        def after(r: Running) -> None:
            if self.guard(r, index, phases.after_rounds, self, entry, workload, r, index):
                self.journal.add("end", row=r.row, attempt=r.attempt, status="ok", reason="", pass_index=index)
            self.stop(r)

        try:
            if self.profile.imports > 1:
                good = self.side_by_side(imports, launched(), at_once=self.profile.imports)
                imported = [r for r, ok in zip(started, good, strict=True) if ok]
                running = [r for r in imported if ready(r)]
            else:
                good = self.side_by_side(lambda r: imports(r) and ready(r), launched())
                running = [r for r, ok in zip(started, good, strict=True) if ok]
            if "training" in self.options.measure:
                measure_rounds(self, entry, index, running)
            self.side_by_side(after, running)
        except BaseException:
            for r in started:
                r.worker.kill()  # no time for good manners
            raise
        finally:
            for r in started:
                self.stop(r)

    def _launch(
        self, entry: Entry, workload: Workload, planned: Planned, index: int, *, interleaved: bool, alone: bool
    ) -> Running:
        row = entry.row(planned) + (ALONE if alone else "")
        attempt = 1 + len(self.journal.of("launch", row=row, pass_index=index))
        kept = (self.folder / "caches" / entry.slug(planned)).rglob("*")
        caches = "warm" if any(path.is_file() for path in kept) else "cold"
        self.journal.add("launch", row=row, attempt=attempt, caches=caches, interleaved=interleaved, pass_index=index)
        name = f"alone{index + 1}" if alone else f"pass{index + 1}"
        running = self.start(entry, workload, planned, name=name, seed=self.options.seed, attempt=attempt)
        running.row, running.alone = row, alone
        return running

    def side_by_side(
        self, work: Callable[[Any], Any], items: Iterable[Any], *, at_once: int | None = None
    ) -> list[Any]:
        """``work`` on every item, ``at_once``: by default one after the other, in smoke runs a few at a time.

        The items themselves are always made in the calling thread: a worker dies with the thread that started it.
        """
        at_once = at_once or self.profile.side_by_side
        if at_once == 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(at_once) as pool:
            try:
                return list(pool.map(work, items))
            except BaseException:
                self.stopping = True  # the workers' deaths are ours, not theirs
                pool.shutdown(wait=False, cancel_futures=True)
                for running in list(self._alive):
                    running.worker.kill()
                raise

    def guard(self, r: Running, index: int, work: Callable[..., None], *words: Any) -> bool:
        """Do ``work``; a failure ends this launch with its status and is kept, the run goes on."""
        try:
            work(*words)
        except WorkerError as error:
            if not self.stopping:
                self._end(r, index, error)
            return False
        return True

    def _end(self, r: Running, index: int, error: WorkerError) -> None:
        r.worker.kill()
        self.say(f"{r.row}: {error.status}: {error.reason}")
        self.journal.add(
            "end",
            row=r.row,
            attempt=r.attempt,
            status=error.status,
            reason=self.clean(error.reason),
            log_tail=self.log_tail(r),
            pass_index=index,
        )


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
