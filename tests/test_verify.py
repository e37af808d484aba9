"""What ``verify`` must refuse: results stripped to an older format, forged, or without what was promised."""

import json
import sys
from pathlib import Path

import pytest
from measured import measure

from benchmarks.engine.select import make_plan
from benchmarks.schema.results import Result, digest, read, write
from benchmarks.verify import schedule as verify_schedule
from benchmarks.verify.file import verify
from benchmarks.workload import ROOT

TOYS = Path(__file__).parent / "toys"


@pytest.fixture(scope="module")
def published():
    return read(max((ROOT / "results" / "earlier").glob("*-quick.json")))


def violations(result, change):
    """Of the result after ``change`` of its JSON, by a forger who sealed it again."""
    plain = result.model_dump(mode="json", by_alias=True)
    change(plain)
    return list(verify(Result.model_validate(plain)))


def blocks(plain):
    return [b for row in plain["rows"] for launch in row["launches"] for b in launch["blocks"]]


def strip(plain):
    """All that the first format did not have, but for the verdict rule."""
    for b in blocks(plain):
        b["round_disturbed"] = None
    for row in plain["rows"]:
        row["multimodal"] = []
        for launch in row["launches"]:
            launch["blocks"] = [b for b in launch["blocks"] if b["repeats"] is None]
            if launch["phases"]["warm_up"]:
                launch["phases"]["warm_up"]["steady_from"] = None
    plain["carry_over"] = []


def test_the_digest_is_of_the_file_as_it_stands(published, tmp_path):
    """A field that came later needs no list; a change of any value shows."""
    path = tmp_path / "result.json"
    write(published, path)
    assert not read(path).edited
    plain = json.loads(path.read_text("utf-8"))
    del plain["answers"]  # as a file from before there were any
    plain["digest"] = digest(plain)
    path.write_text(json.dumps(plain), "utf-8")
    assert not read(path).edited
    blocks(plain)[0]["cpu_seconds"] += 1e-9
    path.write_text(json.dumps(plain), "utf-8")
    assert any("digest does not match" in v for v in verify(read(path)))


@pytest.mark.parametrize("rule", [1, 2, 3])
def test_stripped_marks_are_missed_and_an_earlier_rule_is_no_way_out(published, rule):
    found = violations(published, lambda plain: strip(plain) or plain.update(verdict_rule=rule))
    assert any(".round_disturbed: the file says None, its samples give" in v for v in found)
    assert any(".steady_from: the file says None, its samples give" in v for v in found)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The toy on two stacks and a canary: two passes of three rounds."""
    out = tmp_path_factory.mktemp("measured")
    plan = make_plan(
        command="test", workload=["toy/sound"], profile="smoke", threads=1, measure=["training"], impls=TOYS,
        passes=2, rounds=3, canary=True, isolated=True, env=[f"other={sys.executable}"],
    )  # fmt: skip
    measure(plan, out)
    return read(out / "result.json")


def test_an_honest_run_verifies(measured):
    assert len(measured.rows) == 3
    assert list(verify(measured)) == []


def without_canary(plain):
    plain["rows"] = [row for row in plain["rows"] if not row["stack"]["replica"]]
    plain["comparisons"] = [c for c in plain["comparisons"] if not c["canary"]]


def swap_places(plain):
    one, other = (row["launches"][0]["blocks"][0] for row in plain["rows"][:2])
    one["position"], other["position"] = other["position"], one["position"]


def alone(plain):
    return plain["isolated"][0]["stacks"][0]["launches"][0]["blocks"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_canary, "0 canaries, 1 had to be launched"),
        (lambda r: r["options"].update(canary=False), "1 canaries, 0 had to be launched"),
        (lambda r: r["options"].update(pilot=1), "2 passes without the decision that follows the first 1"),
        (lambda r: r["options"].update(pilot=2), "2 passes without the decision that follows the first 2"),
        (lambda r: blocks(r)[0].update(steps=1, seconds=1e-5), "a block of 1 steps, the profile asks for"),
        (lambda r: alone(r).update(steps=1, seconds=1e-5), "a block of 1 steps, the profile asks for"),
        (lambda r: blocks(r)[0].update(lead_in_steps=0), "0 steps of lead-in, the profile asks for 1"),
        (swap_places, "pass 1: rounds [1] were not timed in the order that the seed gives"),
        (lambda r: alone(r).update(position=1), "timed after another stack"),
        (lambda r: r["options"].update(seed=5), "were not timed in the order that the seed gives"),
        (lambda r: alone(r).update(round_disturbed=not alone(r)["disturbed"]), ".round_disturbed: the file says"),
    ],
)
def test_what_was_promised_is_missed(measured, change, says):
    assert any(says in v for v in violations(measured, change))


def test_the_published_blocks_follow_from_profile_and_seed(published):
    assert list(verify_schedule.check(published)) == []
    assert sum(len(la.blocks) for row in published.rows for la in row.launches) > 200


def test_a_pass_that_was_cut_short_has_no_order_to_check(measured):
    plain = measured.model_dump(mode="json", by_alias=True)
    swap_places(plain)
    plain["rows"][2]["launches"][0].update(status="interrupted", reason="the run ended early")
    plain["complete"] = False
    found = list(verify_schedule.check(Result.model_validate(plain)))
    assert not any("in the order" in v for v in found)
