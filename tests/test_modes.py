"""Tuned modes: read, run only where asked for, several steps at once counted right and equal to single ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from frameworks import need

from benchmarks.engine import select
from benchmarks.engine.environment import KEEP_MEMORY, worker_environment
from benchmarks.frameworks.discovery import Framework, frameworks
from benchmarks.frameworks.modes import Mode
from benchmarks.schema.results import Stack
from benchmarks.tasks import inputs
from benchmarks.worker.certificate import losses
from benchmarks.worker.session import Session
from benchmarks.workload import ROOT, discover, load
from reports import svg

TOY = Path(__file__).parent / "toys" / "toy"


def test_the_tuned_modes_that_the_suite_promises():
    extra = {name: {mode for mode, m in f.modes.items() if m.tuned} for name, f in frameworks().items()}
    single = {"reduce-overhead", "max-autotune", "compile-step", "compile-cpp", "eager-keepmem"}
    assert extra["torch"] == single | {"eager-tuned", "compile-tuned"}
    single = {"graph-multi", "graph-onednn", "graph-eigen", "graph-autocluster"}
    assert extra["tensorflow"] == single | {"graph-tuned", "xla-tuned"}
    assert extra["tensorlayerx"] == {"graph-onednn", "graph-eigen", "xla", "graph-tuned"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["eager"]),
        ({"tuned": True}, ["eager", "fast"]),
        ({"mode": ["fast"]}, ["fast"]),
        ({"stack": ["toys:fast"]}, ["fast"]),
        ({"stack": ["toys:eager"], "tuned": True}, ["eager"]),
        ({"mode": ["eager"], "tuned": True}, ["eager"]),
        ({"framework": ["other"], "tuned": True}, []),
    ],
)
def test_tuned_stacks_are_planned_only_where_asked_for(asked, expected, monkeypatch):
    toys = Framework(
        name="toys", label="Toys", requires=(), packages=(), folder=Path(),
        modes={"eager": Mode("eager", "a", usual=True), "fast": Mode("fast", "b", tuned=True)},
    )  # fmt: skip
    monkeypatch.setattr(select, "frameworks", lambda: {"toys": toys})
    monkeypatch.setattr(select, "Availability", lambda python: SimpleNamespace(reason=lambda *words: ""))
    monkeypatch.setattr(select, "implementation_files", lambda found, framework, mode: {})
    monkeypatch.setattr(select, "is_written", lambda found, framework, mode: True)
    monkeypatch.setattr(select, "own_variables", lambda found, framework, mode: {})
    found = SimpleNamespace()
    words = {"framework": [], "mode": [], "stack": [], "tuned": False, **asked}
    planned = select._planned(found, {"default": "python"}, devices=["cpu"], **words)
    assert [p.stack.mode for p in planned] == expected
    assert [p.stack.tuned for p in planned] == [mode == "fast" for mode in expected]


def test_the_canary_is_a_documented_stack_where_one_can_run():
    def planned(mode, tuned, available):
        stack = Stack(framework="torch", mode=mode, device="cpu", tuned=tuned)
        return SimpleNamespace(stack=stack, available=available, model_copy=lambda update: update["stack"])

    fast, broken, eager = planned("fast", True, True), planned("graph", False, False), planned("eager", False, True)
    (again,) = select._again([fast, broken, eager])
    assert (again.mode, again.replica) == ("eager", 1)
    (again,) = select._again([fast, broken])
    assert again.mode == "fast"
    assert select._again([broken]) == []


def test_memory_is_kept_only_where_the_mode_says_so(tmp_path):
    stack = SimpleNamespace(framework="torch", mode="eager", device="cpu")
    plain = worker_environment(stack, threads=1, scratch=tmp_path, caches=tmp_path, inherited=KEEP_MEMORY)
    assert not KEEP_MEMORY.keys() & plain.keys()
    modes = frameworks()["torch"].modes
    assert [name for name, mode in modes.items() if KEEP_MEMORY.items() <= mode.environment.items()] == [
        "eager-keepmem"
    ]
    keeping = SimpleNamespace(framework="torch", mode="eager-keepmem", device="cpu")
    kept = worker_environment(keeping, threads=1, scratch=tmp_path, caches=tmp_path, inherited={})
    assert KEEP_MEMORY.items() <= kept.items()


def test_modes_of_a_framework_are_told_apart_in_charts():
    def looks(names):
        stacks = [Stack(framework=name, mode=mode, device="cpu") for name in names for mode in frameworks()[name].modes]
        svg.begin(stacks)
        return {(s.framework, s.mode): (svg.colour(s), svg.marker(s)) for s in stacks}

    names = ["torch", "tensorflow", "tensorlayerx"]
    every = looks(names)
    assert len(set(every.values())) == len(every)
    assert [every[name, "eager"][0] for name in names] == ["#0b0000", "#0b0100", "#0b0200"]
    assert looks(names[::-1]) == every, "in whatever order the stacks come"
    late = Stack(framework="numpy", mode="eager", device="cpu")
    assert svg.colour(late) == "#0b0300"
    assert svg.variable(late) == "--c30"


@pytest.fixture
def session(tmp_path):
    """A built session of the toy whose program also takes four steps at once, and what it was called with."""
    workload = load(TOY, "sound").workload
    rng = np.random.default_rng(0)
    shape = (8 * workload.batch_size, *workload.dataset.shape)
    arrays = {"train_x": rng.random(shape, np.float32), "train_y": rng.integers(0, 10, shape[0])}
    inputs.save_arrays(tmp_path / "inputs", arrays)
    np.savez(tmp_path / "weights.npz", **inputs.initial_tensors(workload, 0))
    job = {"framework": "numpy", "mode": "eager", "device": "cpu", "threads": 1, "seed": 0, "variant": "sound"}
    job |= {"folder": str(TOY), "batch_size": workload.batch_size, "inputs": str(tmp_path / "inputs")}
    made = Session(job | {"weights": str(tmp_path / "weights.npz")}, event=lambda fields: None)
    build, made.calls = made.adapter.build, []

    def several(implementation, workload):
        program = build(implementation, workload)
        single = program.train_step

        def step(*batch):
            made.calls.append(1)
            return single(*batch)

        def steps(*stacked):
            made.calls.append(len(stacked[0]))
            return np.array([single(*batch) for batch in zip(*stacked, strict=True)])

        program.together, program.train_step, program.train_steps = 4, step, steps
        return program

    made.adapter.build = several
    made.do_build()
    return made


def test_whole_calls_are_taken_together_and_the_rest_one_by_one(session):
    session.steps(10)
    assert session.calls == [4, 4, 1, 1]


def test_what_is_timed_comes_in_whole_calls(session):
    assert session.do_first_step()["first_step_seconds"] > 0
    assert session.do_lead_in(steps=3, seconds=0.0) == {"steps": 4}
    assert session.do_block(steps=9)["steps"] == 12
    warm = session.do_warm_up(floor_seconds=0.0, ceiling_seconds=0.0, windows=1)
    assert warm["window_steps"] % 4 == 0
    assert warm["steps"] == sum(session.calls) - 4 - 4 - 12
    assert session.do_stretch(seconds=0.01, windows=2)["window_steps"] % 4 == 0
    assert set(session.calls) == {4}


def test_the_certificate_takes_its_steps_in_one_call(session):
    host = session.first(session.workload, 5)
    together = losses(session, session.fresh(session.workload), host)
    assert session.calls == [5]
    program = session.fresh(session.workload)
    assert np.allclose(together, [program.train_step(*batch.arrays) for batch in host], rtol=0, atol=0)


EQUAL = """
import sys
import numpy as np
sys.path.insert(0, "tests")
from test_adapters import found, tensors_of
from benchmarks.frameworks import tensorflow_adapter
from benchmarks.workload import load_module

adapter = tensorflow_adapter.Adapter(mode="graph-multi", device="cpu", threads=2, seed=0)
for key in ("mnist_mlp_ablation/batchnorm", "mnist_mlp"):
    place = found(key)
    workload, path = place.workload.without_dropout(), place.implementation("tensorflow")
    implementation, rng = load_module(path, path.stem), np.random.default_rng(1)
    x, y = rng.random((8, 16, 784), np.float32), rng.integers(0, 10, (8, 16))
    start = tensors_of(workload, 1)
    ends = []
    for together in (True, False):
        program = adapter.build(implementation, workload)
        program.set_tensors(start)
        if together:
            losses = program.train_steps(adapter.place(x), adapter.place(y)).numpy()
            assert losses.shape == (8,), losses.shape
        else:
            singles = [float(program.train_step(adapter.place(a), adapter.place(b))) for a, b in zip(x, y)]
        ends.append(program.get_tensors())
    np.testing.assert_allclose(losses, singles, rtol=1e-6)
    for name, value in ends[0].items():
        moved = max(np.linalg.norm(value - start[name]), 1e-3)
        assert np.linalg.norm(value - ends[1][name]) <= 1e-5 * moved, name
    assert any((ends[0][name] != value).any() for name, value in start.items())
dropping = adapter.build(implementation, place.workload)
dropping.set_tensors(start)
dropping.set_learning_rate(0.0)
same = dropping.train_steps(adapter.place(np.repeat(x[:1], 8, 0)), adapter.place(np.repeat(y[:1], 8, 0))).numpy()
assert len(set(same.tolist())) == 8, same  # each step of a call draws its own masks
"""


@pytest.mark.framework
def test_eight_steps_at_once_equal_eight_single_steps(tmp_path):
    need("tensorflow")
    stack = SimpleNamespace(framework="tensorflow", mode="graph-multi", device="cpu")
    env = worker_environment(stack, threads=2, scratch=tmp_path, caches=tmp_path)
    done = subprocess.run([sys.executable, "-c", EQUAL], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_tuned_mode_has_implementations():
    written = {name for f in discover() for name in frameworks() if f.implementation(name).is_file()}
    assert {name for name, f in frameworks().items() if any(mode.tuned for mode in f.modes.values())} <= written
