"""Changes of the learning rate, optimisers kept and made anew: every mode on a CPU against the float64 reference.

The trainings are in ``schedule_probe.py``, which runs once per framework and tier, in a process of its own.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
import os
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from frameworks import need
from schedule_probe import ANEW, CASES, EPOCHS, FAULTS, SEED, STEPS, arrays, runs

from benchmarks import tasks
from benchmarks.certificate.reference import Reference
from benchmarks.engine.environment import ROOT, worker_environment
from benchmarks.frameworks.base import Conventions
from benchmarks.tasks import inputs
from benchmarks.worker.model_handle import states
from benchmarks.worker.session import Session
from benchmarks.workload import base_mode, load

STACKS = [
    ("torch", "eager"),
    ("torch", "compile"),
    ("torch", "eager-tuned"),
    ("tensorflow", "eager"),
    ("tensorflow", "graph"),
    ("tensorflow", "xla"),
    ("tensorflow", "graph-tuned"),
    ("tensorlayerx", "eager"),
    ("tensorlayerx", "graph"),
    ("tensorlayerx", "trainonestep"),
    ("tensorlayerx", "graph-tuned"),
]
FAST = {"torch": ("eager",), "tensorflow": ("graph",), "tensorlayerx": ("graph",)}
SLOW = {name: tuple(m for f, m in STACKS if f == name and m not in fast) for name, fast in FAST.items()}
# Nine times the largest error that float32 made in any of the eight modes: clipped SGD 5.5e-6, Adam 5.1e-6, SGD 1.2e-6,
# Adagrad 1.8e-7. A reference of Adam that keeps its tensors in float32 is off by 4.9e-6. The faults move every tensor
# by 0.2 and more.
TOLERANCE = 5e-5
RUN = [(case, *stack) for case in CASES for stack in STACKS if runs(case, *stack)]
every_run = pytest.mark.parametrize(
    ("case", "framework", "mode"),
    [pytest.param(*run, marks=() if run[2] in FAST[run[1]] else pytest.mark.slow, id="-".join(run)) for run in RUN],
)


@functools.cache
def run(framework: str, modes: tuple[str, ...]) -> SimpleNamespace:
    """What the probe saw in each mode: arrays by ``case/kind/epoch/tensor``, and facts."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        stack = SimpleNamespace(framework=framework, mode=modes[0], device="cpu")
        env = worker_environment(stack, threads=1, scratch=folder / "home", caches=folder / "caches")
        env["PYTHONPATH"] += os.pathsep + str(ROOT / "tests")
        (folder / "home").mkdir()
        command = [sys.executable, str(ROOT / "tests" / "schedule_probe.py"), framework, ",".join(modes), str(folder)]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return SimpleNamespace(error=done.stderr[-4000:])
        out = {}
        for mode in modes:
            with np.load(folder / mode / "seen.npz") as stored:
                found = {name: stored[name] for name in stored.files}
            out[mode] = SimpleNamespace(facts=json.loads(str(found.pop("facts"))), arrays=found)
    return SimpleNamespace(error="", modes=out)


def seen(framework: str, mode: str) -> SimpleNamespace:
    need(framework)
    out = run(framework, FAST[framework] if mode in FAST[framework] else SLOW[framework])
    if out.error:
        pytest.fail(out.error, pytrace=False)
    return out.modes[mode]


@functools.cache
def expected(case: str, adam_epsilon: str, running_variance: str, schedule: str = "declared") -> dict[str, np.ndarray]:
    """The reference's tensors after each epoch as ``epoch/tensor``; ``schedule`` is that of a fault, or as declared."""
    workload = CASES[case]
    assert workload.decay is not None
    tensors = inputs.initial_tensors(workload, SEED)
    reference = Reference(workload, tensors, Conventions(adam_epsilon=adam_epsilon, running_variance=running_variance))
    fresh = {"declared": bool(workload.decay.fresh), "moments_kept": False, "moments_lost": True}
    out = {f"start/{name}": value.astype(np.float64) for name, value in tensors.items()}
    with tempfile.TemporaryDirectory() as folder:
        inputs.save_arrays(Path(folder), arrays(workload))
        task = tasks.task(workload, Path(folder), SEED)
        for epoch in range(EPOCHS):
            if epoch and schedule != "rate_kept":
                reference.change_rate(workload.optimiser.learning_rate / 2**epoch, fresh=fresh[schedule])
            reference.tensors |= states(workload)
            batches = [batch.arrays for batch in task.epoch(epoch)]
            assert len(batches) == STEPS
            for batch in batches:
                reference.step(*batch)
            out |= {f"{epoch}/{name}": value for name, value in reference.tensors.items()}
    return out


def errors(case: str, epoch: int, got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> dict[str, float]:
    """Of the change since the start: norm of the difference over the norm of the change, by trained tensor."""
    out = {}
    for name in (t.name for t in CASES[case].tensors if t.trainable):
        moved = want[f"{epoch}/{name}"] - want[f"start/{name}"]
        out[name] = float(np.linalg.norm(got[f"{epoch}/{name}"] - want[f"{epoch}/{name}"]) / np.linalg.norm(moved))
    return out


def stretch(out: SimpleNamespace, case: str, kind: str) -> dict[str, np.ndarray]:
    prefix = f"{case}/{kind}/"
    return {name.removeprefix(prefix): value for name, value in out.arrays.items() if name.startswith(prefix)}


@pytest.mark.framework
@every_run
def test_weights_follow_the_declared_schedule(case: str, framework: str, mode: str) -> None:
    out = seen(framework, mode)
    got, want = stretch(out, case, "sound"), expected(case, **out.facts["conventions"])
    for epoch in range(EPOCHS):
        found = errors(case, epoch, got, want)
        assert max(found.values()) <= TOLERANCE, (epoch, found)


@pytest.mark.framework
@every_run
def test_a_fault_in_the_schedule_is_seen_in_every_tensor(case: str, framework: str, mode: str) -> None:
    out, fault = seen(framework, mode), FAULTS[case].__name__
    got, want = stretch(out, case, "fault"), expected(case, **out.facts["conventions"])
    assert max(errors(case, 0, got, want).values()) <= TOLERANCE  # before the first change
    as_meant = expected(case, **out.facts["conventions"], schedule=fault)
    for epoch in range(1, EPOCHS):
        found = errors(case, epoch, got, want)
        assert min(found.values()) > 100 * TOLERANCE, (epoch, found)
        assert max(errors(case, epoch, got, as_meant).values()) <= TOLERANCE  # it is that fault and no other


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        *((case, "rate_kept") for case in CASES),
        *(("adam", "moments_lost"), ("fresh_adam", "moments_kept"), ("adagrad", "moments_lost")),
    ],
)
@pytest.mark.parametrize("form", ["before", "after"])
def test_no_fault_in_the_schedule_is_within_the_tolerance(case: str, fault: str, form: str) -> None:
    want, other = (expected(case, form, "biased", schedule=schedule) for schedule in ("declared", fault))
    for epoch in range(1, EPOCHS):
        found = errors(case, epoch, other, want)
        assert min(found.values()) > 100 * TOLERANCE, (epoch, found)


@pytest.mark.framework
@every_run
def test_a_new_rate_compiles_nothing_and_a_fresh_program_once(case: str, framework: str, mode: str) -> None:
    told = seen(framework, mode).facts[f"{case}/sound"]
    if base_mode(mode) == "compile":  # over the whole process: the first program's graph serves those after it too
        assert told["compiled"][0] > 0
        assert len(set(told["compiled"])) == 1
    else:  # of the program that trained the epoch
        traces = int(base_mode(mode) in ("graph", "xla"))
        if case == "adagrad" and mode == "graph":  # TensorFlow 1's optimiser makes its variables in a trace of its own
            traces = 2
        assert told["compiled"] == [traces] * EPOCHS


@pytest.mark.framework
@every_run
def test_a_program_is_freed_when_a_fresh_one_has_taken_its_place(case: str, framework: str, mode: str) -> None:
    told = seen(framework, mode).facts[f"{case}/sound"]
    assert told["programs"] == (EPOCHS if case == "fresh_adam" else 1)
    assert told["alive"] == [1] * EPOCHS


def test_a_training_keeps_no_program_but_the_last(tmp_path: Path) -> None:
    """Session.do_train, on NumPy."""
    toy = Path(__file__).parent / "toys" / "toy"
    workload = load(toy, "sound").workload
    rng = np.random.default_rng(0)
    count = 2 * workload.batch_size
    data = {f"{split}_x": rng.random((count, 784), np.float32) for split in ("train", "test")}
    data |= {f"{split}_y": rng.integers(0, 10, count) for split in ("train", "test")}
    inputs.save_arrays(tmp_path / "inputs", data)
    np.savez(tmp_path / "weights.npz", **inputs.initial_tensors(workload, 0))
    job = {"framework": "numpy", "mode": "eager", "device": "cpu", "threads": 1, "seed": 0, "variant": "sound"}
    job |= {"folder": str(toy), "batch_size": workload.batch_size, "inputs": str(tmp_path / "inputs")}
    programs: list[weakref.ref[Any]] = []
    alive = []

    def told(fields: dict[str, Any]) -> None:
        gc.collect()
        alive.append(sum(known() is not None for known in programs))

    session = Session(job | {"weights": str(tmp_path / "weights.npz")}, event=told)
    session.workload = dataclasses.replace(session.workload, decay=ANEW)
    build = session.adapter.build

    def built(*words: Any) -> Any:
        program = build(*words)
        programs.append(weakref.ref(program))
        return program

    session.adapter.build = built
    session.do_train(recipe="smoke")
    assert len(programs) == len(alive) == 2
    assert alive == [1, 1]
