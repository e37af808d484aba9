"""Break-even: crossings against brute force, verdicts, what verify objects to, and what the report says."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from result_factory import make

from benchmarks.experiments.break_even.curves import Curve, break_even, crossing, derive, estimate
from benchmarks.experiments.break_even.schema import Launch, Value, check, declined, words
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Stack
from reports.render import html

PLACE = {"part": "break_even", "workload": "mnist_mlp", "variant": "default", "status": "ok"}


def launch(
    caches="cold", build=1.0, first=1.0, step=0.1, steps=4, evaluation=0.2, window=2, windows=4, files=None, call=1,
    disturbed=False,
):  # fmt: skip
    return Launch(
        caches=caches,
        cached_files=(9 if caches == "warm" else 0) if files is None else files,
        foreign_cpu_seconds=9.0 if disturbed else 0.0,
        disturbed=disturbed,
        build_seconds=build,
        call_steps=call,
        call_seconds=[first, *[step * call] * (steps - 1)],
        evaluation_seconds=[evaluation, evaluation],
        window_steps=window * call,
        window_seconds=[step * window * call] * windows,
    )


def value(launches, epoch=40):
    return Value(batch_size=64, evaluation_batch=128, epoch_steps=epoch, launches=launches)


def paid(found: Launch, epoch: int, steps: int) -> float:
    """The definition, one call after the other."""
    total, calls = found.build_seconds, found.window_steps // found.call_steps
    windows = [s / calls for s in found.window_seconds for _ in range(calls)]
    each = itertools.chain(found.call_seconds, windows, itertools.repeat(found.steady_seconds * found.call_steps))
    for seconds in itertools.islice(each, -(-steps // found.call_steps)):
        total += seconds
    return total + (found.evaluation_seconds[0] if steps >= epoch else 0.0)


seconds = st.floats(0.01, 3.0)
launches = st.builds(
    lambda call, calls, **rest: Launch(call_steps=call, window_steps=call * calls, **rest),
    call=st.sampled_from([1, 1, 3, 4]),
    calls=st.integers(1, 4),
    caches=st.just("cold"),
    cached_files=st.just(0),
    foreign_cpu_seconds=st.none(),
    disturbed=st.just(False),
    build_seconds=seconds,
    call_seconds=st.lists(seconds, min_size=3, max_size=8),
    evaluation_seconds=st.lists(st.floats(0.01, 20.0), min_size=2, max_size=2),
    window_seconds=st.lists(seconds, min_size=2, max_size=6),
)


@settings(max_examples=200, deadline=None)
@given(launches, launches, st.integers(1, 40))
def test_a_crossing_is_the_first_step_after_which_compiling_never_is_behind(compiled, plain, epoch):
    found = crossing(Curve(compiled, epoch), Curve(plain, epoch))
    gain = plain.steady_seconds - compiled.steady_seconds

    def ahead(n):
        """Seconds by which compiling is ahead after ``n`` steps."""
        return paid(plain, epoch, n) - paid(compiled, epoch, n)

    if found is None:
        assert gain <= 0
        assert gain < 0 or any(ahead(n) < 1e-6 for n in range(300, 313))  # a period of both, long after the windows
    else:
        assert all(ahead(n) > -1e-6 for n in range(found, found + 60))
        assert found == 1 or ahead(found - 1) < 1e-6


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


def test_steps_in_groups_are_paid_call_by_call():
    grouped = Curve(launch(first=9.0, call=8, step=0.05), 400)
    assert list(grouped.seconds(np.array([1.0, 8.0, 9.0]))) == pytest.approx([10.0, 10.0, 10.4])
    assert grouped.measured == 4 * 8 + 4 * 16
    (cold,) = break_even("x", value([launch(first=9.05, call=8, step=0.05)], 400), value([launch(step=0.1)], 400))
    assert cold.crossings == (162,), "after 161 steps 168 are paid: 18.05 s against 18.0 s one by one"


def answered(**values):
    return [Answer(**PLACE, stack=key, value=v.model_dump()) for key, v in values.items()]


EPOCH = 312  # full batches of 64 in the 20,000 examples of the made-up result's data


def with_answers(compiled, graph, *, plain=(), compiling="torch:compile:cpu:default"):
    """A result in which PyTorch compiles like ``compiled`` and TensorFlow like ``graph``."""
    base = make(interrupted=False)
    eager = value(plain or [launch("cold", first=1.0, files=0), launch("warm", first=1.0, files=0)], EPOCH)
    answers = answered(
        **{
            "torch:eager:cpu:default": eager,
            compiling: compiled,
            "tensorflow:eager:cpu:default": eager,
            "tensorflow:graph:cpu:default": graph,
        }
    )
    reason = "nothing is compiled in this mode"
    lost = {**PLACE, "status": "unavailable", "reason": reason, "stack": "tensorlayerx:trainonestep:cpu:default"}
    options = base.options.model_copy(update={"measure": [*base.options.measure, "break_even"]})
    return base.model_copy(update={"answers": [*answers, Answer(**lost)], "options": options})


PAYS = value([launch("cold", step=0.05, first=60.0), launch("warm", step=0.05, first=3.0)], EPOCH)
NEVER = value([launch("cold", step=0.2, files=0), launch("warm", step=0.2, files=0)], EPOCH)
TRACED = value([launch("cold", step=0.05, first=9.0, files=0), launch("warm", step=0.05, first=8.0, files=0)], EPOCH)


def told(*values, **more):
    """The text of the page."""
    return re.sub(r"<[^>]+>|\s+", " ", html([with_answers(*values, **more)]))


def test_the_report_says_after_how_many_steps_and_never():
    page = html([with_answers(PAYS, NEVER)])
    text = re.sub(r"<[^>]+>|\s+", " ", page)
    assert "Compile break-even" in text
    assert "PyTorch compile pays after about" in text
    assert "with cold caches" in text
    assert "TensorFlow graph never pays (a step takes 2.00 times as long)" in text
    assert "nothing is compiled in this mode" in text
    assert page.count("Cumulative time, ") >= 2
    assert "Disturbed launches:" not in text


def test_the_derivation_finds_every_pair():
    result = with_answers(PAYS, NEVER)
    found = derive(result.answers, {row.stack.key: row.stack for row in result.rows})
    assert [(b.stack.split(":")[1], b.caches, b.verdict) for b in found] == [
        ("compile", "cold", "pays"),
        ("compile", "warm", "pays"),
        ("graph", "none", "never"),
    ]


def test_without_a_cache_on_disk_cold_and_warm_are_one_kind():
    result = with_answers(PAYS, TRACED)
    found = derive(result.answers, {row.stack.key: row.stack for row in result.rows})[-1]
    assert (found.caches, len(found.crossings), found.verdict) == ("none", 2, "pays")
    text = told(PAYS, TRACED)
    assert re.search(r"TensorFlow graph pays after about \d+ steps \([\d.]+ epochs; it keeps no cache on disk\)", text)
    assert "with warm ones" in text, "of PyTorch"
    assert "no cache on disk" in words(TRACED)
    assert "cold" not in words(TRACED)
    assert re.search(r"s cold or .* s warm", words(PAYS))


def test_disturbed_pairs_do_not_count_and_too_many_suspend_the_verdict():
    plain = value([launch("cold")] * 3 + [launch("warm")] * 3)

    def found(cold, warm):
        fast = {"step": 0.05, "first": 9.0}
        cold = [launch("cold", **fast, disturbed=hit) if hit else launch("cold", **fast) for hit in cold]
        return break_even("x", value(cold + [launch("warm", **fast, disturbed=hit) for hit in warm]), plain)

    assert [(b.verdict, len(b.crossings)) for b in found([0, 0, 0], [0, 0, 0])] == [("pays", 3), ("pays", 3)]
    assert [(b.verdict, len(b.crossings)) for b in found([0, 1, 0], [0, 0, 0])] == [("pays", 2), ("pays", 3)]
    assert [b.verdict for b in found([1, 1, 0], [0, 0, 0])] == ["disturbed", "pays"]
    assert [b.verdict for b in found([1, 1, 1], [1, 0, 0])] == ["disturbed", "disturbed"]
    odd = value([launch("cold", step=0.3, disturbed=True), *[launch("cold", step=0.05, first=9.0)] * 2])
    assert break_even("x", odd, plain)[0].ratio.high < 1, "the disturbed launch would have torn it"
    never = value([launch("cold", step=0.2, disturbed=True), *[launch("cold", step=0.2)] * 2])
    assert break_even("x", never, value([launch("cold", disturbed=True)] * 3))[0].verdict == "disturbed"


def test_the_report_shows_what_was_disturbed_and_gives_no_verdict_on_it():
    hit = value([launch(kind, step=0.05, first=60.0, disturbed=True) for kind in ("cold", "warm")], EPOCH)
    text = told(hit, NEVER)
    assert "PyTorch compile got no verdict (disturbed)" in text
    assert "Disturbed launches: all of PyTorch compile." in text
    assert "disturbed: no verdict" in text
    assert "2 of 2 launches disturbed" in words(hit)
    half = value([hit.launches[0], PAYS.launches[1]], EPOCH)
    assert "Disturbed launches: cold 1 of PyTorch compile." in told(half, NEVER)


def test_a_compiler_that_left_nothing_compiled_nothing():
    """Dynamo traces no nn.LSTM; what keeps no cache anyhow, as a TensorFlow graph does, says nothing by it."""
    empty = value([launch("cold"), launch("warm", files=0)], EPOCH)
    says = "PyTorch compile left nothing in the cache for compiled code, so nothing was compiled"
    assert says in told(empty, NEVER)
    assert says not in told(PAYS, NEVER)
    compile_, xla = (Stack(framework=f, mode=m, device="cpu") for f, m in (("torch", "compile"), ("tensorflow", "xla")))
    assert declined(compile_, empty), "as results from before graphs were counted are read"
    assert not declined(xla, empty)
    counted = [launch.model_copy(update={"compiled_graphs": 1}) for launch in empty.launches]
    assert not declined(compile_, value(counted)), "where the compiler counted, nothing is inferred"
    assert declined(xla, value([launch.model_copy(update={"compiled_graphs": 0}) for launch in counted]))


def test_verify_objects():
    def violations(compiled, **more):
        result = with_answers(compiled, NEVER, **more)
        return list(check(result, result.answers[1]))

    def pair(cold, warm):
        return value([cold, warm], EPOCH)

    assert violations(PAYS) == []
    assert any("found files" in v for v in violations(pair(launch("cold", files=3), launch("warm"))))
    some = value([*[launch("cold")] * 2, launch("warm"), launch("warm", files=0)], EPOCH)
    assert any("found nothing" in v for v in violations(some))
    assert violations(pair(launch("cold"), launch("warm", files=0))) == [], "a cold launch may have left nothing"
    assert any("do not pair" in v for v in violations(value([launch("cold")], EPOCH)))
    assert any("stood still" in v for v in violations(pair(launch("cold", step=0.0), launch("warm"))))
    same = PAYS.model_copy(update={"evaluation_batch": 64})
    assert any("batch size" in v for v in violations(same))
    assert any("has 312 steps, it says 40" in v for v in violations(PAYS.model_copy(update={"epoch_steps": 40})))
    odd = launch("warm", call=4).model_copy(update={"window_steps": 6})
    assert any("whole calls" in v for v in violations(pair(launch("cold"), odd)))
