"""The part ``loops``: what is derived, what verify refuses, and what the report says."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from part_answers import calls
from pydantic import ValidationError
from result_factory import make

from benchmarks.engine.journal import Answered, Journal
from benchmarks.engine.plan import Planned
from benchmarks.experiments import typed
from benchmarks.experiments.answering import representatives
from benchmarks.experiments.loops import schema
from benchmarks.experiments.loops.measure import measure
from benchmarks.experiments.loops.worker import distance
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Stack
from benchmarks.verify import experiments as verify_answers
from reports.parts import loops, sections
from reports.render import html
from reports.work import gather

STACK = {"workload": "mnist_mlp", "variant": "default"}


def loop(name, seconds, error=1e-7, disturbed=()):
    timed = calls(*seconds, disturbed=disturbed)
    return {"name": name, "written": f"as {name}", "set_up_seconds": 0.5, "calls": timed, "error": error}


def value(*loops, **changes):
    sizes = {"batch_size": 500, "steps": 8, "epochs": 5, "proof_steps": 8, "proof_batch": 16}
    return sizes | {"loops": [loop("bare", [0.4, 0.2, 0.4], None), *loops]} | changes


def answered(*answers):
    """A result of mnist_mlp that was asked for this part."""
    base = make(interrupted=False)
    asked = base.options.model_copy(update={"measure": [*base.options.measure, "loops"]})
    return base.model_copy(update={"options": asked, "answers": list(answers)})


def answer(stack, **fields):
    return Answer(part="loops", stack=stack, **STACK, **fields)


GOOD = answer("torch:eager:cpu:default", status="ok", value=value(loop("DataLoader", [0.8, 0.2, 0.6])))
FIT = answer(
    "tensorflow:graph:cpu:default",
    status="ok",
    value=value(loop("fit", [0.41, 0.2, 0.4]), loop("fit ×8", [0.2, 0.1, 0.2])),
)
NONE = answer("tensorlayerx:eager:cpu:default", status="unavailable", reason="it carries no state")


def asked(tmp_path, monkeypatch, answer):
    """What the journal holds of the experiment where the worker answers ``answer``."""
    stack = Stack(framework="torch", mode="eager", device="cpu")
    planned = Planned(stack=stack, available=True, reason="", implementation={})
    launch = SimpleNamespace(stack=stack, ask=lambda command, **words: answer)
    workers = SimpleNamespace(redact=lambda text: text, fresh=lambda *anything, **more: nullcontext(launch))
    ctx = SimpleNamespace(
        request=SimpleNamespace(profile="smoke"), profile=PROFILES["smoke"], workers=workers,
        journal=Journal(tmp_path), report=lambda text: None,
    )  # fmt: skip
    entry = SimpleNamespace(runnable=lambda: [planned], key="mnist_mlp", batch_size=500, **STACK)
    measure(ctx, entry)
    (event,) = ctx.journal.of(Answered)
    return event.answer


@pytest.mark.parametrize(("error", "told"), [(0.5, "error 5.0e-01, tolerance 1e-04"), (None, "error not finite")])
def test_a_loop_that_does_other_work_is_a_failed_answer(tmp_path, monkeypatch, error, told):
    found = asked(tmp_path, monkeypatch, value(loop("DataLoader", [0.1] * 3, error)))
    assert found.status == "parity_failed"
    assert "after 8 steps the tensors of DataLoader are not those of the bare loop: " in found.reason
    assert told in found.reason


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (value() | {"steps": "many"}, "its answer is not as declared: steps: "),
        ({}, "its answer is not as declared: batch_size: Field required"),
        (value(loops=[]), ""),
    ],
)
def test_an_answer_that_is_not_as_declared_is_a_failed_answer(tmp_path, monkeypatch, wrong, told):
    found = asked(tmp_path, monkeypatch, wrong)
    assert found.status == ("failed" if told else "ok")
    assert found.reason.startswith(told)


def test_whatever_goes_wrong_with_a_stack_is_its_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.experiments.loops.measure.as_declared", lambda model, answer: answer["tolerance"])
    found = asked(tmp_path, monkeypatch, value())
    assert (found.status, found.reason) == ("failed", "KeyError: 'tolerance'")
    assert any("KeyError" in line for line in found.log_tail)


def test_ratios_are_of_calls_side_by_side():
    found = typed(GOOD)
    assert found.ratios(found.loops[1]) == pytest.approx([2.0, 1.0, 1.5])
    assert found.step_seconds(found.bare) == pytest.approx(0.01)
    assert schema.words(found) == "bare step 10 ms, DataLoader × 1.5"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (value(loop("fit", [0.1, 0.1])), "not called as often"),
        (value(loop("fit", [0.1] * 3, 10 * schema.TOLERANCE)), "not proven"),
        (value(loop("fit", [0.1] * 3, None)), "not proven"),
        (value(loops=[loop("fit", [0.1] * 3)]), "not the bare one"),
        (value(loop("fit", [0.1] * 3), loop("fit", [0.1] * 3)), "share a name"),
    ],
)
def test_what_verify_refuses(wrong, said):
    bad = answer("torch:eager:cpu:default", status="ok", value=wrong)
    assert any(said in violation for violation in schema.check(answered(bad), bad))
    assert not list(schema.check(answered(GOOD), GOOD))


def test_a_file_cannot_bring_its_own_tolerance():
    with pytest.raises(ValidationError):
        typed(answer("torch:eager:cpu:default", status="ok", value=value(loop("fit", [0.1] * 3, 0.5), tolerance=1.0)))


def test_disturbed_calls_do_not_decide():
    few = answer("torch:eager:cpu:default", status="ok", value=value(loop("few", [0.8, 0.2, 4.0], disturbed=(2,))))
    most = answer(
        "tensorflow:graph:cpu:default", status="ok", value=value(loop("most", [0.8, 0.2, 4.0], disturbed=(1, 2)))
    )
    found = typed(few)
    assert found.ratio(found.loops[1]) == pytest.approx(1.5), "the median of the quiet pairs, 2 and 1"
    work = next(w for w in gather([answered(few, most)]) if w.key == "mnist_mlp")
    (section,) = sections(work, "k")
    assert "in PyTorch 1.50 times the bare loop's time with few" in section.sentence
    assert "TensorFlow times" not in section.sentence
    assert "Nothing is said of most in TensorFlow: most of its calls were disturbed." in section.sentence
    ((_, table),) = section.tables
    assert [note.split(";")[0] for note in table.notes] == [
        "Disturbed: other work ran beside 1 of 3 calls",
        "Disturbed: other work ran beside 2 of 3 calls",
    ]
    assert "most (disturbed)" not in schema.words(found)
    assert "most × 2 (disturbed)" in schema.words(typed(most))


def test_one_stack_answers_for_its_framework():
    result = answered(GOOD, FIT, NONE)
    missing = [v for v in verify_answers.check(result) if "mnist_mlp/default" in v]
    assert missing == []
    missing = [v for v in verify_answers.check(answered(GOOD, NONE)) if "mnist_mlp/default" in v]
    assert missing
    assert all("tensorflow" in violation for violation in missing)


def test_representatives_prefer_the_usual_mode_and_leave_canaries_out():
    def planned(framework, mode, **more):
        stack = Stack(framework=framework, mode=mode, device="cpu", **more)
        return Planned(stack=stack, available=True, reason="", implementation={})

    first, second = planned("tensorflow", "eager"), planned("tensorflow", "graph")
    again, other = planned("tensorflow", "graph", replica=1), planned("b", "xla")
    assert representatives([first, second, again, other]) == [second, other], "graph is TensorFlow's usual mode"
    xla = planned("tensorflow", "xla")
    assert representatives([xla, first]) == [xla]


def test_distance_is_of_the_worst_tensor_and_not_blind():
    start = {"w": np.zeros(4, np.float32), "b": np.zeros(1, np.float32)}
    aim = {"w": np.ones(4, np.float32), "b": np.full(1, 1e-9, np.float32)}
    assert distance(start, aim, aim) == 0.0
    half = {"w": np.full(4, 0.5, np.float32), "b": aim["b"]}
    assert distance(start, aim, half) == pytest.approx(0.5)
    assert distance(start, aim, {**aim, "b": np.full(1, 2e-9, np.float32)}) < 1e-5  # rounding of what never moved
    assert distance(start, aim, {**aim, "b": np.full(1, np.nan, np.float32)}) is None


def test_the_report_says_what_convenience_costs():
    work = next(w for w in gather([answered(GOOD, FIT, NONE)]) if w.key == "mnist_mlp")
    (section,) = sections(work, "k")
    assert section.title == schema.TITLE
    assert "in PyTorch 1.50 times the bare loop's time with DataLoader (5.00 ms more)" in section.sentence
    assert "in TensorFlow as long as the bare loop with fit" in section.sentence
    assert "0.50 times the bare loop's time with fit ×8 (5.00 ms less)" in section.sentence
    assert "TensorLayerX" not in section.sentence
    (chart,) = section.charts
    assert "PyTorch, DataLoader" in chart.svg
    ((_, table),) = section.tables
    assert [line.text for line in table.lines] == ["it carries no state"]
    assert "As people write it" in html([work.result])


def test_where_no_loop_was_measured_the_reason_is_the_sentence():
    work = next(w for w in gather([answered(NONE)]) if w.key == "mnist_mlp")
    section = loops.show(work, [NONE], "k")
    assert "it carries no state" in section.sentence
    assert not section.charts
