"""Time to accuracy: the estimator, what is held out, what verify objects to, and what the report says."""

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_factory import make
from scipy.stats import ttest_rel

from benchmarks.experiments.time_to_accuracy.compare import compare
from benchmarks.experiments.time_to_accuracy.schema import Value, check, is_reached, words
from benchmarks.experiments.time_to_accuracy.survival import Time, median, median_interval, waiting
from benchmarks.experiments.time_to_accuracy.validation import hold_out
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Declared
from benchmarks.workload import Target, discover, hash_declaration
from reports.render import html

times = st.lists(st.builds(Time, value=st.integers(1, 12).map(float), happened=st.booleans()), min_size=1, max_size=14)


def test_the_estimator_is_kaplan_and_meiers():
    """Five, of whom one is lost after 2, one at the very time at which another reaches it."""
    sample = [Time(value=v, happened=h) for v, h in ((3.0, True), (2.0, False), (1.0, True), (3.0, False), (4.0, True))]
    assert waiting(sample) == [(1.0, pytest.approx(4 / 5)), (3.0, pytest.approx(4 / 5 * 2 / 3)), (4.0, 0.0)]
    assert median(sample) == 4.0
    assert waiting([t for t in sample if not t.happened]) == []


@given(times)
def test_a_missed_target_counts_and_is_never_better_than_one_reached(sample):
    reached = [dataclasses.replace(t, happened=True) for t in sample]
    assert median(reached) is not None
    found = median(sample)
    assert found is None or found >= median(reached)
    interval = median_interval(sample)
    centre = median(reached)
    assert interval.low <= centre
    assert interval.high is None or interval.high >= centre


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 9, 15, 30])
def test_the_interval_covers_the_median_as_often_as_it_says(count):
    sample = [Time(value=float(i), happened=True) for i in range(count)]
    found = median_interval(sample)
    # The median lies below the k-th lowest of n with the probability that fewer than k values lie below it.
    below = int(found.low)
    missed = 2 * sum(math.comb(count, k) for k in range(below + 1)) / 2**count
    assert found.confidence == pytest.approx(1 - missed)
    assert found.confidence >= 0.95 or count < 6
    assert found.high == count - 1 - below


def test_of_no_seed_that_reached_there_is_no_median():
    sample = [Time(value=9.0, happened=False)] * 3
    assert median(sample) is None
    assert median_interval(sample).high is None


def test_a_metric_is_reached_from_its_own_side():
    assert is_reached("accuracy", 0.6, 0.6)
    assert not is_reached("accuracy", 0.59, 0.6)
    assert is_reached("perplexity", 300.0, 300.0)
    assert not is_reached("nce_loss", 8.1, 8.0)
    assert not is_reached("nce_loss", None, 8.0)


def test_validation_data_are_held_out_of_training_and_the_test_set_is_gone():
    arrays = {name: np.arange(20) + 100 * i for i, name in enumerate(("train_x", "train_y", "test_x", "test_y"))}
    held = hold_out(arrays)
    assert list(held["train_x"]) == list(range(18))
    assert list(held["test_x"]) == [18, 19]
    assert list(held["test_y"]) == [118, 119]
    text = hold_out({"train": np.arange(40), "test": np.arange(5), "words": np.arange(3), "groups": np.arange(2)})
    assert set(text) == {"train", "test", "words"}
    assert list(text["test"]) == [36, 37, 38, 39]
    assert len(hold_out({"train": np.arange(1_000_000), "test": np.arange(5)})["test"]) == 10_000


def test_a_target_judges_and_so_leaves_the_hash():
    workload = next(f.workload for f in discover() if f.workload.recipes)
    first = dataclasses.replace(workload.recipes[0], target=Target(value=0.5, protocol="any"))
    changed = dataclasses.replace(workload, recipes=(first, *workload.recipes[1:]))
    assert changed.declaration()["recipes"][0]["target"]["value"] == 0.5
    assert hash_declaration(changed.declaration()) == workload.hash


def test_targets_say_how_they_were_measured():
    targets = [(f.workload, recipe.target) for f in discover() for recipe in f.workload.recipes if recipe.target]
    assert targets
    for workload, target in targets:
        assert all(word in target.protocol for word in ("steps", "seed", "training")), workload.key


def training(seed, metrics, every=10, rate=0.1, hit=False):
    points = [
        {"steps": every * (i + 1), "seconds": 1 + rate * every * (i + 1), "metric": m} for i, m in enumerate(metrics)
    ]
    told = {"seed": seed, "build_seconds": 1.0, "evaluation_seconds": 0.5, "points": points}
    return {**told, "foreign_cpu_seconds": 9.0 if hit else 0.0, "disturbed": hit}


def value(*courses, rate=0.1, hit=()):
    return Value(
        recipe="quick", metric="accuracy", target=0.6, validation_examples=2000, every=10, steps=40,
        provisional=len(courses) < 5,
        trainings=[training(seed, metrics, rate=rate, hit=seed in hit) for seed, metrics in enumerate(courses)],
    )  # fmt: skip


GOOD, LATE, MISSED = [0.3, 0.61], [0.2, 0.4, 0.7], [0.1, None, 0.3, 0.4]
PLACE = {"part": "time_to_accuracy", "workload": "mnist_mlp", "variant": "default"}


def with_answers(**values):
    base = make(interrupted=False)
    declared = []
    for d in base.declared:
        plain = dict(d.declaration)
        target = {"type": "Target", "value": 0.6, "protocol": "measured over three seeds"}
        plain["recipes"] = [{**r, "target": target} if r["name"] == "quick" else r for r in plain["recipes"]]
        declared.append(Declared(name=d.name, variant=d.variant, hash=d.hash, declaration=plain))
    answers = [Answer(**PLACE, stack=key, status="ok", value=v.model_dump()) for key, v in values.items()]
    measure = [*base.options.measure, "time_to_accuracy"]
    options = base.options.model_copy(update={"measure": measure, "price_per_hour": 3.6, "recipe": "quick", "seed": 0})
    return base.model_copy(update={"answers": answers, "options": options, "declared": declared})


def test_missed_seeds_stay_in_the_count():
    found = value(GOOD, LATE, MISSED)
    assert found.count_reached == 2
    assert median(found.step_times) == 30
    assert median_interval(found.step_times).high is None
    told = "accuracy 0.6000 reached by 2 of 3 seeds, median 30 steps, 4.0 s (at most 40 steps"
    assert words(found) == told + "; provisional, 3 seeds)"
    assert "median" not in words(value(MISSED))
    assert words(value(*[GOOD] * 5, hit=[1])).endswith("(at most 40 steps; 1 of 5 trainings disturbed)")


def course(steps):
    """Metrics of a training that reaches the target after ``steps``, ten at a time."""
    return [0.3] * (steps // 10 - 1) + [0.7]


def long(*steps, rate=0.1, hit=()):
    """Trainings of up to a thousand steps, by how many each takes to the target."""
    return value(*map(course, steps), rate=rate, hit=hit).model_copy(update={"steps": 1000})


NEAR = ((700, 720, 690, 710, 705), (705, 715, 695, 705, 710))


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (*NEAR, "equal"),
        ((700, 720, 690, 710, 700), (1000, 990, 980, 1000, 1000), "sooner"),
        ((1000, 990, 980, 1000, 1000), (700, 720, 690, 710, 700), "later"),
        ((300, 720, 690, 310, 500), (705, 300, 620, 705, 310), "undecided"),  # intervals overlap: that is no equality
        ((20, 20, 20, 20, 20), (20, 20, 20, 20, 20), "undecided"),  # every 10: seen alike, but up to twice apart
        ((10, 10, 10, 10, 10), (10, 10, 10, 10, 10), "undecided"),
        ((190, 190, 200, 190, 190), (200, 200, 200, 200, 200), "undecided"),  # significant, within one evaluation
    ],
)
def test_steps_are_equal_only_where_a_test_says_so(first, second, verdict):
    (pair,) = compare({"a": long(*first), "b": long(*second)}, "steps")
    assert pair.verdict == verdict
    assert pair.low <= pair.ratio <= pair.high


def test_two_stacks_are_compared_as_one_paired_t_test():
    first, second = (300, 420, 390, 310, 500), (320, 450, 460, 330, 510)
    (pair,) = compare({"a": long(*first), "b": long(*second)}, "steps")
    theirs = ttest_rel(np.log(first), np.log(second))
    interval = theirs.confidence_interval(0.95)
    assert (pair.low, pair.high) == pytest.approx((np.exp(interval.low), min(1.0, np.exp(interval.high))))
    assert (pair.verdict == "sooner") == (theirs.pvalue <= 0.05)


def test_of_many_pairs_few_differ_by_chance():
    rng = np.random.default_rng(0)
    stacks = {name: long(*(rng.integers(60, 90, 5) * 10)) for name in "abcd"}
    found = compare(stacks, "steps")
    assert len(found) == 6
    assert not {p.verdict for p in found} & {"sooner", "later"}


def test_seconds_rest_on_undisturbed_seeds_and_steps_on_all():
    fast, slow = long(*NEAR[0], hit=[1]), long(*NEAR[1], rate=0.3, hit=[2])
    (seconds,), (steps,) = (compare({"a": fast, "b": slow}, unit) for unit in ("seconds", "steps"))
    assert (seconds.verdict, seconds.seeds) == ("sooner", 3)
    assert (steps.verdict, steps.seeds) == ("equal", 5)
    (seconds,) = compare({"a": fast, "b": long(*NEAR[1], rate=0.3, hit=[2, 3])}, "seconds")
    assert (seconds.verdict, seconds.seeds) == ("disturbed", 5)


def test_few_seeds_and_missed_ones_are_not_compared():
    assert compare({"a": long(700, 700, 700, 700), "b": long(100, 100, 100, 100)}, "steps") == []
    assert compare({"a": value(*[GOOD] * 5), "b": value(*[GOOD] * 4, MISSED)}, "steps") == []


def test_the_report_tells_seconds_and_steps_apart_and_their_cost():
    courses = [GOOD, LATE, GOOD, GOOD, GOOD]
    text = told(value(*courses), value(*courses, rate=0.3))
    assert "PyTorch eager after 3 s and TensorFlow graph after 7 s (medians over seeds)" in re.sub(
        r"\.00? s", " s", text
    )
    assert "In seconds PyTorch eager takes 0.42 times as long as TensorFlow graph." in text
    assert "In steps undecided at 5 seeds." in text, "what lies between two evaluations is half of the way"
    assert "measured over three seeds" in text
    assert "0.003" in text, "three seconds at 3.60 an hour"
    assert "(provisional, " not in text
    assert "Disturbed while" not in text
    missed = told(value(MISSED, MISSED, MISSED, GOOD, GOOD), value(*courses))
    assert "PyTorch eager did not, in most seeds. Nothing is compared" in missed
    assert "No framework reached accuracy 0.6000" in told(value(MISSED, MISSED, GOOD))


def test_the_report_says_equal_provisional_and_disturbed():
    assert "In steps equal within 10 % at 5 seeds." in told(long(*NEAR[0]), long(*NEAR[1]))
    few = told(value(GOOD, LATE, GOOD), value(GOOD, LATE, GOOD, rate=0.3))
    assert "TensorFlow graph after 7.00 s (provisional, 3 seeds)." in few
    assert "In steps" not in few
    assert "(provisional, 1 seed)" in told(value(MISSED))
    hit = told(value(*[GOOD] * 5, hit=[0, 2, 4]), value(*[GOOD] * 5, rate=0.3))
    assert "In seconds disturbed: no verdict." in hit
    assert "Disturbed while they trained: seeds 0, 2 and 4 of PyTorch eager." in hit
    assert "3 of 5" in hit


def test_the_sentence_tells_pairs_that_are_apart_and_leaves_the_rest_to_the_table():
    text = told(long(*NEAR[0], hit=[1]), long(*NEAR[1], rate=0.3), long(300, 820, 690, 410, 700, rate=0.3))
    seconds = (
        "In seconds PyTorch eager takes 0.34 times as long as TensorFlow graph; otherwise undecided at 4 or 5 seeds."
    )
    assert seconds in text
    steps = (
        "In steps equal within 10 % at 5 seeds: PyTorch eager against TensorFlow graph; otherwise undecided at 5 seeds."
    )
    assert steps in text


def told(torch, tensorflow=None, tensorlayerx=None):
    """The text of the page."""
    stacks = {"torch:eager:cpu:default": torch}
    stacks |= {"tensorlayerx:eager:cpu:default": tensorlayerx} if tensorlayerx else {}
    stacks |= {"tensorflow:graph:cpu:default": tensorflow} if tensorflow else {}
    return re.sub(r"<[^>]+>|\s+", " ", html([with_answers(**stacks)]))


def test_verify_objects():
    def violations(found):
        result = with_answers(**{"torch:eager:cpu:default": found})
        return " ".join(check(result, result.answers[0]))

    assert violations(value(GOOD, MISSED)) == ""
    assert "declared is" in violations(value(GOOD).model_copy(update={"target": 0.5}))
    assert "went on after" in violations(value([0.7, 0.8]))
    assert "ended before" in violations(value([0.1, 0.2]))
    assert "seeds are" in violations(Value(**{**value(GOOD).model_dump(), "trainings": [training(4, GOOD)]}))
    assert "planned were" in violations(Value(**{**value(GOOD).model_dump(), "every": 7}))
    backwards = Value(**{**value(GOOD).model_dump(), "trainings": [{**training(0, GOOD), "build_seconds": 9.0}]})
    assert "backwards" in violations(backwards)
    assert violations(value(*[GOOD] * 5)) == ""
    assert "it has 2 seeds and is not called" in violations(value(GOOD, GOOD).model_copy(update={"provisional": False}))
    assert "it has 5 seeds and is called" in violations(value(*[GOOD] * 5).model_copy(update={"provisional": True}))
