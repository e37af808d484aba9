"""Scaling over threads: counts, speed-up and efficiency, what verify and the report say of them."""

import copy
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from part_answers import BATCH, cells, launch, result, section, violations

from benchmarks.experiments.sweep_threads.schema import Value, counts, words


def value(steps):
    """``steps``: threads -> seconds of each launch; a string is why there is none."""
    made = []
    for threads, found in steps.items():
        if isinstance(found, str):
            made.append({"threads": threads, "status": "crashed", "reason": found, "launches": []})
        else:
            launches = [launch(k, step) for k, step in enumerate(found)]
            made.append({"threads": threads, "status": "ok", "launches": launches})
    return {"batch_size": BATCH, "counts": made}


@given(st.integers(1, 1000))
def test_counts_double_and_end_at_all_threads(most):
    found = counts(most)
    assert found[0] == 1
    assert found[-1] == most
    assert all(a < b <= 2 * a for a, b in itertools.pairwise(found))
    assert set(found[:-1]) == {2**k for k in range(10) if 2**k < most}


def test_speed_up_is_of_the_launches_geometric_means():
    v = Value.model_validate(value({1: [0.008, 0.002], 2: [0.002, 0.002]}))
    assert v.speed_ups == {1: pytest.approx(1.0), 2: pytest.approx(2.0)}
    assert v.efficiencies == {1: pytest.approx(1.0), 2: pytest.approx(1.0)}
    assert "2.00 times as fast on 2, 100% of ideal" in words(v)
    without_one = Value.model_validate(value({1: "died", 2: [0.002]}))
    assert without_one.speed_ups == {}
    assert "1 threads crashed" in words(without_one)


@pytest.fixture
def scaling():
    return {
        "torch:eager:cpu": value({1: [0.010, 0.011], 2: [0.006, 0.006]}),
        "tensorflow:graph:cpu": value({1: [0.010, 0.010], 2: [0.0102, 0.0102]}),
        "tensorflow:eager:cpu": value({1: [0.010], 2: "the worker died"}),
    }


def test_verify_holds_a_sweep_to_its_form(scaling):
    assert violations(result("sweep_threads", scaling)) == []
    for change, complaint in (
        (lambda v: v["counts"].pop(), "counts are not 1, 2, 4"),
        (lambda v: v["counts"][0].update(launches=[]), "ok without a launch"),
        (lambda v: v["counts"][1].update(reason="why"), "a reason belongs"),
        (lambda v: v.update(batch_size=1), "its batch size is 1, its row's 64"),
    ):
        wrong = copy.deepcopy(scaling)
        change(wrong["torch:eager:cpu"])
        assert any(complaint in v for v in violations(result("sweep_threads", wrong))), complaint


def test_the_report_tells_who_gains_and_who_does_not(scaling):
    found = section(result("sweep_threads", scaling))
    assert "With 2 threads a step of PyTorch eager is 1.75 times as fast as with one (87% of the ideal)" in (
        found.sentence
    )
    assert "one of TensorFlow graph 0.98 times" in found.sentence
    table = {row[0]: row for row in cells(found)}
    assert table["TensorFlow eager"][1:] == ["10.0", "–"]
    assert found.tables[0][1].notes == ["2 threads: the worker died"]
    assert "ideal" in found.charts[0].svg


def test_one_thread_scales_to_nothing(scaling):
    made = result("sweep_threads", {"torch:eager:cpu": value({1: [0.01]})})
    found = section(made.model_copy(update={"options": made.options.model_copy(update={"threads": 1})}))
    assert "nothing can be said of scaling" in found.sentence
    assert not found.charts
