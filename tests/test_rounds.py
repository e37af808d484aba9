"""Disturbed rounds are measured again for all stacks, and both estimates are kept. NumPy toys; no framework needed."""

import dataclasses
import sys
from pathlib import Path

import pytest
from measured import measure
from result_factory import make

from benchmarks.analysis.rounds import mark_rounds
from benchmarks.engine.select import make_plan
from benchmarks.engine.worker_process import WorkerProcess
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Result, Row, read
from benchmarks.verify.file import verify

TOYS = Path(__file__).parent / "toys"


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Runs the toy on two stacks; ``disturb(pass, round)`` says in which rounds the second block is throttled."""
    monkeypatch.setitem(PROFILES, "smoke", dataclasses.replace(PROFILES["smoke"], repeats=1.0))

    def go(disturb, *, passes=1, rounds=4, stacks=2, pilot=None, **options):
        plan = make_plan(
            command="test",
            workload=["toy/sound"],
            profile="smoke",
            threads=1,
            measure=["training"],
            impls=TOYS,
            passes=passes,
            rounds=rounds,
            env=[f"other{i}={sys.executable}" for i in range(stacks - 1)],
            **options,
        )
        plan = plan.model_copy(update={"options": plan.options.model_copy(update={"pilot": pilot})})
        now = {"where": (0, 0), "block": 0}

        def on_round(index, number):
            now.update(where=(index, number), block=0)

        ask = WorkerProcess.ask

        def evident(self, command, **words):
            answer = ask(self, command, **words)
            if command == "block":
                now["block"] += 1
                # Nothing but what the test says counts, whatever else this machine is doing.
                throttles = int(now["block"] == 2 and disturb(*now["where"]))
                answer["evidence"] = {"idle_worker_cpu_seconds": 0.0, "cpu_throttles": throttles}
            return answer

        monkeypatch.setattr(WorkerProcess, "ask", evident)
        measure(plan, tmp_path, on_round=on_round)
        return read(tmp_path / "result.json")

    return go


def numbers(row, index=0):
    return [(b.round, b.repeats, b.round_disturbed) for b in row.launches[index].blocks]


def test_a_quiet_run_repeats_nothing(measured):
    result = measured(lambda index, number: False)
    for row in result.rows:
        assert numbers(row) == [(i, None, False) for i in range(4)]
    assert list(verify(result)) == []


def test_a_disturbed_round_is_repeated_for_all_stacks(measured):
    result = measured(lambda index, number: number == 1)
    assert [sum(b.disturbed for b in row.launches[0].blocks) for row in result.rows] in ([0, 1], [1, 0])
    for row in result.rows:
        assert numbers(row) == [(0, None, False), (1, None, True), (2, None, False), (3, None, False), (4, 1, False)]
        assert row.disturbed_passes() == set()
    orders = {
        number: [b.position for row in result.rows for b in row.launches[0].blocks if b.round == number]
        for number in (1, 4)
    }
    assert orders[1] == orders[4]  # a repeat keeps the balance of the design
    assert list(verify(result)) == []


def test_repeats_that_are_disturbed_are_tried_again_until_the_budget_ends(measured):
    result = measured(lambda index, number: number in (0, 2, 4))
    for row in result.rows:
        assert [n[:2] for n in numbers(row)[4:]] == [(4, 0), (5, 2), (6, 0)]
        assert row.disturbed_passes() == set()
    assert list(verify(result)) == []


def test_a_pass_without_quiet_rounds_is_marked_and_falls_back(measured):
    result = measured(lambda index, number: index == 1, passes=2)
    for row in result.rows:
        assert [len(la.blocks) for la in row.launches] == [4, 8]  # as many extra rounds as were planned, no more
        assert row.disturbed_passes() == {1}
        assert row.pass_step_seconds() == row.pass_step_seconds(clean=False)
    assert list(verify(result)) == []


def test_a_decided_pass_that_stays_disturbed_is_replaced(measured, monkeypatch):
    monkeypatch.setattr("benchmarks.analysis.pilot.passes_needed", lambda spread, *, pairs: 5)
    result = measured(lambda index, number: index == 4, passes=5, rounds=2, pilot=2)
    assert result.pilots[0].passes == 5
    assert [[la.pass_index for la in row.launches] for row in result.rows] == [list(range(6))] * 2
    (comparison,) = result.comparisons
    assert comparison.undisturbed.passes == 5  # enough for a verdict again
    assert list(verify(result)) == []
    fewer = result.model_dump(mode="json", by_alias=True)
    for row in fewer["rows"]:
        row["launches"].pop()
    assert any("has passes [1, 2, 3, 4, 5], 6 were planned" in v for v in verify(Result.model_validate(fewer)))


def test_stacks_that_took_turns_have_rounds_of_their_own(measured, monkeypatch):
    monkeypatch.setattr("benchmarks.engine.passes.memory_available", lambda: 1)
    result = measured(lambda index, number: False)
    assert not any(b.round_disturbed for row in result.rows for la in row.launches for b in la.blocks)
    plain = [row.model_dump(mode="json", by_alias=True) for row in result.rows]
    plain[0]["launches"][0]["blocks"][1]["disturbed"] = True
    marked = mark_rounds([Row.model_validate(row) for row in plain])
    assert [[b.round_disturbed for b in row.launches[0].blocks] for row in marked] == [
        [False, True, False, False],
        [False] * 4,
    ]


def timed(*step_seconds, disturbed=(), repeats=()):
    """A row with one launch; ``repeats`` are the rounds that the last blocks repeat."""
    row = make(interrupted=False).rows[0]
    planned = len(step_seconds) - len(repeats)
    template = row.launches[0].blocks[0]
    blocks = [
        template.model_copy(
            update={
                "round": i,
                "seconds": s,
                "steps": 1,
                "disturbed": i in disturbed,
                "round_disturbed": i in disturbed,
                "repeats": repeats[i - planned] if i >= planned else None,
            }
        )
        for i, s in enumerate(step_seconds)
    ]
    return row.model_copy(update={"launches": [row.launches[0].model_copy(update={"blocks": blocks})]})


def test_two_estimates():
    row = timed(1.0, 9.0, 9.5, 1.2, 1.1, 1.3, disturbed=(1, 2), repeats=(1, 2))
    assert row.pass_step_seconds() == {0: pytest.approx(1.15)}  # 1.0, 1.2, 1.1, 1.3
    assert row.pass_step_seconds(clean=False) == {0: pytest.approx(5.1)}  # 1.0, 9.0, 9.5, 1.2
    assert row.disturbed_passes() == set()


def test_half_of_the_planned_rounds_is_enough_and_less_is_not():
    enough = timed(1.0, 1.2, 9.0, 9.0, disturbed=(2, 3))
    assert enough.disturbed_passes() == set()
    assert enough.pass_step_seconds() == {0: pytest.approx(1.1)}
    few = timed(1.0, 8.0, 9.0, 9.0, disturbed=(1, 2, 3))
    assert few.disturbed_passes() == {0}
    assert few.pass_step_seconds() == few.pass_step_seconds(clean=False) == {0: pytest.approx(8.5)}


def test_results_from_before_repeats_have_one_estimate():
    rows = make(interrupted=False).rows
    row = next(r for r in rows if any(b.disturbed for la in r.launches for b in la.blocks))
    assert row.pass_step_seconds() == row.pass_step_seconds(clean=False)
    assert row.disturbed_passes() == set()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: block(r, 4).update(repeats=2), "not disturbed, or not any more"),
        (lambda r: [row["launches"][0]["blocks"].pop() for row in r["rows"]], "although the budget allowed it"),
        (lambda r: r["rows"][0]["launches"][0]["blocks"].pop(), "timed in different rounds"),
        (lambda r: block(r, 0).update(disturbed=True), ".disturbed: the file says True, its samples give False"),
        (lambda r: block(r, 1).update(round_disturbed=False), ".round_disturbed: the file says False"),
        (lambda r: block(r, 4).update(round=7), "one by one"),
        (lambda r: r["carry_over"].append({**CARRIED, "p": 0.01}), "carry_over[toy sound]: the file has one"),
        (lambda r: r["rows"][0]["multimodal"].append(TWO), "multimodal[0]: the file has one"),
    ],
)
def test_verify_derives_it_again(measured, change, says):
    result = measured(lambda index, number: number == 1)
    plain = result.model_dump(mode="json", by_alias=True)
    change(plain)
    changed = Result.model_validate(plain)
    assert any(says in violation for violation in verify(changed))


CARRIED = {
    "workload": "toy", "variant": "sound", "blocks": 9, "preceding": "numpy:eager:cpu:default", "effect": 1.0
}  # fmt: skip
TWO = {"pass": 0, "low_seconds": 1.0, "high_seconds": 2.0, "low_count": 2, "high_count": 2, "p": 0.001}


def block(plain, index):
    return plain["rows"][0]["launches"][0]["blocks"][index]
