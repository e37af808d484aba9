"""Stacks by turns: order, failures, and what a resumed run asks again."""

from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from benchmarks.engine.journal import Answered, Journal
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments.turns import by_turns, refuse

A, B = (SimpleNamespace(stack=SimpleNamespace(key=name, label=name)) for name in "ab")
ENTRY = SimpleNamespace(key="w", workload="w", variant="default")
TURNS = ("one", "two")


class Value(BaseModel, extra="allow"):
    """Whatever these experiments find."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.experiments.answering.schema", lambda part: SimpleNamespace(Value=Value))
    return SimpleNamespace(
        journal=Journal(tmp_path), report=lambda text: None, workers=SimpleNamespace(redact=lambda text: text)
    )


def go(run, ask):
    asked = []

    def find(planned, turn):
        asked.append(planned.stack.key + " " + turn)
        return ask(planned, turn)

    def together(planned, found):
        return {"found": found}

    by_turns(run, ENTRY, "memory", [A, B], TURNS, find, together)
    return asked, {e.answer.stack: e.answer for e in run.journal.of(Answered)}


def test_every_stack_has_its_turn_before_any_has_its_second(run):
    asked, answers = go(run, lambda planned, turn: {"turn": turn})
    assert asked == ["a one", "b one", "a two", "b two"]
    assert answers["b"].value == {"found": [{"turn": "one"}, {"turn": "two"}]}


def test_a_stack_that_failed_is_answered_and_not_asked_again(run):
    def ask(planned, turn):
        if planned is A:
            raise WorkerError("crashed", "it died")
        return {}

    asked, answers = go(run, ask)
    assert asked == ["a one", "b one", "b two"]
    assert (answers["a"].status, answers["a"].reason) == ("crashed", "it died")
    assert answers["b"].status == "ok"


def test_after_an_interruption_only_the_rest_is_asked(run, tmp_path):
    def ask(planned, turn):
        if (planned, turn) == (B, "two"):
            raise KeyboardInterrupt
        return {"turn": turn}

    with pytest.raises(KeyboardInterrupt):
        go(run, ask)
    run.journal = Journal(tmp_path)
    asked, answers = go(run, lambda planned, turn: {"turn": turn})
    assert asked == ["b two"]
    assert answers["a"].value == answers["b"].value


def test_refused_stacks_are_unavailable_with_the_reason(run):
    refuse(run, ENTRY, "memory", [A, B], "not here")
    assert [(e.answer.status, e.answer.reason) for e in run.journal.of(Answered)] == [("unavailable", "not here")] * 2
