"""The engine: run > pass > round > block. Starts workers, asks them in turn, keeps the journal."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, inputs
from benchmarks.assemble import assemble
from benchmarks.disturbance import is_disturbed, process_cpu_seconds
from benchmarks.environment import RECORDED, clean_paths, worker_environment
from benchmarks.journal import Journal
from benchmarks.launch import Worker, WorkerError
from benchmarks.machine import memory_available
from benchmarks.plan import Entry, Plan, Planned
from benchmarks.profiles import PROFILES
from benchmarks.results import Result, write
from benchmarks.schedule import launch_order, round_orders
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
    conventions: dict[str, str] = dataclasses.field(default_factory=dict)
    step_seconds: float = 0.0


class Run:
    """Carries out a plan in ``folder``. ``say`` is told, in a few words, what is going on."""

    def __init__(self, plan: Plan, folder: Path, *, say: Say, limit: float = LIMIT) -> None:
        self.plan, self.folder, self.say, self.limit = plan, folder, say, limit
        self.options = plan.options
        self.profile = PROFILES[plan.options.profile]
        self.journal = Journal(folder)
        self._alive: list[Running] = []
        self._scratch = Path(tempfile.mkdtemp(prefix="bookbench-"))

    def go(self) -> Result:
        """Do all that is not done yet. On KeyboardInterrupt the workers are ended and the result so far is written."""
        try:
            for entry in self.plan.entries:
                self._entry(entry)
            self.journal.add("finished", time=now())
        finally:
            for running in self._alive:
                running.worker.kill()
            shutil.rmtree(self._scratch, ignore_errors=True)
            result = assemble(self.plan, self.journal.events)
            write(result, self.folder / "result.json")
        return result

    # -- one workload variant -------------------------------------------------------------------

    def _entry(self, entry: Entry) -> None:
        passes = [p for p in range(self.options.passes) if not self.journal.of("pass", workload=entry.key, index=p)]
        timed = bool({"training", "inference", "certificate"} & set(self.options.measure))
        if not entry.runnable() or not (timed and passes or "accuracy" in self.options.measure):
            return
        workload = dataclasses.replace(entry.load(), batch_size=entry.batch_size)
        self.say(f"{entry.key}: preparing data")
        self._prepare(entry, workload)
        for p in passes if timed else ():
            self._pass(entry, workload, p)
            write(assemble(self.plan, self.journal.events), self.folder / "result.json")
        if "accuracy" in self.options.measure:
            self._accuracy(entry, workload)

    def _prepare(self, entry: Entry, workload: Workload) -> None:
        """Arrays and weights for the workers, and the data's facts for the journal."""
        recipe = workload.recipe(self.options.recipe)
        loaded = data.load(
            workload.dataset,
            source=self.options.data,
            seed=self.options.seed,
            train_examples=recipe.train_examples,
            test_examples=recipe.test_examples,
        )
        arrays = {name: getattr(loaded, name) for name in inputs.ARRAYS}
        inputs.save_arrays(self._inputs, arrays)
        self._train_y = loaded.train_y
        self._weights(workload, self.options.seed)
        if not self.journal.of("data", key=entry.key):
            facts = {
                "workload": entry.workload,
                "variant": entry.variant,
                "source": self.options.data,
                "description": loaded.description,
                "train_examples": len(loaded.train_y),
                "test_examples": len(loaded.test_y),
                "digest": loaded.digest,
                "optimum": loaded.optimum,
            }
            self.journal.add("data", key=entry.key, data=facts)

    @property
    def _inputs(self) -> Path:
        return self._scratch / "inputs"

    def _weights(self, workload: Workload, seed: int) -> Path:
        path = self._scratch / f"weights-{workload.name}-{workload.variant}-{seed}.npz"
        if not path.exists():
            np.savez(path, **inputs.initial_tensors(workload, seed))  # type: ignore[arg-type]
        return path

    # -- workers ----------------------------------------------------------------------------------

    def _start(
        self, entry: Entry, workload: Workload, planned: Planned, *, name: str, seed: int, attempt: int
    ) -> Running:
        """A worker process for one launch. Whoever starts it ends it with :meth:`_stop`."""
        stack, slug = planned.stack, _slug(entry, planned)
        home, caches = self._scratch / "home" / f"{slug}-{name}", self.folder / "caches" / slug
        for folder in (home / "tmp", caches):
            folder.mkdir(parents=True, exist_ok=True)
        environment = worker_environment(stack, threads=self.options.threads, scratch=home, caches=caches)
        environment["TMPDIR"] = str(home / "tmp")  # TensorFlow leaves generated files there
        worker = Worker(
            python=self.plan.pythons[stack.interpreter],
            environment=environment,
            log=self.folder / "logs" / f"{slug}-{name}-{attempt}.log",
        )
        running = Running(planned, row_id(entry, planned), attempt, worker)
        self._alive.append(running)
        self._job = {
            "framework": stack.framework,
            "mode": stack.mode,
            "device": stack.device,
            "threads": self.options.threads,
            "seed": seed,
            "folder": entry.folder,
            "variant": entry.variant,
            "batch_size": entry.batch_size,
            "inputs": str(self._inputs),
            "weights": str(self._weights(workload, seed)),
            "affinity": self.plan.affinity,
        }
        return running

    def _stop(self, running: Running) -> None:
        running.worker.stop()
        if running in self._alive:
            self._alive.remove(running)

    def _tail(self, worker: Worker) -> list[str]:
        return [clean_paths(line) for line in worker.log_tail()]

    # -- a pass -----------------------------------------------------------------------------------

    def _pass(self, entry: Entry, workload: Workload, index: int) -> None:
        """Start every stack once, measure in interleaved rounds, end them all."""
        planned = entry.runnable()
        order = launch_order(len(planned), seed=self.options.seed, workload=entry.key, pass_index=index)
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
            self._group(entry, workload, index, [planned[i] for i in group], interleaved=interleaved)
        self.journal.add("pass", workload=entry.key, index=index)

    def _group(self, entry: Entry, workload: Workload, index: int, group: list[Planned], *, interleaved: bool) -> None:
        """Launch the stacks of ``group`` one after the other, time them in rounds, then end them one by one."""
        started: list[Running] = []
        running: list[Running] = []
        try:
            for planned in group:
                row = row_id(entry, planned)
                attempt = 1 + len(self.journal.of("launch", row=row, **{"pass": index}))
                cold = not (self.folder / "caches" / _slug(entry, planned)).exists()
                self.journal.add(
                    "launch",
                    row=row,
                    attempt=attempt,
                    caches="cold" if cold else "warm",
                    interleaved=interleaved,
                    **{"pass": index},
                )
                r = self._start(
                    entry, workload, planned, name=f"pass{index + 1}", seed=self.options.seed, attempt=attempt
                )
                started.append(r)
                if self._guard(r, index, lambda r=r: self._phases(entry, r, index)):
                    running.append(r)
            if "training" in self.options.measure:
                self._rounds(entry, index, running)
            for r in list(running):
                if self._guard(r, index, lambda r=r: self._after(entry, workload, r, index)):
                    self.journal.add("end", row=r.row, attempt=r.attempt, status="ok", reason="", **{"pass": index})
                self._stop(r)
        finally:
            for r in started:
                self._stop(r)

    def _guard(self, r: Running, index: int, work: Callable[[], None]) -> bool:
        """Do ``work``; a failure ends this launch with its status and is kept, the run goes on."""
        try:
            work()
        except WorkerError as error:
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
            reason=clean_paths(error.reason),
            log_tail=self._tail(r.worker),
            **{"pass": index},
        )

    def _phase(self, r: Running, index: int, **fields: Any) -> None:
        self.journal.add("phase", row=r.row, attempt=r.attempt, fields=fields, **{"pass": index})

    def _hello(self, r: Running) -> dict[str, Any]:
        answer = r.worker.ask("hello", limit=self.limit, **self._job)
        r.conventions = answer.pop("conventions")
        seen = answer.pop("environment")
        answer["environment"] = {k: clean_paths(seen[k], str(self.folder)) for k in RECORDED if k in seen}
        return answer

    def _phases(self, entry: Entry, r: Running, index: int) -> None:
        label = f"{entry.key}  pass {index + 1}/{self.options.passes}  {r.planned.stack.label}"
        self.say(f"{label}: import")
        self._phase(r, index, **self._hello(r))
        self.say(f"{label}: build")
        self._phase(r, index, **r.worker.ask("build", limit=self.limit))
        self.say(f"{label}: first step")
        self._phase(r, index, **r.worker.ask("first_step", limit=self.limit))
        if "training" not in self.options.measure:
            return
        self.say(f"{label}: warm-up")
        profile = self.profile
        warm = r.worker.ask(
            "warm_up",
            limit=self.limit,
            floor_seconds=profile.warm_floor,
            ceiling_seconds=profile.warm_ceiling,
            windows=profile.warm_windows,
        )
        self._phase(r, index, warm_up=warm)
        last = warm["window_seconds"][-profile.warm_windows :]
        r.step_seconds = sorted(last)[len(last) // 2] / warm["window_steps"]

    def _rounds(self, entry: Entry, index: int, running: list[Running]) -> None:
        """Interleaved, balanced rounds; a stack that fails drops out of the remaining ones."""
        count = len(running)
        orders = round_orders(
            count, self.options.rounds, seed=self.options.seed, workload=entry.key, pass_index=index
        )
        dropped: set[int] = set()
        for number, order in enumerate(orders):
            self.say(f"{entry.key}  pass {index + 1}/{self.options.passes}  round {number + 1}/{len(orders)}")
            for position, i in enumerate(order):
                if i in dropped:
                    continue
                others = [r for k, r in enumerate(running) if k != i and k not in dropped]
                work = lambda r=running[i], others=others, p=position, n=number: self._block(r, others, index, n, p)  # noqa: E731
                if not self._guard(running[i], index, work):
                    dropped.add(i)
        running[:] = [r for k, r in enumerate(running) if k not in dropped]

    def _block(self, r: Running, others: list[Running], index: int, number: int, position: int) -> None:
        idle_before = _cpu(others)
        answer = r.worker.ask(
            "block", limit=self.limit, steps=self.profile.steps(r.step_seconds), lead_in=self.profile.lead_in
        )
        idle = max(0.0, _cpu(others) - idle_before)
        busy, own = answer.get("busy_seconds"), answer["cpu_seconds"]
        foreign = None if busy is None else max(0.0, busy - own - idle)
        block = {
            "round": number,
            "position": position,
            "seconds": answer["seconds"],
            "steps": answer["steps"],
            "lead_in_steps": self.profile.lead_in,
            "cpu_seconds": own,
            "evidence": {
                "foreign_cpu_seconds": foreign,
                "idle_worker_cpu_seconds": idle,
                "steal_seconds": answer.get("steal_seconds"),
                "pressure_seconds": answer.get("pressure_seconds"),
                "involuntary_switches": answer.get("involuntary_switches"),
            },
            "disturbed": is_disturbed(
                foreign, answer.get("steal_seconds"), answer["seconds"], cpus=max(1, self.options.threads)
            ),
        }
        self.journal.add("block", row=r.row, attempt=r.attempt, block=block, **{"pass": index})

    def _after(self, entry: Entry, workload: Workload, r: Running, index: int) -> None:
        """What is measured once the rounds are over: memory, inference, the certificate."""
        label = f"{entry.key}  pass {index + 1}/{self.options.passes}  {r.planned.stack.label}"
        profile = self.profile
        self._phase(r, index, **r.worker.ask("training_memory", limit=self.limit))
        if "inference" in self.options.measure and index < profile.inference_passes:
            self.say(f"{label}: inference")
            answer = r.worker.ask(
                "inference",
                limit=self.limit,
                calls=profile.single_calls,
                warm_calls=profile.single_warm,
                batch_sizes=list(profile.offline_sizes),
                min_seconds=profile.offline_seconds,
            )
            seen = {"single": answer.pop("single"), "offline": answer.pop("offline")}
            self._phase(r, index, inference=seen, **answer)
        if "certificate" in self.options.measure and not self._certified(r.row):
            self.say(f"{label}: parity certificate")
            from benchmarks.certify import certify

            certify(self, entry, workload, r)

    def _certified(self, row: str) -> bool:
        return any(e["certificate"]["status"] in ("ok", "parity_failed") for e in self.journal.of("certificate", row=row))

    # -- accuracy -----------------------------------------------------------------------------------

    def _accuracy(self, entry: Entry, workload: Workload) -> None:
        """Train the recipe: every chosen stack, every seed, each in a process alone."""
        recipe = workload.recipe(self.options.recipe)
        seeds = [self.options.seed + k for k in range(self.options.accuracy_seeds)]
        for planned in self._trained(entry):
            row = row_id(entry, planned)
            for seed in seeds:
                done = self.journal.of("training", row=row, seed=seed)
                if done:
                    continue
                attempt = 1 + len(self.journal.of("training_start", row=row, seed=seed))
                self.journal.add("training_start", row=row, seed=seed, attempt=attempt)
                label = f"{entry.key}  {planned.stack.label}  training, seed {seed}"
                self.say(f"{label}: import")
                r = self._start(entry, workload, planned, name=f"train{seed}", seed=seed, attempt=attempt)
                try:
                    training = self._train(r, row, label, seed, attempt, recipe.epochs, recipe.learning_rate)
                finally:
                    self._stop(r)
                self.journal.add("training", row=row, seed=seed, attempt=attempt, training=training)

    def _train(
        self, r: Running, row: str, label: str, seed: int, attempt: int, epochs: int, rate: float | None
    ) -> dict[str, Any]:
        def on_epoch(point: dict[str, Any]) -> None:
            self.say(f"{label}: epoch {point['epoch']}/{epochs}, metric {point['metric']:.4f}")
            self.journal.add("curve", row=row, seed=seed, attempt=attempt, point=point)

        try:
            self._hello(r)
            answer = r.worker.ask(
                "train", limit=self.limit * max(1, epochs), event=on_epoch, epochs=epochs, learning_rate=rate
            )
        except WorkerError as error:
            self.say(f"{label}: {error.status}: {error.reason}")
            return {
                "status": error.status,
                "reason": clean_paths(error.reason),
                "log_tail": self._tail(r.worker),
            }
        expected = inputs.epoch_digest(
            self._train_y, seed=seed, epochs=epochs, batch_size=int(self._job["batch_size"])
        )
        if answer["sample_order"] != expected:
            return {"status": "parity_failed", "reason": "the samples were not trained in the declared order", **answer}
        return {"status": "ok", **answer}

    def _trained(self, entry: Entry) -> list[Planned]:
        """The stacks that train: the fastest sound mode of each framework, or all when nothing was timed."""
        if "training" not in self.options.measure:
            return entry.runnable()
        rows = {
            row.stack.key: row
            for row in assemble(self.plan, self.journal.events).rows
            if (row.workload, row.variant) == (entry.workload, entry.variant)
        }
        best: dict[tuple[str, str, str], Planned] = {}
        for planned in entry.runnable():
            stack = planned.stack
            group = (stack.framework, stack.device, stack.interpreter)
            row = rows[stack.key]
            speed = row.samples_per_second() if row.status in ("ok", "interrupted", "accuracy_failed") else None
            if speed is None:
                continue
            held = best.get(group)
            if held is None or speed > (rows[held.stack.key].samples_per_second() or 0.0):
                best[group] = planned
        return list(best.values())


def row_id(entry: Entry, planned: Planned) -> str:
    return f"{entry.key}@{planned.stack.key}"


def _slug(entry: Entry, planned: Planned) -> str:
    return f"{entry.key}-{planned.stack.key}".replace("/", "-").replace(":", "-")


def _cpu(running: list[Running]) -> float:
    return sum(process_cpu_seconds(r.worker.pid) or 0.0 for r in running)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def estimate(plan: Plan) -> float:
    """Seconds the run will take, roughly: start-up, rounds, inference, certificates and training."""
    profile, measure, total = PROFILES[plan.options.profile], plan.options.measure, 0.0
    for entry in plan.entries:
        workload, stacks = entry.load(), len(entry.runnable())
        step = 6 * entry.batch_size * _macs(workload) / 40e9 + 0.001
        block = profile.lead_in * step + max(profile.block_seconds, step * profile.steps(step))
        passes = plan.options.passes
        if "training" in measure:
            total += stacks * passes * (9 + profile.warm_floor + plan.options.rounds * block)
        if "inference" in measure:
            total += stacks * min(passes, profile.inference_passes) * (2 + profile.single_calls * 0.002)
        if "certificate" in measure:
            total += stacks * (2 + 10 * step)
        if "accuracy" in measure:
            recipe = workload.recipe(plan.options.recipe)
            steps = recipe.epochs * (recipe.train_examples or workload.dataset.train_examples) / entry.batch_size
            frameworks = len({p.stack.framework for p in entry.runnable()})
            trained = frameworks if "training" in measure else stacks
            total += trained * plan.options.accuracy_seeds * (8 + steps * step)
    return total


def _macs(workload: Workload) -> float:
    """Multiply-accumulates of one sample's forward pass, weights only."""
    total = 0.0
    for placed in workload.placed:
        for t in placed.tensors:
            if t.name.endswith(".weight") and len(t.shape) > 1:
                places = float(np.prod(placed.output_shape[:-1])) if len(placed.output_shape) > 1 else 1.0
                total += float(np.prod(t.shape)) * places
    return total


__all__ = ["LIMIT", "Run", "estimate", "now"]
