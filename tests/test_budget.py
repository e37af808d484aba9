"""--budget: what is chosen fits, is given up in the declared order, and says what it can detect."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from result_factory import make
from tuned_factory import make_tuned

from benchmarks.analysis.detectable import detectable, finds
from benchmarks.analysis.ratios import FAMILY_ERROR
from benchmarks.engine import budget
from benchmarks.engine.estimate import estimate
from benchmarks.engine.select import make_plan
from benchmarks.errors import Problem
from benchmarks.schema.budget import Budget

TOYS = Path(__file__).parent / "toys"


def plan(**options):
    return make_plan(command="test", impls=TOYS, threads=1, recipe="smoke", **options)


@pytest.fixture(scope="module")
def toys():
    """The full profile on three toys: five passes, ten rounds, three seeds."""
    return plan(profile="full", workload=["toy/sound", "toy/slow", "toy/raises"])


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), (" 2h ", 7200)])
def test_times(text, seconds):
    assert budget.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "0s", "1h30m", "5d", "nanm", "1e3s"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(Problem, match="--budget takes a time"):
        budget.seconds(text)


ORDER = ["accuracy seeds beyond the first", "rounds beyond 5", "inference", "rounds beyond 3", "accuracy"]


def test_things_are_given_up_in_the_declared_order(toys):
    levels = [given_up for given_up, _ in budget._levels(toys, ())]
    assert levels[0] == []
    assert levels[-1] == [ORDER[0], ORDER[2], ORDER[3], ORDER[4]]
    for given_up, change in budget._levels(toys, ()):
        assert ("inference" in change["measure"]) == ("inference" not in given_up)
        assert "certificate" in change["measure"]
        assert "training" in change["measure"]
    costs = [estimate(toys.with_request(**change)) for _, change in budget._levels(toys, ())]
    assert costs == sorted(costs, reverse=True)


def test_what_was_asked_for_stays(toys):
    fixed = ("passes", "rounds", "accuracy_seeds", "measure", "workload")
    assert [change["rounds"] for _, change in budget._levels(toys, fixed)] == [10]
    whole = estimate(toys)
    chosen = budget.fit(toys, whole / budget.SHARE * 1.01, fixed=fixed)
    assert chosen.options.passes == toys.options.passes
    with pytest.raises(Problem, match=r"too short: 5 passes of 10 rounds"):
        budget.fit(toys, whole / 2, fixed=fixed)


@settings(max_examples=30, deadline=None)  # each fits several plans
@given(share=st.floats(0.02, 20))
def test_what_is_chosen_fits_and_more_time_never_gives_fewer_workloads(toys, share):
    allowed = share * estimate(toys)
    try:
        chosen = budget.fit(toys, allowed)
    except Problem:
        assert allowed < estimate(toys)
        return
    assert estimate(chosen) <= budget.SHARE * allowed
    assert chosen.options.budget_seconds == allowed
    more = budget.fit(toys, 2 * allowed)
    assert len(more.entries) >= len(chosen.entries)
    if len(more.entries) == len(chosen.entries):
        assert min(more.options.passes, 5) >= min(chosen.options.passes, 5)
    assert chosen.notes[-1].startswith("--budget ")


def test_a_short_time_leaves_out_workloads_unless_they_were_named(toys):
    leanest = list(budget._levels(toys, ()))[-1][1]
    one = estimate(toys.with_request(passes=2, pilot=None, **leanest)) / len(toys.entries)
    chosen = budget.fit(toys, 2.5 * one / budget.SHARE)
    assert 1 <= len(chosen.entries) < len(toys.entries)
    assert chosen.options.workloads == [e.key for e in chosen.entries]
    left = [e.key for e in toys.entries if e not in chosen.entries]
    assert all(key in chosen.notes[-1] for key in left)
    with pytest.raises(Problem, match="name fewer workloads"):
        budget.fit(toys, one / 10, fixed=["workload"])


def test_the_command_chooses_and_says_so():
    chosen = plan(profile="quick", workload=["toy/sound"], budget="10m")
    assert chosen.options.passes == budget.MOST
    assert chosen.options.budget_seconds == 600
    assert f"{budget.MOST} passes, 3 rounds, 1 accuracy seed" in chosen.notes[-1]
    assert plan(profile="quick", workload=["toy/sound"], passes=3, budget="10m").options.passes == 3


def test_detectable_is_what_a_paired_t_test_detects():
    """By simulation: at the ratio it names, nine of ten trials exclude 1."""
    from scipy.stats import t

    rng, passes, sd = np.random.default_rng(0), 6, 0.02
    ratio = detectable(passes, sd)
    logs = rng.normal(np.log(ratio), sd * np.sqrt(2), (20_000, passes))
    half = t.ppf(1 - FAMILY_ERROR / 2, passes - 1) * logs.std(axis=1, ddof=1) / np.sqrt(passes)
    assert np.mean(logs.mean(axis=1) - half > 0) == pytest.approx(0.9, abs=0.01)
    assert detectable(1, sd) == float("inf")
    assert detectable(6, sd, pairs=28) > ratio > detectable(12, sd) > 1


def test_what_was_found_uses_the_spread_of_each_workload_and_no_canary():
    rows = make(passes=6, interrupted=False).rows
    found = finds(rows)
    assert {f.workload for f in found} == {r.workload for r in rows if r.launches}
    mlp = next(f for f in found if f.workload == "mnist_mlp")
    assert mlp.passes == 6 and mlp.pairs == mlp.stacks * (mlp.stacks - 1) // 2
    assert mlp.spread == pytest.approx(0.012, rel=0.4)  # the factory's launches
    assert mlp.ratio == detectable(6, mlp.spread, pairs=mlp.pairs)
    canary = rows[0].model_copy(update={"stack": rows[0].stack.model_copy(update={"replica": 1})})
    assert finds([*rows, canary]) == found


def test_what_was_found_is_of_the_pairs_that_are_judged_together():
    (found,) = finds(make_tuned().rows)
    assert (found.stacks, found.pairs) == (5, 10)  # documented; 6 pairs of tuned ones, 8 of both
    assert found.ratio == detectable(6, found.spread, pairs=10)


def test_a_pass_that_stayed_disturbed_does_not_count():
    rows = make(passes=6, interrupted=False).rows
    first = rows[0].launches[0]
    blocks = [b.model_copy(update={"disturbed": True, "round_disturbed": True}) for b in first.blocks]
    launches = [first.model_copy(update={"blocks": blocks}), *rows[0].launches[1:]]
    spoilt = [rows[0].model_copy(update={"launches": launches}), *rows[1:]]
    key = (rows[0].workload, rows[0].variant)
    assert [f.passes for f in finds(spoilt)] == [5 if (f.workload, f.variant) == key else 6 for f in finds(rows)]


def test_few_passes_find_nothing():
    assert finds(make(passes=1, interrupted=False).rows) == []
    found = finds(make(passes=2, interrupted=False).rows)
    assert found and all(f.ratio is None for f in found)
    options = plan(workload=["toy/sound"], budget="10m").options
    assert "provisional" in budget.notes(Budget(spent_seconds=90, cuts=[], finds=found), options)[0]
    assert budget.notes(Budget(spent_seconds=90, cuts=[], finds=[]), options) == ["--budget: took 90 s of 10 min"]


def test_the_plan_counts_no_canary():
    stacks = {"profile": "full", "workload": ["toy/sound"], "measure": ["training"], "passes": 6}
    env = [f"second={sys.executable}"]
    bare, more = (plan(**stacks, env=env, budget="10h", canary=canary).notes[-1] for canary in (False, True))
    assert "pairs" not in bare and bare.rsplit(". ")[-1] == more.rsplit(". ")[-1]
