"""How many passes follow from a pilot: the rule against brute force, what it may see, and that it is kept."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_verdicts import around, row

from benchmarks.analysis import pilot
from benchmarks.analysis.ratios import FAMILY_ERROR
from benchmarks.engine import passes
from benchmarks.engine.context import opened
from benchmarks.engine.journal import PassMade, PilotDecided
from benchmarks.engine.select import make_plan
from benchmarks.verify import recompute
from benchmarks.workload import ROOT

TOYS = ROOT / "tests" / "toys"


def power(spread, passes, stacks):
    """Exact probability that a pair 5 % apart is found at Bonferroni's level."""
    level = FAMILY_ERROR / (stacks * (stacks - 1) / 2)
    critical = stats.t.isf(level / 2, passes - 1)
    return stats.nct.sf(critical, passes - 1, math.log(1.05) / (spread * math.sqrt(2 / passes)))


@pytest.mark.parametrize("stacks", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.001, 0.01, 0.015, 0.02])
def test_the_passes_suffice_and_are_no_more_than_needed(spread, stacks):
    n = pilot.passes_needed(spread, pairs=math.comb(stacks, 2))
    assert power(spread, n, stacks) >= 0.9
    assert n == pilot.LEAST or power(spread, n - 1, stacks) < 0.9


def test_the_promise_is_to_a_pair_of_average_spread():
    """Six stacks that vary by 0.5 % and two by 2 %: what the docstring of the rule says of them, over 500 pilots."""
    rng, spreads = np.random.default_rng(0), np.array([0.005] * 6 + [0.02] * 2)
    average = math.sqrt(np.mean(spreads**2))
    found = []
    for _ in range(500):
        passes = pilot.decide(list(spreads**2 * rng.chisquare(2, 8) / 2))[3]
        pairs = (average, average), (0.02, 0.005), (0.02, 0.02)
        found.append([power(math.hypot(*pair) / math.sqrt(2), passes, 8) for pair in pairs])
    promised, mixed, widest = np.mean(found, axis=0)
    assert promised >= 0.9
    assert (mixed, widest) == (pytest.approx(0.76, abs=0.03), pytest.approx(0.48, abs=0.03))


def test_a_spread_beyond_reach_gets_the_most_and_says_so():
    assert pilot.passes_needed(0.2, pairs=1) is None
    decided = pilot.judge_pilot([row("a", around(1, spread=0.3)), row("b", around(1, spread=0.3, seed=2))], pilot=3)
    assert (decided.passes, decided.needed) == (pilot.MOST, None)
    assert "would need more" in decided.words


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-3, 0.05), min_size=2, max_size=4), st.lists(st.floats(0.01, 100), min_size=4, max_size=4))
def test_the_rule_sees_no_ratio(spreads, factors):
    """Whatever the stacks differ by, the number of passes is the same."""
    plain = [row(f"s{i}", around(1.0, spread=s, seed=i)) for i, s in enumerate(spreads)]
    scaled = [
        row(f"s{i}", [f * x for x in around(1.0, spread=s, seed=i)])
        for i, (s, f) in enumerate(zip(spreads, factors, strict=False))
    ]
    a, b = pilot.judge_pilot(plain, pilot=3), pilot.judge_pilot(scaled, pilot=3)
    assert (a.passes, a.needed, a.stacks) == (b.passes, b.needed, b.stacks)
    assert a.spread == pytest.approx(b.spread, rel=1e-6)


def test_only_the_pilot_is_looked_at_and_the_canary_is_not():
    rows = [row("a", around(1, passes=3)), row("b", around(1, passes=3, seed=2))]
    later = [row("a", [*around(1, passes=3), 5.0, 9.0]), row("b", [*around(1, passes=3, seed=2), 1.0, 2.0])]
    canary = row("a", around(1, spread=0.2, seed=7), replica=1)
    assert pilot.judge_pilot(rows, pilot=3) == pilot.judge_pilot([*later, canary], pilot=3)


def test_a_stack_that_missed_a_pass_is_not_pooled():
    found = pilot.judge_pilot([row("a", around(1, passes=2)), row("b", around(1))], pilot=3)
    assert found.stacks == 1
    nothing = pilot.judge_pilot([row("a", around(1, passes=2))], pilot=3)
    assert (nothing.spread, nothing.passes) == (None, pilot.LEAST)


def plan_for(**words):
    return make_plan(command="test", workload=["toy/sound"], impls=TOYS, threads=1, recipe="smoke", **words)


@pytest.fixture
def full(tmp_path):
    """The context of a full run, in which workers are never started."""
    with opened(plan_for(profile="full", measure=["training"]), tmp_path, report=lambda text: None) as ctx:
        yield ctx


def passes_of(ctx, monkeypatch, sample):
    """The passes made, as the engine makes them; ``sample`` gives rows of so many passes in the place of workers."""
    (entry,), made = ctx.plan.entries, []
    named = {"workload": entry.workload, "variant": entry.variant}

    def rows(plan, entry, journal):
        return [x.model_copy(update=named) for x in sample(len(journal.of(PassMade, key=entry.key)))]

    monkeypatch.setattr(passes, "rows", rows)
    while todo := passes.undone(ctx, entry):
        assert len(made) < 20
        for p in todo:
            ctx.journal.add(PassMade(key=entry.key, index=p))
            made.append(p)
    return made


def varying(spread):
    return lambda done: [row(n, around(1, passes=done, spread=spread, seed=k)) for k, n in enumerate("ab")]


def test_a_full_run_decides_once_and_resumes_as_decided(full, monkeypatch):
    (entry,) = full.plan.entries
    assert (full.request.pilot, full.request.passes) == (3, 5)
    assert passes.undone(full, entry) == [0, 1, 2]
    made = passes_of(full, monkeypatch, varying(0.02))
    (decided,) = full.journal.of(PilotDecided)
    assert made == list(range(decided.decision.passes))
    assert 5 < len(made) < 20
    lines = full.journal.path.read_text().splitlines(keepends=True)
    lines = [line for line in lines if json.loads(line).get("index", 0) < 4]
    full.journal.path.write_text("".join(lines))  # interrupted in the fifth pass
    with opened(full.plan, full.folder, report=lambda text: None) as again:
        assert passes_of(again, monkeypatch, varying(0.3)) == made[4:]  # whatever the samples would say now


def spoilt(x, *passes):
    launches = []
    for la in x.launches:
        marks = {"disturbed": la.pass_index in passes, "round_disturbed": la.pass_index in passes}
        launches.append(la.model_copy(update={"blocks": [b.model_copy(update=marks) for b in la.blocks]}))
    return x.model_copy(update={"launches": launches})


@pytest.mark.parametrize("disturbed", [(), (1,), (1, 2), (4,), (4, 5)])
def test_one_pass_replaces_those_that_stayed_disturbed_once(full, monkeypatch, disturbed):
    """Five are decided; whatever stays disturbed, a sixth is all that is made, and its own state changes nothing."""
    made = passes_of(full, monkeypatch, lambda done: [spoilt(x, *disturbed) for x in varying(1e-3)(done)])
    (entry,) = full.plan.entries
    assert full.journal.pilot(entry.key).passes == 5
    assert made == list(range(6 if disturbed else 5))
    assert passes.reason(full, entry, [5]) == "one more pass, for one that stayed disturbed"


@pytest.mark.parametrize("words", [{"passes": 4}, {"profile": "quick"}, {"measure": ["certificate"]}])
def test_a_fixed_number_of_passes_has_no_pilot(tmp_path, words):
    plan = plan_for(**{"profile": "full", "measure": ["training"], **words})
    assert plan.options.pilot is None
    with opened(plan, tmp_path, report=lambda text: None) as ctx:
        assert passes.undone(ctx, plan.entries[0]) == list(range(plan.options.passes))


def test_the_most_of_an_older_rule_still_decides():
    """25 passes are needed: an older result, which knew at most 20, made those and is held to them."""
    spread = next(s for s in np.linspace(0.001, 0.2, 2000) if pilot.passes_needed(s, pairs=1) == 25)
    variance = (spread / pilot.upper_factor(4)) ** 2
    assert pilot.decide([variance, variance])[2:] == (25, 25)
    assert pilot.decide([variance, variance], most=pilot.MOST_BEFORE)[2:] == (None, 20)


def test_verify_recomputes_the_decision():
    import result_factory

    result = result_factory.make(passes=6, interrupted=False)
    options = result.options.model_copy(update={"pilot": 3})
    groups = {(x.workload, x.variant): [y for y in result.rows if (y.workload, y.variant) == (x.workload, x.variant)]
              for x in result.rows}  # fmt: skip
    pilots = [pilot.judge_pilot(rows, pilot=3) for rows in groups.values()]
    sound = result.model_copy(update={"options": options, "pilots": pilots})
    assert held(sound) == []
    for change, says in [
        ({"passes": 19}, "passes: the file says 19, its samples give"),
        ({"spread": 0.5}, "spread: the file says 0.5, its samples give"),
        ({"pilot": 4}, "pilot: the file says 4, its samples give 3"),
        ({"most_passes": 12}, "most_passes: the file says 12, its samples give 30"),
    ]:
        wrong = [pilots[0].model_copy(update=change), *pilots[1:]]
        assert any(says in v for v in held(sound.model_copy(update={"pilots": wrong})))
    none = sound.model_copy(update={"options": options.model_copy(update={"pilot": None})})
    assert len(held(none)) == len(pilots)


def held(result):
    return [v for v in recompute.check(result) if v.startswith("pilots")]


def test_the_passes_are_for_the_pairs_that_are_judged_together():
    """Eight stacks that all vary by 1 %, half of them tuned: 16 pairs of one framework, 6 within each half."""
    half = [row("a", around(1, spread=0.01, seed=i), mode=f"m{i}") for i in range(4)]
    other = [row("a", around(1, spread=0.01, seed=9 + i), mode=f"t{i}", tuned=True) for i in range(4)]
    apart = [x.model_copy(update={"stack": x.stack.model_copy(update={"framework": "b"})}) for x in other]
    variances = pilot.within_variances([*half, *other])
    assert len(variances) == 8
    for rows, pairs in ((half + other, 16), (half + apart, 6), (half, 6)):
        found, own = pilot.judge_pilot(rows, pilot=3), pilot.within_variances(rows)
        assert found.passes == pilot.decide(own, pairs=pairs)[3]
    assert pilot.decide(variances, pairs=6)[3] < pilot.decide(variances)[3]
