"""Parts that time whole launches: with several steps a call they take whole calls only."""

from types import SimpleNamespace

import numpy as np
import pytest
import test_modes

from benchmarks.engine.plan import Planned
from benchmarks.errors import Unavailable
from benchmarks.experiments.break_even import worker as break_even
from benchmarks.experiments.break_even.schema import Launch
from benchmarks.experiments.memory import worker as memory_worker
from benchmarks.experiments.memory.schema import Value as MemoryValue
from benchmarks.experiments.quiet import quiet
from benchmarks.experiments.time_to_accuracy import measure as time_to_accuracy
from benchmarks.experiments.time_to_accuracy import worker as training
from benchmarks.machine import process_memory
from benchmarks.schema.results import Stack

session = test_modes.session  # its program takes four steps at once


def test_break_even_takes_whole_calls_from_the_first_on(session):
    for name in ("x", "y"):  # the evaluation takes test data
        np.save(session._inputs / f"test_{name}.npy", session.arrays()[f"train_{name}"])
    amounts = {"steps": 9, "slow_steps": 3, "slow_seconds": 9.0, "windows": 3, "window_seconds": 1e-9}
    found = break_even.answer(session, **amounts)
    assert set(session.calls) == {4}
    assert len(found["launch"]["call_seconds"]) == 3, "as many calls as hold nine steps"
    assert found["launch"]["call_steps"] == found["launch"]["window_steps"] == 4
    assert len(session.calls) == 3 + 3
    Launch(caches="cold", cached_files=0, **found["launch"])
    session.calls.clear()
    found = break_even.answer(session, **{**amounts, "steps": 80, "slow_seconds": 0.0})
    assert len(found["launch"]["call_seconds"]) == 3, "three at least, however slow"


def test_memory_takes_whole_calls(session):
    if process_memory.resident() is None:
        pytest.skip("this system does not tell the resident memory of a process")
    found = memory_worker.answer(session, steps=6)
    assert session.calls == [4, 4, 4]
    assert MemoryValue(**found).steps == 8


def test_a_training_to_a_target_takes_single_steps_or_none(session):
    with pytest.raises(Unavailable, match="takes 4 steps at once"):
        training.answer(session, recipe="smoke", target=0.02, every=2, steps=16)
    assert session.calls == []


def test_tuned_modes_do_not_train_to_a_target(monkeypatch):
    def planned(mode):
        stack = Stack(framework="tensorflow", mode=mode, device="cpu", tuned=mode == "graph-multi")
        return Planned(stack=stack, available=True, reason="", implementation={})

    def chosen(*modes):
        several = [planned(mode) for mode in modes]
        rows = [
            SimpleNamespace(stack=p.stack, status="ok", samples_per_second=lambda i=i: float(i))
            for i, p in enumerate(several)
        ]
        entry = SimpleNamespace(runnable=lambda: several)
        monkeypatch.setattr(time_to_accuracy, "rows", lambda plan, entry, journal: rows)
        return time_to_accuracy.representatives(SimpleNamespace(plan=None, journal=None), entry)

    (found,) = chosen("eager", "graph", "graph-multi").values()
    assert found.stack.mode == "graph", "the fastest of those that are not tuned"
    assert chosen("graph-multi") == {}


def test_less_than_half_quiet_is_not_enough():
    assert quiet("abcd", [False, True, True, False]) == (["a", "d"], True)
    assert quiet("abc", [False, True, True]) == (["a", "b", "c"], False)
