"""Break-even: crossings against brute force, verdicts, what verify objects to, and what the report says."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from result_factory import make

from benchmarks.answers import Answer
from benchmarks.parts.break_even.curves import Curve, break_even, crossing, derive, estimate, uncompiled
from benchmarks.parts.break_even.schema import Launch, Value, check
from benchmarks.results import digest
from reports.render import html

PLACE = {"part": "break_even", "workload": "mnist_mlp", "variant": "default", "status": "ok"}


def launch(caches="cold", build=1.0, first=1.0, step=0.1, steps=4, evaluation=0.2, window=2, windows=4, files=0):
    return Launch(
        caches=caches,
        cached_files=files,
        build_seconds=build,
        step_seconds=[first, *[step] * (steps - 1)],
        evaluation_seconds=[evaluation, evaluation],
        window_steps=window,
        window_seconds=[step * window] * windows,
    )


def value(launches, epoch=40):
    return Value(batch_size=64, evaluation_batch=128, epoch_steps=epoch, launches=launches)


def paid(found: Launch, epoch: int, steps: int) -> float:
    """The definition, one step after the other."""
    total = found.build_seconds
    windows = [s / found.window_steps for s in found.window_seconds for _ in range(found.window_steps)]
    each = itertools.chain(found.step_seconds, windows, itertools.repeat(found.steady_seconds))
    for seconds in itertools.islice(each, steps):
        total += seconds
    return total + (found.evaluation_seconds[0] if steps >= epoch else 0.0)


seconds = st.floats(0.01, 3.0)
launches = st.builds(
    Launch,
    caches=st.just("cold"),
    cached_files=st.just(0),
    build_seconds=seconds,
    step_seconds=st.lists(seconds, min_size=3, max_size=8),
    evaluation_seconds=st.lists(st.floats(0.01, 20.0), min_size=2, max_size=2),
    window_steps=st.integers(1, 4),
    window_seconds=st.lists(seconds, min_size=2, max_size=6),
)


@settings(max_examples=200, deadline=None)
@given(launches, launches, st.integers(1, 40))
def test_a_crossing_is_the_first_step_after_which_compiling_never_is_behind(compiled, plain, epoch):
    found = crossing(Curve(compiled, epoch), Curve(plain, epoch))
    gain = plain.steady_seconds - compiled.steady_seconds
    horizon = 400
    behind = [n for n in range(1, horizon) if paid(compiled, epoch, n) > paid(plain, epoch, n) + 1e-9]
    expected = behind[-1] + 1 if behind else 1
    if found is None:
        assert gain < 0 or (gain <= 0 and behind)
    elif found < horizon - 1:
        assert abs(found - expected) <= 1  # rounding at an exact tie
        assert all(paid(compiled, epoch, n) <= paid(plain, epoch, n) + 1e-6 for n in range(found, horizon))
    else:
        n = found + 50
        assert paid(compiled, epoch, n) <= paid(plain, epoch, n) + 1e-6
        assert expected >= horizon - 2


@settings(max_examples=50, deadline=None)
@given(launches, st.integers(1, 40), st.integers(1, 120))
def test_a_curve_is_what_a_training_pays(found, epoch, steps):
    assert Curve(found, epoch).seconds(np.array([float(steps)]))[0] == pytest.approx(paid(found, epoch, steps))


def test_extrapolated_by_hand():
    # 10 s to compile, a step of 0.1 instead of 0.2 s, as long to evaluate: after 1 + 90 steps in all.
    (cold,) = break_even("torch:compile:cpu:default", value([launch(first=10.1)]), value([launch(first=1.0, step=0.2)]))
    assert cold.verdict == "pays"
    assert cold.crossings == (pytest.approx(92, abs=1),)
    assert cold.extrapolated
    assert cold.epochs == pytest.approx(92 / 40, abs=0.05)


def test_the_evaluation_is_paid_at_the_end_of_the_first_epoch():
    slow = value([launch(evaluation=5.0)], epoch=30)
    (found,) = break_even("torch:compile:cpu:default", slow, value([launch(step=0.2)], epoch=30))
    assert found.crossings[0] > 48  # ahead at once, but 4.8 s behind again from step 30 on


def test_verdicts():
    plain = value([launch("cold"), launch("warm")])
    slower = value([launch("cold", step=0.2), launch("warm", step=0.3)])
    torn = value([launch("cold", step=0.2), launch("warm", step=0.05)])
    assert {b.verdict for b in break_even("x", slower, plain)} == {"never"}
    assert {b.verdict for b in break_even("x", torn, plain)} == {"undecided"}
    assert all(b.steps is None for b in break_even("x", slower, plain) + break_even("x", torn, plain))
    faster = value([launch("cold", step=0.05, first=9.0), launch("warm", step=0.05, first=2.0)])
    cold, warm = break_even("x", faster, plain)
    assert (cold.caches, warm.caches) == ("cold", "warm")
    assert cold.steps.value > warm.steps.value
    assert break_even("x", value([launch("cold")]), value([launch("warm")])) == [], "kinds are never mixed"


def test_few_launches_give_a_range_and_more_an_interval():
    from scipy.stats import sem, t

    few, several = estimate([100.0, 200.0]), [100.0, 110.0, 120.0, 130.0, 140.0]
    assert (few.low, few.high, few.t) == (100.0, 200.0, False)
    logs = np.log(several)
    low, high = t.interval(0.95, 4, loc=logs.mean(), scale=sem(logs))
    many = estimate(several)
    assert many.t
    assert (many.low, many.high) == pytest.approx((np.exp(low), np.exp(high)))


@pytest.mark.parametrize(
    ("stack", "plain"),
    [
        ("torch:compile:cuda:old", "torch:eager:cuda:old"),
        ("tensorflow:xla:cpu:default", "tensorflow:eager:cpu:default"),
        ("tensorflow:eager:cpu:default", None),
        ("tensorlayerx:trainonestep:cpu:default", None),
    ],
)
def test_what_is_held_against_what(stack, plain):
    assert uncompiled(stack) == plain


def answered(**values):
    return [Answer(**PLACE, stack=key, value=v.model_dump()) for key, v in values.items()]


def with_answers(compiled, graph):
    """A result in which PyTorch compiles like ``compiled`` and TensorFlow like ``graph``."""
    base = make(interrupted=False)
    eager = value([launch("cold", first=1.0), launch("warm", first=1.0)])
    answers = answered(
        **{
            "torch:eager:cpu:default": eager,
            "torch:compile:cpu:default": compiled,
            "tensorflow:eager:cpu:default": eager,
            "tensorflow:graph:cpu:default": graph,
        }
    )
    reason = "nothing is compiled in this mode"
    lost = {**PLACE, "status": "unavailable", "reason": reason, "stack": "tensorlayerx:trainonestep:cpu:default"}
    options = base.options.model_copy(update={"measure": [*base.options.measure, "break_even"]})
    changed = base.model_copy(update={"answers": [*answers, Answer(**lost)], "options": options})
    return changed.model_copy(update={"digest": digest(changed)})


PAYS = value([launch("cold", step=0.05, first=60.0), launch("warm", step=0.05, first=3.0, files=9)])
NEVER = value([launch("cold", step=0.2), launch("warm", step=0.2)])


def test_the_report_says_after_how_many_steps_and_never():
    page = html([with_answers(PAYS, NEVER)])
    text = re.sub(r"<[^>]+>|\s+", " ", page)
    assert "Compile break-even" in text
    assert "PyTorch compile pays after about" in text
    assert "with cold caches" in text
    assert "TensorFlow graph never pays (a step takes 2.00 times as long)" in text
    assert "nothing is compiled in this mode" in text
    assert page.count("Cumulative time, ") >= 2


def test_the_derivation_finds_every_pair():
    found = derive(with_answers(PAYS, NEVER).answers)
    assert [(b.stack.split(":")[1], b.caches, b.verdict) for b in found] == [
        ("compile", "cold", "pays"),
        ("compile", "warm", "pays"),
        ("graph", "cold", "never"),
        ("graph", "warm", "never"),
    ]


def test_verify_objects():
    def violations(compiled):
        result = with_answers(compiled, NEVER)
        return list(check(result, result.answers[1]))

    assert violations(PAYS) == []
    assert any("found files" in v for v in violations(value([launch("cold", files=3), launch("warm")])))
    assert any("do not pair" in v for v in violations(value([launch("cold")])))
    assert any("stood still" in v for v in violations(value([launch("cold", step=0.0), launch("warm")])))
    same = PAYS.model_copy(update={"evaluation_batch": 64})
    assert any("batch size" in v for v in violations(same))
