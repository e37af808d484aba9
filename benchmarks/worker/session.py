"""What a worker can be asked to do, one method per request. Framework-free; the adapter is loaded by name.

A request that is no method of :class:`Session` names a module, whose ``answer(session, **fields)`` answers it.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks import tasks
from benchmarks.frameworks.base import Program
from benchmarks.machine import process_memory
from benchmarks.protocol import steady
from benchmarks.protocol.profiles import POOL
from benchmarks.tasks import inputs
from benchmarks.worker.evidence import counted
from benchmarks.worker.model_handle import Hands, states
from benchmarks.workload import Workload, load, load_module

MOST_WINDOWS = 256  # of a warm-up; then neighbours are joined

Placed: TypeAlias = Iterator[tuple[inputs.Batch, tuple[Any, ...]]]  # batches, each with its arrays on the device


class Session:
    """One adapter, one workload, and the program that is being timed.

    ``job`` holds: framework, mode, device, threads, seed, folder, variant,
    batch_size, inputs (folder of arrays) and weights (npz of initial tensors);
    ``precision`` where it is not float32. ``implementation`` is the module of the framework's own code.
    """

    def __init__(self, job: dict[str, Any], *, event: Callable[[dict[str, Any]], None]) -> None:
        self._event = event
        self.job = job
        self._inputs = Path(job["inputs"])
        found = load(Path(job["folder"]), job["variant"])
        self.workload: Workload = dataclasses.replace(found.workload, batch_size=job["batch_size"])
        start = time.perf_counter()
        framework = job["framework"]
        module = importlib.import_module(f"benchmarks.frameworks.{framework}_adapter")
        path = found.implementation(framework, job["mode"])
        # A tuned implementation imports what it shares from the documented one beside it, not from another folder's.
        sys.path.insert(0, job["folder"])
        sys.modules.pop(found.implementation(framework).stem, None)
        self.implementation = load_module(path, path.stem)
        self.adapter: Any = module.Adapter(
            mode=job["mode"],
            device=job["device"],
            threads=job["threads"],
            seed=job["seed"],
            precision=job.get("precision", "float32"),
        )
        self._import_seconds = time.perf_counter() - start
        self._program: Program | None = None
        self.batches: Iterator[tuple[Any, ...]] = iter(())
        self.stacks: Iterator[tuple[Any, ...]] = iter(())  # of batches, for modes that take several steps at once

    @contextmanager
    def running(self, program: Program, batches: Iterator[tuple[Any, ...]]) -> Iterator[None]:
        """Meanwhile steps are of ``program`` on ``batches``."""
        kept = self._program, self.batches
        self._program, self.batches = program, batches
        try:
            yield
        finally:
            self._program, self.batches = kept

    def is_out_of_memory(self, error: BaseException) -> bool:
        return bool(self.adapter.is_out_of_memory(error))

    @property
    def program(self) -> Program:
        if self._program is None:
            raise RuntimeError("the worker was asked to run before it was asked to build")
        return self._program

    @property
    def framework(self) -> str:
        return str(self.job["framework"])

    @property
    def mode(self) -> str:
        return str(self.job["mode"])

    @property
    def seed(self) -> int:
        """Of weights, order and whatever tasks draw."""
        return int(self.job["seed"])

    def arrays(self) -> dict[str, np.ndarray]:
        """The data, by name, memory-mapped and read-only."""
        return {path.stem: inputs.load_array(self._inputs, path.stem) for path in self._inputs.glob("*.npy")}

    def fresh(self, workload: Workload) -> Program:
        """Another program of ``workload`` in this mode, from the shared initial weights."""
        program: Program = self.adapter.build(self.implementation, workload)
        program.set_tensors(self.initial(workload))
        return program

    def first(self, workload: Workload, count: int) -> list[inputs.Batch]:
        """The first ``count`` batches of training, on the host."""
        return tasks.first(self.task(workload), count)

    def hello(self) -> dict[str, Any]:
        """Who this worker is, after the import."""
        rng = np.random.default_rng(0)
        a, b = rng.standard_normal((2, 512, 512), np.float32)
        exact = a.astype(np.float64) @ b.astype(np.float64)
        product = self.adapter.matmul(a, b)
        return {
            "import_seconds": self._import_seconds,
            "imported_resident": process_memory.resident(),
            "versions": self.adapter.versions(),
            "settings": self.adapter.settings() | {"affinity": _affinity()},
            "environment": dict(os.environ),
            "conventions": dataclasses.asdict(self.adapter.conventions),
            "precision_error": float(np.linalg.norm(product - exact) / np.linalg.norm(exact)),
        }

    def initial(self, workload: Workload) -> dict[str, np.ndarray]:
        """The shared weights; states at 0 in the shapes ``workload`` gives them."""
        with np.load(self.job["weights"], allow_pickle=False) as stored:
            weights = {name: stored[name] for name in stored.files}
        return weights | states(workload)

    def task(self, workload: Workload) -> tasks.Task:
        return tasks.task(workload, self._inputs, self.job["seed"])

    def place(self, arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
        return tuple(self.adapter.place(array) for array in arrays)

    def pool(self, host: list[inputs.Batch]) -> tuple[Iterator[tuple[Any, ...]], Iterator[tuple[Any, ...]]]:
        """Batches on the device, in turns for ever; and the same in stacks where steps are taken together."""
        stacks = [self.stack(host[i : i + self.together]) for i in range(0, len(host), self.together)]
        return cycle([self.place(batch.arrays) for batch in host]), cycle(stacks if self.together > 1 else [])

    def stack(self, host: list[inputs.Batch]) -> tuple[Any, ...]:
        return self.place(tuple(np.stack(arrays) for arrays in zip(*(b.arrays for b in host), strict=True)))

    @property
    def together(self) -> int:
        """Steps that one call of the program takes; timed steps come in whole calls."""
        return int(getattr(self.program, "together", 1))

    def whole_calls(self, steps: int) -> int:
        """``steps``, or as many more as fill the last call."""
        return -(-steps // self.together) * self.together

    # -- phases --------------------------------------------------------------------------------

    def do_build(self) -> dict[str, Any]:
        """Model, optimiser, shared weights, batches on the device."""
        process_memory.reset_peak()
        start = time.perf_counter()
        self._program = self.adapter.build(self.implementation, self.workload)
        self.program.set_tensors(self.initial(self.workload))
        host = tasks.first(self.task(self.workload), POOL)
        self.batches, self.stacks = self.pool(host)
        self.adapter.synchronize()
        return {"build_seconds": time.perf_counter() - start, "build_peak_resident": process_memory.peak()}

    def do_first_step(self) -> dict[str, Any]:
        process_memory.reset_peak()
        self.adapter.reset_peak_memory()
        return {"first_step_seconds": self.steps(self.together)}

    def steps(self, count: int) -> float:
        """Run ``count`` steps on rotating batches; wall seconds, synchronised at both ends.

        Where a call takes several steps, what does not fill a call is taken one by one.
        """
        step, batches, synchronize = self.program.train_step, self.batches, self.adapter.synchronize
        several: Callable[..., Any] = getattr(self.program, "train_steps", step)
        calls, single = divmod(count, self.together) if self.together > 1 else (0, count)
        synchronize()
        start = time.perf_counter_ns()
        for stack in islice(self.stacks, calls):
            several(*stack)
        for batch in islice(batches, single):
            step(*batch)
        synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    def do_warm_up(self, *, floor_seconds: float, ceiling_seconds: float, windows: int) -> dict[str, Any]:
        """Windows of steps for at least the floor, until they are steady or the ceiling is reached.

        Steady is what :mod:`benchmarks.protocol.steady` says, with at least ``windows`` windows after the last change
        point.
        Where windows become many, neighbours are joined; where steps are so long that too few fit, it is not settled.
        """
        once = self.steps(self.together)
        windows = max(windows, steady.FEWEST)  # what is not judged from fewer is not cut into fewer
        window = self.whole_calls(max(1, min(50, round(floor_seconds / windows / once * self.together))))
        steps, seen, spent = self.together, [], 0.0
        while True:
            seen.append(self.steps(window))
            steps, spent = steps + window, spent + seen[-1]
            if len(seen) == MOST_WINDOWS:
                seen = [a + b for a, b in zip(seen[::2], seen[1::2], strict=True)]
                window *= 2
            if spent < min(floor_seconds, ceiling_seconds):
                continue
            found = steady.judge(seen, least=windows)
            if found.steady or spent >= ceiling_seconds:
                break
        return {
            "steps": steps,
            "seconds": once + spent,
            "settled": found.steady,
            "steady_rule": steady.RULE,
            "window_steps": window,
            "window_seconds": seen,
            "steady_from": found.start if found.steady else None,
        }

    def do_used(self) -> dict[str, Any]:
        """What this process really uses, asked after the warm-up."""
        return {"used": {"allocator": process_memory.allocator()} | self.adapter.used(self.program)}

    def do_lead_in(self, *, steps: int, seconds: float) -> dict[str, Any]:
        """Untimed steps just before a block: at least ``steps`` of them and at least ``seconds`` long."""
        steps = self.whole_calls(steps)
        spent, taken = self.steps(steps), steps
        while spent < seconds:
            spent += self.steps(steps)
            taken += steps
        return {"steps": taken}

    def do_block(self, *, steps: int, others: Sequence[int] = ()) -> dict[str, Any]:
        """One timed block, with the evidence of what else ran meanwhile beside the run's ``others``, process ids."""
        self.job["others"] = others
        steps = self.whole_calls(steps)
        return {"steps": steps, **counted(self, lambda: self.steps(steps))}

    def do_stretch(self, *, seconds: float, windows: int) -> dict[str, Any]:
        """One unbroken stretch of about ``seconds`` after a lead-in.

        It has ``windows`` windows; where a step takes longer than one, as many as there are steps, but 10 at least.
        """
        once = self.steps(self.together)
        once = min(once, self.steps(self.together)) / self.together  # the first step may have been slow
        windows = max(min(windows, 10), min(windows, round(seconds / once)))
        window = self.whole_calls(max(1, round(seconds / windows / once)))
        before = _collections()
        seen = [self.steps(window) for _ in range(windows)]
        return {"window_steps": window, "window_seconds": seen, "collections": _collections() - before}

    def do_training_memory(self) -> dict[str, Any]:
        return {"training_peak_resident": process_memory.peak(), "training_peak_device": self.adapter.peak_memory()}

    def inputs_of(self, size: int) -> list[tuple[Any, ...]]:
        """A few different inputs of ``program.predict`` with ``size`` rows, on the device."""
        return [self.place(arrays) for arrays in self.task(self.workload).offline(size)]

    # -- accuracy ------------------------------------------------------------------------------

    def do_train(self, *, recipe: str) -> dict[str, Any]:
        """Train the recipe from the shared weights; an event per epoch with the metric on the whole test set."""
        declared = self.workload.recipe(recipe)
        workload = self.workload.trained_by(declared)
        process_memory.reset_peak()
        self.adapter.reset_peak_memory()
        # Not kept here: where a fresh optimiser is wanted, the program before it is to be freed.
        epochs, task = self.epochs(self.fresh(workload), workload, declared.epochs), self.task(workload)
        digest = inputs.OrderDigest()
        seconds, start = 0.0, time.perf_counter()
        scores: dict[str, float] = {}
        for epoch, (program, batches) in enumerate(epochs):
            losses, seen = [], []
            for batch, placed in batches:
                losses.append(program.train_step(*placed))
                seen.append((batch.ids, [h for h, a in zip(placed, batch.arrays, strict=True) if a.dtype.kind == "i"]))
            self.adapter.synchronize()
            seconds += time.perf_counter() - start
            for ids, handles in seen:
                digest.add(ids, [self.adapter.to_numpy(handle) for handle in handles])
            loss = float(np.mean([self.adapter.to_numpy(v) for v in losses]))
            scores = self.score(program, workload)
            point = {"epoch": epoch + 1, "seconds": seconds, "loss": loss if np.isfinite(loss) else None}
            self._event(point | {"metric": scores[workload.metric]})
            start = time.perf_counter()
        hands = Hands(self.adapter, program)
        return {
            "metric": scores.pop(workload.metric),
            "also": scores,
            "generated": task.samples(hands),
            "sample_order": digest.hexdigest(),
            "peak_resident": process_memory.peak(),
            "peak_device": self.adapter.peak_memory(),
        }

    def epochs(self, program: Program, workload: Workload, count: int) -> Iterator[tuple[Program, Placed]]:
        """For each epoch the program, at the epoch's learning rate and with states at 0, and its batches.

        A batch is made and placed when it is taken. Where the declaration wants a fresh optimiser the program changes.
        """
        task, rate = self.task(workload), workload.learning_rate(0)
        for epoch in range(count):
            if workload.learning_rate(epoch) != rate:
                rate = workload.learning_rate(epoch)
                program = self._change_rate(program, workload, rate)
            program.set_tensors(states(workload))
            yield program, ((batch, self.place(batch.arrays)) for batch in task.epoch(epoch))

    def score(self, program: Program, workload: Workload) -> dict[str, float]:
        """The metric of ``workload``, first, and its other scores, on the whole test set of this worker's folder."""
        return self.task(workload).evaluate(Hands(self.adapter, program))

    def _change_rate(self, program: Program, workload: Workload, rate: float) -> Program:
        if workload.decay and workload.decay.fresh:
            optimiser = dataclasses.replace(workload.optimiser, learning_rate=rate)
            kept = program.get_tensors()
            program = self.adapter.build(self.implementation, dataclasses.replace(workload, optimiser=optimiser))
            program.set_tensors(kept)
        else:
            program.set_learning_rate(rate)
        return program


def _collections() -> int:
    """Runs of Python's garbage collector so far, of every generation."""
    return sum(int(generation["collections"]) for generation in gc.get_stats())


def _affinity() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
