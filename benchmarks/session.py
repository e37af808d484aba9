"""What a worker can be asked to do, one method per request. Framework-free; the adapter is loaded by name."""

from __future__ import annotations

import dataclasses
import importlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import disturbance, inputs, memory
from benchmarks.frameworks.base import Program
from benchmarks.workload import Workload, load, load_module

POOL = 8  # distinct batches that rotate in timed blocks
EVALUATION_BATCH = 500


class Session:
    """One adapter, one workload, and the program that is being timed.

    ``job`` holds: framework, mode, device, threads, seed, folder, variant,
    batch_size, inputs (folder of arrays) and weights (npz of initial tensors).
    """

    def __init__(self, job: dict[str, Any], *, event: Callable[[dict[str, Any]], None]) -> None:
        self._event = event
        self._job = job
        self._inputs = Path(job["inputs"])
        self.workload: Workload = dataclasses.replace(
            load(Path(job["folder"]), job["variant"]).workload, batch_size=job["batch_size"]
        )
        start = time.perf_counter()
        framework = job["framework"]
        module = importlib.import_module(f"benchmarks.frameworks.{framework}_adapter")
        path = Path(job["folder"]) / f"{self.workload.name}_{framework}.py"
        self._implementation = load_module(path, path.stem)
        self.adapter: Any = module.Adapter(
            mode=job["mode"], device=job["device"], threads=job["threads"], seed=job["seed"]
        )
        self._import_seconds = time.perf_counter() - start
        self._program: Program | None = None
        self._batches: Iterator[tuple[Any, Any]] = iter(())

    def is_out_of_memory(self, error: BaseException) -> bool:
        return bool(self.adapter.is_out_of_memory(error))

    @property
    def program(self) -> Program:
        if self._program is None:
            raise RuntimeError("the worker was asked to run before it was asked to build")
        return self._program

    def hello(self) -> dict[str, Any]:
        """Who this worker is, after the import."""
        rng = np.random.default_rng(0)
        a, b = rng.standard_normal((2, 512, 512), np.float32)
        exact = a.astype(np.float64) @ b.astype(np.float64)
        product = self.adapter.matmul(a, b)
        return {
            "import_seconds": self._import_seconds,
            "imported_resident": memory.resident(),
            "versions": self.adapter.versions(),
            "settings": self.adapter.settings() | {"affinity": _affinity()},
            "environment": dict(os.environ),
            "conventions": dataclasses.asdict(self.adapter.conventions),
            "precision_error": float(np.linalg.norm(product - exact) / np.linalg.norm(exact)),
        }

    def _initial(self) -> dict[str, np.ndarray]:
        with np.load(self._job["weights"], allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def _host_batches(self, count: int, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return inputs.first_batches(self._inputs, seed=self._job["seed"], batch_size=size, count=count)

    def _place(self, batches: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Any, Any]]:
        return [(self.adapter.place(x), self.adapter.place(y)) for x, y in batches]

    # -- phases --------------------------------------------------------------------------------

    def do_build(self) -> dict[str, Any]:
        """Model, optimiser, shared weights, batches on the device."""
        memory.reset_peak()
        start = time.perf_counter()
        self._program = self.adapter.build(self._implementation, self.workload)
        self.program.set_tensors(self._initial())
        self._batches = cycle(self._place(self._host_batches(POOL, self.workload.batch_size)))
        self.adapter.synchronize()
        return {"build_seconds": time.perf_counter() - start, "build_peak_resident": memory.peak()}

    def do_first_step(self) -> dict[str, Any]:
        memory.reset_peak()
        self.adapter.reset_peak_memory()
        return {"first_step_seconds": self._steps(1)}

    def _steps(self, count: int) -> float:
        """Run ``count`` steps on rotating batches; wall seconds, synchronised at both ends."""
        step, batches, synchronize = self.program.train_step, self._batches, self.adapter.synchronize
        synchronize()
        start = time.perf_counter_ns()
        for x, y in islice(batches, count):
            step(x, y)
        synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    def do_warm_up(self, *, floor_seconds: float, ceiling_seconds: float, windows: int) -> dict[str, Any]:
        """Windows of steps until ``windows`` in a row agree within 5 %, or the ceiling is reached."""
        once = self._steps(1)
        window = max(1, min(50, round(floor_seconds / windows / once)))
        seen: list[float] = []
        settled = False
        start = time.perf_counter()
        while True:
            seen.append(self._steps(window))
            spent = time.perf_counter() - start
            last = seen[-windows:]
            settled = len(seen) >= windows and max(last) <= 1.05 * min(last)
            if spent >= ceiling_seconds or (settled and spent >= floor_seconds):
                break
        return {
            "steps": 1 + window * len(seen),
            "seconds": once + sum(seen),
            "settled": settled,
            "window_steps": window,
            "window_seconds": seen,
        }

    def do_lead_in(self, *, steps: int, seconds: float) -> dict[str, Any]:
        """Untimed steps just before a block: at least ``steps`` of them and at least ``seconds`` long."""
        spent, taken = self._steps(steps), steps
        while spent < seconds:
            spent += self._steps(steps)
            taken += steps
        return {"steps": taken}

    def do_block(self, *, steps: int) -> dict[str, Any]:
        """One timed block, with the evidence of what else ran meanwhile."""
        before = disturbance.snapshot()
        seconds = self._steps(steps)
        after = disturbance.snapshot()
        return {"seconds": seconds, "steps": steps, **disturbance.difference(before, after)}

    def do_training_memory(self) -> dict[str, Any]:
        return {"training_peak_resident": memory.peak(), "training_peak_device": self.adapter.peak_memory()}

    # -- inference -----------------------------------------------------------------------------

    def do_inference(
        self, *, calls: int, warm_calls: int, batch_sizes: list[int], min_seconds: float
    ) -> dict[str, Any]:
        """Single: batch 1, host to host, synchronised per call. Offline: throughput per batch size."""
        memory.reset_peak()
        self.adapter.reset_peak_memory()
        x = np.ascontiguousarray(inputs.load_array(self._inputs, "test_x")[:1024])
        place, predict, to_numpy = self.adapter.place, self.program.predict, self.adapter.to_numpy
        single = []
        for i in range(-warm_calls, calls):
            row = x[i % len(x)][None]
            start = time.perf_counter_ns()
            to_numpy(predict(place(row)))
            if i >= 0:
                single.append((time.perf_counter_ns() - start) / 1e9)
        offline = [self._offline(x, size, min_seconds) for size in batch_sizes]
        return {
            "single": {"calls": calls, "seconds": single},
            "offline": offline,
            "inference_peak_resident": memory.peak(),
            "inference_peak_device": self.adapter.peak_memory(),
        }

    def _offline(self, x: np.ndarray, size: int, min_seconds: float) -> dict[str, Any]:
        predict, synchronize = self.program.predict, self.adapter.synchronize
        pool = [self.adapter.place(np.resize(np.roll(x, k, axis=0), (size, *x.shape[1:]))) for k in range(4)]
        for batch in pool[:3]:
            predict(batch)
        synchronize()
        start = time.perf_counter_ns()
        calls, spent = 0, 0.0
        while spent < min_seconds or calls < 3:
            for batch in pool:
                predict(batch)
            synchronize()
            calls += len(pool)
            spent = (time.perf_counter_ns() - start) / 1e9
        return {"batch_size": size, "calls": calls, "seconds": spent}

    # -- certificate ---------------------------------------------------------------------------

    def do_certificate(self, *, steps: int, batch_size: int, transplant: str, out: str) -> dict[str, Any]:
        """Everything the certificate compares, written to the npz file ``out`` under ``check/tensor`` keys.

        The model is built again without dropout; ``transplant`` holds the tensors whose
        evaluation is compared apart from this stack's own training.
        """
        program = self.adapter.build(self._implementation, self.workload.without_dropout())
        initial = self._initial()
        host = self._host_batches(steps, batch_size)
        batches = self._place(host)
        found: dict[str, np.ndarray] = {}
        program.set_tensors(initial)
        found["forward/logits"] = program.forward(batches[0][0])
        program.set_tensors(initial)
        loss, gradients = program.gradients(*batches[0])
        found |= {f"gradient/{name}": value for name, value in gradients.items()}
        found["gradient_loss"] = np.array(loss)
        program.set_tensors(initial)
        for i, (x, y) in enumerate(batches):
            found[f"loss/loss {i + 1}"] = self.adapter.to_numpy(program.train_step(x, y))
        found |= {f"final/{name}": value for name, value in program.get_tensors().items()}
        found["evaluation/logits"] = self.adapter.to_numpy(program.predict(batches[0][0]))
        with np.load(transplant, allow_pickle=False) as stored:
            program.set_tensors({name: stored[name] for name in stored.files})
        found["transplanted_evaluation/logits"] = self.adapter.to_numpy(program.predict(batches[0][0]))
        found["probe_x"] = _host_images(self.adapter.to_numpy(batches[0][0]), host[0][0].shape)
        shape = (self.workload.batch_size, 800)
        for call in ("dropout1", "dropout2"):
            for name, value in self.program.dropout_on_ones(shape).items():
                found[f"{call}/{name}"] = value
        np.savez(out, **found)  # type: ignore[arg-type]  # NumPy's own keyword comes first in its stub
        return {"order": self._order_digest()}

    def _order_digest(self) -> str:
        digest = inputs.OrderDigest()
        for ids, _, y in self._feed(0):
            digest.add(ids, self.adapter.to_numpy(y))
        return digest.hexdigest()

    def _feed(self, epoch: int) -> Iterator[tuple[np.ndarray, Any, Any]]:
        """Sample ids and placed batches of one epoch, from the shared NumPy feed."""
        x, y = inputs.load_array(self._inputs, "train_x"), inputs.load_array(self._inputs, "train_y")
        for ids in inputs.batch_ids(self._job["seed"], epoch, len(x), self.workload.batch_size):
            yield ids, self.adapter.place(x[ids]), self.adapter.place(y[ids])

    # -- accuracy ------------------------------------------------------------------------------

    def do_train(self, *, epochs: int, learning_rate: float | None) -> dict[str, Any]:
        """Train the recipe from the shared weights; an event per epoch with the metric on the whole test set."""
        workload = self.workload
        if learning_rate is not None:
            optimiser = dataclasses.replace(workload.optimiser, learning_rate=learning_rate)
            workload = dataclasses.replace(workload, optimiser=optimiser)
        memory.reset_peak()
        self.adapter.reset_peak_memory()
        program = self.adapter.build(self._implementation, workload)
        program.set_tensors(self._initial())
        digest = inputs.OrderDigest()
        seconds, metric = 0.0, None
        for epoch in range(epochs):
            start = time.perf_counter()
            losses, seen = [], []
            for ids, x, y in self._feed(epoch):
                losses.append(program.train_step(x, y))
                seen.append((ids, y))
            self.adapter.synchronize()
            seconds += time.perf_counter() - start
            for ids, y in seen:
                digest.add(ids, self.adapter.to_numpy(y))
            loss = float(np.mean([self.adapter.to_numpy(v) for v in losses]))
            metric = self._evaluate(program)
            point = {"epoch": epoch + 1, "seconds": seconds, "loss": loss if np.isfinite(loss) else None}
            self._event(point | {"metric": metric})
        return {
            "metric": metric,
            "sample_order": digest.hexdigest(),
            "peak_resident": memory.peak(),
            "peak_device": self.adapter.peak_memory(),
        }

    def _evaluate(self, program: Program) -> float:
        """Accuracy over the whole test set, evaluation mode; the last batch is padded and the padding dropped."""
        x, y = inputs.load_array(self._inputs, "test_x"), inputs.load_array(self._inputs, "test_y")
        size = min(EVALUATION_BATCH, len(x))
        right = 0
        for start in range(0, len(x), size):
            rows = np.arange(start, start + size) % len(x)
            logits = self.adapter.to_numpy(program.predict(self.adapter.place(x[rows])))
            count = min(size, len(x) - start)
            right += int((logits.argmax(1)[:count] == y[rows][:count]).sum())
        return right / len(x)


def _affinity() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _host_images(placed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A batch read back from the device in the host's layout, whether the framework keeps NHWC or NCHW."""
    if placed.shape != shape and placed.ndim == 4:
        placed = placed.transpose(0, 2, 3, 1)
    return placed
