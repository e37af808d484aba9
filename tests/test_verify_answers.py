"""The check of answers that comes before the parts' own: their workload, their row, and what they share with it."""

import copy

import pytest
from part_answers import BATCH, result, violations
from test_part_sweep_batch import value as sweep

from benchmarks.experiments.sweep_batch import schema

MEMORY = {"batch_size": BATCH, "steps": 3, "imported_resident": 10}
KEY = "torch:eager:cpu"


def changed(made, **fields):
    answers = [a.model_copy(update=fields) for a in made.answers]
    return made.model_copy(update={"answers": answers})


def test_an_answer_of_an_invented_stack_is_told():
    made = result("memory", {KEY: MEMORY})
    assert violations(made) == []
    found = violations(changed(made, stack="torch:invented:cpu:default"))
    assert any("its stack has no row of this workload" in v for v in found)
    other = result("sweep_batch", {KEY: sweep(1e-3, 1e-5)})
    assert any("has no row" in v for v in violations(changed(other, stack="torch:invented:cpu:default")))


def test_an_answer_of_a_workload_that_is_not_declared_once_is_told():
    made = result("memory", {KEY: MEMORY})
    none = made.model_copy(update={"declared": []})
    twice = made.model_copy(update={"declared": made.declared * 2})
    assert any("its workload is not declared in this result" in v for v in violations(none))
    assert any("its workload is declared 2 times in this result" in v for v in violations(twice))


def test_what_an_answer_shares_with_its_row_must_be_the_same():
    made = result("memory", {KEY: {**MEMORY, "batch_size": 65}})
    assert any("its batch size is 65, its row's 64" in v for v in violations(made))


def test_a_value_that_its_part_cannot_check_is_a_violation(monkeypatch):
    def check(result, answer):
        yield "first this"
        raise KeyError("nothing of that name")

    made = result("sweep_batch", {KEY: sweep(1e-3, 1e-5)})
    monkeypatch.setattr(schema, "check", check)
    found = violations(made)
    assert any(v.endswith("first this") for v in found)
    assert any("its part cannot check it: KeyError: 'nothing of that name'" in v for v in found)


@pytest.mark.parametrize("profile", ["smoke", "full"])
def test_the_sizes_of_a_sweep_are_those_of_its_profile(profile):
    made = result("sweep_batch", {KEY: copy.deepcopy(sweep(1e-3, 1e-5, unit="samples"))})
    options = made.options.model_copy(update={"profile": profile})
    assert any("asked for were" in v for v in violations(made.model_copy(update={"options": options})))
