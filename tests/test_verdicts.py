"""Verdicts that hold together: Holm by brute force, intervals by scipy, disturbance, canary, ranks, verify."""

import dataclasses
import math
import random
from statistics import fmean, stdev

import numpy as np
import pytest
import result_factory
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tuned_factory import make_tuned

from benchmarks.analysis import verdicts
from benchmarks.analysis.ratios import BOUND, FAMILY_ERROR, detectable, holm, log_ratio, verdict
from benchmarks.analysis.verdicts import Pair, compare_all, judge, rank_all, undisturbed_pair
from benchmarks.schema import results as r
from benchmarks.verify import recompute

logs = st.floats(-0.2, 0.2).map(lambda x: round(x, 6))
families = st.integers(1, 6).flatmap(
    lambda m: st.lists(
        st.tuples(st.floats(-0.3, 0.3), st.lists(logs, min_size=5, max_size=9)), min_size=m, max_size=m
    ).map(lambda rows: [[shift + x for x in row] for shift, row in rows])
)


def pairs_of(family):
    return [
        Pair(first=f"a{i}", second=f"b{i}", a=tuple(math.exp(x) for x in row), b=(1.0,) * len(row))
        for i, row in enumerate(family)
    ]


def holm_by_hand(ps, error):
    """Reject the smallest p while it is at most error / (hypotheses left)."""
    left, rejected = list(range(len(ps))), set()
    while left:
        best = min(left, key=lambda i: ps[i])
        if ps[best] > error / len(left):
            break
        rejected.add(best)
        left.remove(best)
    return rejected


@settings(max_examples=60, deadline=None)
@given(families)
def test_holm_agrees_with_brute_force(family):
    if any(stdev(row) < 1e-5 for row in family):
        return  # scipy warns of what it cannot compute; identical passes have a test of their own
    ps = [float(stats.ttest_1samp(row, 0).pvalue) for row in family]
    cuts = [FAMILY_ERROR / k for k in range(1, len(ps) + 1)]
    if any(math.isclose(p, cut, rel_tol=1e-6) for p in ps for cut in cuts):
        return
    found = judge(pairs_of(family))
    words = [found[f"a{i}", f"b{i}"].estimate.verdict for i in range(len(family))]
    assert {i for i, word in enumerate(words) if word in ("faster", "slower")} == holm_by_hand(ps, FAMILY_ERROR)


@settings(max_examples=60, deadline=None)
@given(families)
def test_intervals_say_what_the_verdicts_say(family):
    m, found = len(family), judge(pairs_of(family))
    for i, row in enumerate(family):
        e = found[f"a{i}", f"b{i}"].estimate
        low, high = math.log(e.simultaneous_low), math.log(e.simultaneous_high)
        half = stats.t.isf(FAMILY_ERROR / m / 2, len(row) - 1) * stdev(row) / math.sqrt(len(row))
        assert fmean(row) - half <= low + 1e-9
        assert high <= fmean(row) + half + 1e-9  # never wider than Bonferroni's
        inside = -BOUND <= low + 1e-12 and high - 1e-12 <= BOUND
        if e.verdict == "faster":
            assert high <= 1e-12 and e.negligible == inside
        elif e.verdict == "slower":
            assert low >= -1e-12 and e.negligible == inside
        else:
            assert low <= 1e-12 and high >= -1e-12 and not e.negligible
            assert (e.verdict == "equivalent") == inside


@settings(max_examples=40, deadline=None)
@given(families, st.randoms())
def test_order_and_direction_of_pairs_do_not_matter(family, rng):
    pairs = pairs_of(family)
    turned = [Pair(first=p.second, second=p.first, a=p.b, b=p.a) for p in pairs]
    rng.shuffle(turned)
    there, back = judge(pairs), judge(turned)
    opposite = {"faster": "slower", "slower": "faster"}
    for p in pairs:
        a, b = there[p.first, p.second], back[p.second, p.first]
        assert b.estimate.verdict == opposite.get(a.estimate.verdict, a.estimate.verdict)
        assert b.estimate.simultaneous_low * a.estimate.simultaneous_high == pytest.approx(1)
        assert b.detectable == pytest.approx(a.detectable)


@settings(max_examples=40, deadline=None)
@given(st.lists(logs, min_size=5, max_size=12).filter(lambda row: stdev(row) > 1e-5))
def test_a_pair_alone_has_students_interval(row):
    (found,) = judge(pairs_of([row])).values()
    low, high = stats.t.interval(1 - FAMILY_ERROR, len(row) - 1, loc=fmean(row), scale=stats.sem(row))
    e = found.estimate
    assert math.log(e.simultaneous_low) == pytest.approx(low, abs=1e-9)
    assert math.log(e.simultaneous_high) == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("degrees", [4, 9, 19])
@pytest.mark.parametrize("level", [FAMILY_ERROR, FAMILY_ERROR / 28])
def test_what_is_detectable_is_found_nine_times_in_ten(degrees, level):
    shift = detectable(1.0, degrees, level)
    critical = stats.t.isf(level / 2, degrees)
    power = stats.nct.sf(critical, degrees, shift)  # the other tail is below 1e-8
    assert power == pytest.approx(0.9, abs=1e-4)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([0.0, 0.001, -0.001, 0.0005, -0.0004], ("equivalent", False)),
        ([0.01, 0.0101, 0.0099, 0.01, 0.01], ("slower", True)),
        ([-0.3, -0.31, -0.29, -0.3, -0.3], ("faster", False)),
        ([0.3, -0.3, 0.2, -0.1, 0.0], ("undecided", False)),
        ([0.3, 0.3, 0.3, 0.3], ("provisional", False)),
    ],
)
def test_words(row, says):
    (found,) = judge(pairs_of([row])).values()
    assert (found.estimate.verdict, found.estimate.negligible) == says
    assert found.detectable >= 1


def test_few_passes_say_what_they_would_find():
    few = {n: judge(pairs_of([[0.01, -0.01, 0.005, -0.005][:n]]))["a0", "b0"].detectable for n in (1, 2, 3, 4)}
    assert few[1] is None
    assert few[2] > few[3] > few[4] > 1
    _, error, _ = log_ratio([1.01, 0.99, 1.0], [1.0, 1.0, 1.0])
    (three,) = judge(pairs_of([[math.log(1.01), math.log(0.99), 0.0]])).values()
    assert stats.nct.sf(stats.t.isf(FAMILY_ERROR / 2, 2), 2, math.log(three.detectable) / error) == pytest.approx(
        0.9, abs=1e-3
    )
    (wild,) = judge(pairs_of([[5.0, -5.0]])).values()
    assert wild.detectable is None  # no number that JSON could hold


def test_identical_passes_are_no_difference():
    family = holm([0.0, 0.1], [0.0, 0.0], 4)
    assert family.rejected.tolist() == [False, True]
    assert verdict(0.0, False, family.low[0], family.high[0]) == ("equivalent", False)


def test_few_passes_stand_outside_the_family():
    full = pairs_of([[0.02, 0.03, 0.025, 0.028, 0.022]])
    few = [Pair(first=f"x{i}", second=f"y{i}", a=(1.0, 1.1), b=(1.0, 1.0)) for i in range(20)]
    assert judge(full)["a0", "b0"] == judge([*few, *full])["a0", "b0"]


def test_more_pairs_ask_for_more_evidence():
    row = [0.02, 0.032, 0.025, 0.035, 0.012]
    noise = [[0.1, -0.1, 0.05, -0.07, 0.02]] * 9
    alone, among = judge(pairs_of([row]))["a0", "b0"], judge(pairs_of([row, *noise]))["a0", "b0"]
    assert (alone.estimate.verdict, among.estimate.verdict) == ("slower", "undecided")
    assert among.detectable > alone.detectable


# -- rows ---------------------------------------------------------------------------------------


def block(round_, seconds, *, disturbed=False, repeats=None):
    evidence = r.Evidence(
        foreign_cpu_seconds=0.0, idle_worker_cpu_seconds=0.0, steal_seconds=0.0, pressure_seconds=None,
        involuntary_switches=0,
    )  # fmt: skip
    return r.RoundBlock(
        round=round_, position=0, seconds=seconds, steps=10, lead_in_steps=3, cpu_seconds=seconds, evidence=evidence,
        disturbed=disturbed, round_disturbed=disturbed, repeats=repeats,
    )  # fmt: skip


def row(name, steps, *, disturb=None, replica=0, status="ok", mode="eager", tuned=False, graphs=None):
    """``steps``: seconds per step of each pass. ``disturb``: factor of disturbed blocks in two of four rounds."""
    used = {} if graphs is None else {"compiled_graphs": graphs}
    launches = []
    for p, step in enumerate(steps):
        blocks = [block(i, 10 * step) for i in range(4)]
        if disturb:
            blocks[:3] = [block(i, 10 * step * disturb, disturbed=True) for i in range(3)]
            blocks += [block(4 + i, 10 * step, repeats=i) for i in range(3)]
        facts = {"attempt": 1, "status": "ok", "caches": "warm", "interleaved": True, "used": used}
        launches.append(r.Launch(pass_index=p, blocks=blocks, **facts))
    stack = r.Stack(framework=name, mode=mode, device="cpu", replica=replica, tuned=tuned)
    return r.Row(
        workload="w", variant="default", stack=stack,
        status=status, reason="" if status == "ok" else "told so", implementation={}, implementation_hash="",
        batch_size=8, launches=launches,
    )  # fmt: skip


def around(level, *, passes=6, spread=0.004, seed=0):
    rng = random.Random(f"{level} {seed}")
    return [level * math.exp(rng.gauss(0, spread)) for _ in range(passes)]


def test_disturbed_rounds_that_were_repeated_change_no_verdict():
    (c,) = compare_all([row("torch", around(1.0)), row("tensorflow", around(1.2), disturb=1.1)])
    assert c.verdict == "faster"
    assert c.ratio == pytest.approx(1 / 1.2, rel=0.01)
    assert c.undisturbed.ratio == c.ratio
    assert c.everything.ratio == pytest.approx(1 / 1.32, rel=0.01)


def test_a_verdict_that_hangs_on_disturbed_rounds_is_untrustworthy():
    (c,) = compare_all([row("torch", around(1.0)), row("tensorflow", around(1.0, seed=1), disturb=1.3)])
    assert (c.undisturbed.verdict, c.everything.verdict) == ("equivalent", "faster")
    assert c.verdict == "untrustworthy"
    assert c.why == "equivalent without the disturbed rounds, faster with them"


def test_passes_without_quiet_rounds_leave_no_verdict_standing():
    bad = row("tensorflow", around(1.5))
    for i, launch in enumerate(bad.launches):
        blocks = [b.model_copy(update={"disturbed": True, "round_disturbed": True}) for b in launch.blocks]
        bad.launches[i] = launch.model_copy(update={"blocks": blocks})
    (c,) = compare_all([row("torch", around(1.0)), bad])
    assert (c.verdict, c.undisturbed) == ("untrustworthy", None)
    assert c.why == "provisional without the disturbed rounds, faster with them"


def test_a_run_without_disturbance_has_one_estimate():
    (c,) = compare_all([row("torch", around(1.0)), row("tensorflow", around(1.2))])
    assert (c.undisturbed, c.everything, c.why) == (None, None, "")


def test_the_canary_widens_nothing_and_enters_no_ranking():
    rows = [row("torch", around(1.0)), row("tensorflow", around(1.2)), row("torch", around(1.0, seed=3), replica=1)]
    bare, canaried = compare_all(rows[:2]), compare_all(rows)
    assert [c for c in canaried if not c.canary] == bare
    (canary,) = [c for c in canaried if c.canary]
    assert (canary.first, canary.second) == ("torch:eager:cpu:default", "torch:eager:cpu:default:again")
    assert canary.verdict == "equivalent"
    (ranking,) = rank_all(rows, canaried)
    assert ranking.ranks == {"torch:eager:cpu:default": 1, "tensorflow:eager:cpu:default": 2}


def test_a_canary_that_differs_takes_the_verdicts_of_its_size_with_it():
    rows = [row("torch", around(1.0)), row("near", around(1.04)), row("far", around(1.5))]
    found = compare_all([*rows, row("torch", around(1.08), replica=1)])
    words = {(c.first.split(":")[0], c.second.split(":")[0]): c.verdict for c in found if not c.canary}
    assert words == {("torch", "near"): "untrustworthy", ("torch", "far"): "faster", ("near", "far"): "faster"}
    assert "canary" in next(c.why for c in found if c.verdict == "untrustworthy")


def ranks(*rows):
    found = rank_all(rows, compare_all(rows))
    return [({k.split(":")[0]: n for k, n in f.ranks.items()}, f.best and f.best.split(":")[0]) for f in found]


def test_ranks_are_shared_unless_beaten():
    a, b, c = row("a", around(1.0)), row("b", around(1.0, seed=5)), row("c", around(1.3))
    assert ranks(a, b, c) == [({"a": 1, "b": 1, "c": 3}, None)]
    assert ranks(a, c) == [({"a": 1, "c": 2}, "a")]


def test_a_negligible_lead_is_no_better_place():
    a, b = row("a", around(1.0, spread=1e-4)), row("b", around(1.01, spread=1e-4))
    (c,) = compare_all([a, b])
    assert (c.verdict, c.negligible) == ("faster", True)
    assert ranks(a, b) == [({"a": 1, "b": 1}, None)]


def test_no_ranks_while_a_verdict_is_provisional():
    assert ranks(row("a", around(1.0, passes=4)), row("b", around(1.3, passes=4))) == []


def test_what_failed_has_no_rank():
    failed = row("b", around(0.5), status="parity_failed")
    assert ranks(row("a", around(1.0)), failed, row("c", around(1.3))) == [({"a": 1, "c": 2}, "a")]


# -- documented and tuned ---------------------------------------------------------------------------


def documented_and_tuned():
    documented = [row("torch", around(1.0)), row("torch", around(1.3), mode="compile"), row("tensorflow", around(0.9))]
    modes = {"torch": "eager-tuned", "tensorflow": "graph-tuned"}
    return documented, [row(n, around(0.5 + i / 9), mode=m, tuned=True) for i, (n, m) in enumerate(modes.items())]


def test_a_verdict_on_documented_stacks_does_not_know_the_tuned_ones():
    documented, tuned = documented_and_tuned()
    found = compare_all([*documented, *tuned])
    assert [c for c in found if "tuned" not in c.first + c.second] == compare_all(documented)
    assert [c for c in found if "tuned" in c.first and "tuned" in c.second] == compare_all(tuned)


def test_tuned_and_documented_meet_only_within_a_framework_and_are_judged_together():
    documented, tuned = documented_and_tuned()
    found = compare_all([*documented, *tuned])
    both = [c for c in found if "tuned" in c.second and "tuned" not in c.first]
    assert {(c.first.split(":")[0], c.second.split(":")[0]) for c in both} == {
        ("torch", "torch"), ("tensorflow", "tensorflow"),
    }  # fmt: skip
    assert len(both) == 3 and len(found) == 3 + 1 + 3
    pairs = [undisturbed_pair(*pair) for pair in verdicts.families([*documented, *tuned])[2]]
    joint = {key: j.estimate.simultaneous_low for key, j in judge(pairs).items()}
    assert {(c.first, c.second): c.simultaneous_low for c in both} == joint


def test_each_family_has_its_own_places_and_its_own_best():
    documented, tuned = documented_and_tuned()
    rows = [*documented, *tuned]
    one, other = rank_all(rows, compare_all(rows))
    assert (one.tuned, one.best, set(one.ranks)) == (False, documented[2].stack.key, {r.stack.key for r in documented})
    assert (other.tuned, other.best, set(other.ranks)) == (True, tuned[0].stack.key, {r.stack.key for r in tuned})


def test_the_canary_holds_against_all_families():
    documented, tuned = documented_and_tuned()
    again = row("torch", around(3.0), replica=1)
    found = [c for c in compare_all([*documented, *tuned, again]) if not c.canary]
    assert len(found) == 7
    assert {c.verdict for c in found} == {"untrustworthy"}


@pytest.mark.parametrize("mode", ["compile", "compile-step", "reduce-overhead"])
def test_what_compiled_nothing_has_no_place_beside_eager(mode):
    eager, other = row("torch", around(1.0)), row("tensorflow", around(1.3))
    fast = row("torch", around(0.9), mode=mode, graphs=0)
    rows = [eager, fast, other]
    (found,) = rank_all(rows, compare_all(rows))
    assert (set(found.ranks), found.best) == ({eager.stack.key, other.stack.key}, eager.stack.key)
    compiled = [eager, row("torch", around(0.9), mode=mode, graphs=1), other]
    (found,) = rank_all(compiled, compare_all(compiled))
    assert found.best == fast.stack.key
    alone = [*rows[1:], row("tensorflow", around(2.0), mode="graph")]
    (found,) = rank_all(alone, compare_all(alone))
    assert fast.stack.key not in found.ranks, "nor without it"


# -- verify ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return result_factory.make(passes=6, interrupted=False)


def held(changed):
    return [v for v in recompute.check(changed) if v.startswith(("comparisons", "rankings"))]


def test_a_result_follows_from_its_samples(result):
    assert {c.verdict for c in result.comparisons} >= {"faster", "slower"}
    assert result.rankings
    assert list(held(result)) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"verdict": "equivalent"}, "].verdict: the file says equivalent, its samples give"),
        ({"ratio": 1.01}, "].ratio: the file says 1.01, its samples give"),
        ({"simultaneous_low": 0.5}, "].simultaneous_low: the file says"),
        ({"low": 0.4, "high": 0.5}, "].low: the file says 0.4, its samples give"),
        ({"detectable": 1.0001}, "].detectable: the file says"),
        ({"negligible": True}, "].negligible: the file says"),
        ({"canary": True}, "].canary: the file says"),
        ({"why": "no reason"}, "].why: the file says"),
        ({"first": "torch:none:cpu:default"}, "the file has one, its samples give none"),
    ],
)
def test_verify_sees_a_changed_comparison(result, change, says):
    changed = [result.comparisons[0].model_copy(update=change), *result.comparisons[1:]]
    violations = list(held(result.model_copy(update={"comparisons": changed})))
    assert any(says in v for v in violations), violations


def test_verify_misses_a_comparison_and_sees_a_changed_rank(result):
    (violation,) = held(result.model_copy(update={"comparisons": result.comparisons[1:]}))
    assert violation.endswith("the file has none, its samples give one")
    twice = [*result.comparisons, result.comparisons[0]]
    (violation,) = held(result.model_copy(update={"comparisons": twice}))
    assert violation.endswith("the file has it twice")
    first = result.rankings[0]
    wrong = first.model_copy(update={"ranks": dict.fromkeys(first.ranks, 1)})
    (violation,) = held(result.model_copy(update={"rankings": [wrong, *result.rankings[1:]]}))
    assert violation.startswith(f"rankings[{first.workload} {first.variant} False].ranks: the file says {{")


def test_families_of_many_shapes_are_judged_alike():
    rng = np.random.default_rng(0)
    means, errors = rng.normal(0, 0.02, (50, 6)), rng.uniform(0.002, 0.01, (50, 6))
    whole = holm(means, errors, 7)
    for i in range(50):
        one = holm(means[i], errors[i], 7)
        for f in dataclasses.fields(one):
            assert np.array_equal(getattr(one, f.name), getattr(whole, f.name)[i])


def test_a_tuned_stack_is_judged_like_no_other_whatever_rule_the_file_names():
    tuned = make_tuned()
    assert held(tuned) == []
    plain = [x.model_copy(update={"stack": x.stack.model_copy(update={"tuned": False})}) for x in tuned.rows]
    compared = compare_all(plain)
    changes = {"comparisons": compared, "rankings": rank_all(plain, compared), "verdict_rule": 2}
    found = held(tuned.model_copy(update=changes))
    assert any(v.startswith("comparisons") and v.endswith("its samples give none") for v in found)
    assert any(v.startswith("rankings") for v in found)
