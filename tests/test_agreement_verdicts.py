"""Agreement between frameworks: verdicts by hand and by simulation, and that ``verify`` derives them again."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import result_factory
from result_factory import stack
from rich.console import Console

from benchmarks import workload as w
from benchmarks.analysis.agreement import agree_all, agreements, words
from benchmarks.analysis.ratios import margin_exceeded, margin_needed, seeds_needed
from benchmarks.commands.run import print_summary
from benchmarks.engine.plan import Entry, Planned
from benchmarks.schema import results as r
from benchmarks.verify.file import verify
from benchmarks.workload import Equivalence, SeedLocked
from benchmarks.workload.metrics import METRICS, percent
from benchmarks.workload.read_back import read_back

TOST = Equivalence(margin=0.01, reason="one point")
LOCKED = SeedLocked(tolerance=0.002, loss=1e-3, protocol="measured", references=(0.5, 0.52, 0.51))
ONE = [0.80, 0.82, 0.81, 0.83, 0.79]


def row(framework, metrics, *, mode="eager", losses=None, batch_size=100, **changes):
    """Trained from seeds 0, 1, ...; None stands for a seed that failed."""
    losses = losses or [1.0] * len(metrics)
    trainings = [
        r.Training(
            seed=seed, status="failed" if value is None else "ok", metric=value,
            curve=[r.CurvePoint(epoch=1, seconds=1.0, loss=loss, metric=0.1)],
        )
        for seed, (value, loss) in enumerate(zip(metrics, losses, strict=True))
    ]  # fmt: skip
    return r.Row(
        workload="toy", variant="default", stack=stack(framework, mode, **changes), status="ok", implementation={},
        implementation_hash="", batch_size=batch_size,
        accuracy=r.Accuracy(recipe="quick", judged=False, trainings=trainings),
    )  # fmt: skip


def declared(agreement, metric="accuracy"):
    accepted = {"type": "Unmeasured", "reason": "an example"}
    recipe = {"name": "quick", "accepted": accepted}
    recipe |= {} if agreement is None else {"agreement": w._plain(agreement)}
    return {"batch_size": 100, "metric": metric, "recipes": [recipe]}


def judged(agreement, *rows, metric="accuracy", data="embedded"):
    return agreements(rows, declared(agreement, metric), data=data)


def test_mean_differences_within_the_margin_agree():
    (found,) = judged(TOST, row("torch", ONE), row("tensorflow", [v + 0.002 for v in ONE]))
    assert (found.kind, found.verdict, found.why, found.seeds) == ("equivalence", "agree", "", [0, 1, 2, 3, 4])
    assert found.difference == pytest.approx(-0.002)
    assert found.needed == pytest.approx(0.002), "differences that do not vary need no more"
    said = words(found, METRICS["accuracy"])
    assert said == "agree: mean accuracy within 0.2 points (limit 1 point), training losses within 0 %; 5 seeds"


def test_means_apart_for_sure_differ():
    (found,) = judged(TOST, row("torch", ONE), row("tensorflow", [v + 0.03 for v in ONE]))
    assert (found.verdict, found.why) == ("differ", "means differ by 3 points, margin 1 point")


def test_seeds_that_vary_show_nothing_and_say_what_would():
    apart = [0.02, -0.02, 0.015, -0.015, 0.0]
    (found,) = judged(TOST, row("torch", [v + d for v, d in zip(ONE, apart, strict=True)]), row("tensorflow", ONE))
    assert found.verdict == "not shown"
    assert found.needed == pytest.approx(margin_needed(apart))
    assert found.why == "within 1.7 points so far, margin 1 point; about 11 seeds would show it"
    assert words(found, METRICS["accuracy"]).startswith("agreement not shown: within 1.7 points")


def test_four_seeds_are_not_judged():
    (found,) = judged(TOST, row("torch", ONE[:4]), row("tensorflow", ONE))
    assert (found.verdict, found.why, found.needed) == ("not judged", "needs five seeds, has 4", None)
    (found,) = judged(TOST, row("torch", [*ONE[:4], None]), row("tensorflow", ONE))
    assert found.seeds == [0, 1, 2, 3]


def test_margins_of_perplexities_are_shares_of_them():
    five = Equivalence(margin=0.05, reason="5 %")
    (found,) = judged(five, row("torch", [400.0] * 5), row("tensorflow", [412.0] * 5), metric="perplexity")
    assert (found.verdict, found.needed) == ("agree", pytest.approx(0.03))
    assert found.difference == pytest.approx(400 / 412 - 1)
    (found,) = judged(five, row("torch", [400.0] * 5), row("tensorflow", [424.0] * 5), metric="perplexity")
    assert (found.verdict, found.why) == ("differ", "means differ by 6 %, margin 5 %")


def test_a_training_loss_beyond_its_limit_differs_from_one_seed_on():
    strict = replace(TOST, loss=0.005, loss_protocol="measured")
    other = row("tensorflow", ONE[:1], losses=[1.02])
    (found,) = judged(strict, row("torch", ONE[:1]), other)
    assert found.loss_difference == pytest.approx(0.02 / 1.02)
    assert (found.verdict, found.why) == ("differ", "training losses of seed 0 differ by 2 %, limit 0.5 %")
    (found,) = judged(TOST, row("torch", ONE[:1]), other)
    assert (found.verdict, found.loss_margin) == ("not judged", None)


def test_seed_locked_recipes_must_match_seed_by_seed():
    far = [0.5, 0.52, 0.5]  # on average as near as the tolerance allows
    pair, *alone = judged(LOCKED, row("torch", [0.502, 0.52, 0.51]), row("tensorflow", far))
    assert (pair.kind, pair.verdict, pair.needed) == ("seed-locked", "differ", pytest.approx(0.01))
    assert pair.why == "accuracy of seed 2 differs by 1 point, limit 0.2 points"
    assert [(a.first.split(":")[0], a.second, a.verdict) for a in alone] == [
        ("torch", "reference", "agree"),
        ("tensorflow", "reference", "differ"),
    ]


def test_one_framework_alone_is_held_to_the_references_on_embedded_data():
    (found,) = judged(LOCKED, row("torch", [0.5, 0.521]))
    assert (found.second, found.verdict, found.seeds) == ("reference", "agree", [0, 1])
    assert judged(LOCKED, row("torch", [0.5, 0.521]), data="real") == []
    assert judged(TOST, row("torch", ONE)) == []


def test_the_documented_mode_with_most_seeds_stands_for_its_framework():
    rows = [
        row("torch", ONE[:1]),
        row("torch", ONE, mode="compile"),
        row("torch", [0.1] * 9, mode="compile-tuned", tuned=True),
        row("tensorflow", ONE, mode="graph"),
    ]
    (found,) = judged(TOST, *rows)
    assert (found.first, found.second) == ("torch:compile:cpu:default", "tensorflow:graph:cpu:default")


def test_other_batch_sizes_and_recipes_without_a_criterion_are_not_judged():
    (found,) = judged(TOST, row("torch", ONE, batch_size=50), row("tensorflow", ONE, batch_size=50))
    assert (found.verdict, found.why) == ("not judged", "declared for batch size 100")
    assert judged(None, row("torch", ONE), row("tensorflow", ONE)) == []


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (3.7e-8, "less than 0.0001 %"), (1e-6, "0.0001 %"), (6e-5, "0.006 %"), (0.0123, "1.2 %")],
)
def test_shares_are_told_in_per_cent(share, text):
    assert percent(share) == text


def test_margin_needed_is_the_bound_of_two_one_sided_tests():
    from scipy.stats import ttest_1samp

    differences = [-0.1, 0.2, -0.4, 0.2, -0.3]
    margin = margin_needed(differences)
    low = ttest_1samp(differences, -margin, alternative="greater").pvalue
    high = ttest_1samp(differences, margin, alternative="less").pvalue
    assert max(low, high) == pytest.approx(0.05)


def test_seeds_needed_is_the_least_number_that_shows_the_margin():
    from scipy.stats import t

    differences = [0.3, -0.1, 0.2, -0.2, 0.05]
    mean, deviation = abs(np.mean(differences)), np.std(differences, ddof=1)
    n = seeds_needed(differences, 0.15)
    bounds = [mean + t.ppf(0.95, k - 1) * deviation / math.sqrt(k) for k in (n - 1, n)]
    assert bounds[0] > 0.15 >= bounds[1]
    assert seeds_needed(differences, 0.04) is None, "the mean alone lies beyond"


def test_frameworks_that_lie_apart_by_the_margin_are_seldom_called_either_way():
    rng = np.random.default_rng(7)
    differences = rng.normal(0.01, 0.008, (800, 5))
    five = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 800)
    assert 0 < np.mean([margin_needed(d) <= 0.01 for d in differences]) < five
    assert 0 < np.mean([margin_exceeded(d, 0.01) for d in differences]) < five


def with_agreements(metrics):
    """A run of the rich factory in which three frameworks trained ``mnist_mlp`` to these metrics."""
    result = result_factory.make(interrupted=False)
    names, rows = iter(metrics), []
    for one in result.rows:
        if one.workload == "mnist_mlp" and one.accuracy:
            trained = row("torch", next(names)).accuracy.trainings
            one = one.model_copy(update={"accuracy": one.accuracy.model_copy(update={"trainings": trained})})
        rows.append(one)
    found = agree_all(rows, result.declared, data="embedded")
    return result.model_copy(update={"rows": rows, "agreements": found})


def test_verify_derives_agreements_again():
    result = with_agreements([ONE, ONE, [v + 0.04 for v in ONE]])
    said = [v for v in verify(result) if "agreement" in v]
    assert said == []
    forged = [result.agreements[0].model_copy(update={"needed": 0.001}), *result.agreements[1:]]
    for other in (forged, result.agreements[1:], [*result.agreements, result.agreements[0]]):
        assert any("agreement" in v for v in verify(result.model_copy(update={"agreements": other})))


def test_report_and_summary_say_who_agrees():
    from reports.view import page

    result = with_agreements([ONE, ONE, [v + 0.04 for v in ONE]])
    panel = next(p for p in page([result]).panels if p.key == "mnist_mlp")
    assert [cells[1].text for cells in panel.agreements.rows] == ["agree", "differ", "differ"]
    assert panel.agreement == (
        "Frameworks differ in what they learn: PyTorch eager and TensorLayerX eager; TensorFlow eager and TensorLayerX "
        "eager."
    )
    console = Console(width=200, record=True, file=io.StringIO())
    print_summary(console, result)
    text = console.export_text()
    assert "torch eager and tensorflow eager agree: mean accuracy within 0 points (limit 1 point)" in text
    assert "torch eager and tensorlayerx eager differ: means differ by 4 points, margin 1 point" in text
    few = with_agreements([ONE[:2], ONE[:2], ONE[:2]])
    panel = next(p for p in page([few]).panels if p.key == "mnist_mlp")
    assert panel.agreement == "Agreement in accuracy is not judged: needs five seeds, has 2."


def planned(framework, mode, *, available=True, **changes):
    return Planned(
        stack=stack(framework, mode, **changes), available=available, reason="" if available else "not installed",
        implementation={},
    )  # fmt: skip


def test_tuned_stacks_train_only_where_their_framework_has_no_documented_one():
    eager, tuned = planned("torch", "eager"), planned("torch", "eager-tuned", tuned=True)
    only = planned("tensorflow", "graph-tuned", tuned=True)
    missing = planned("tensorflow", "graph", available=False)
    stacks = [tuned, eager, missing, only]
    entry = Entry(folder="", workload="toy", variant="default", declaration_hash="", batch_size=1, stacks=stacks)
    assert entry.trainable() == [eager, only]


def test_declarations_with_the_margins_of_earlier_versions_are_read():
    workload = next(f.workload for f in w.discover() if f.workload.name == "mnist_mlp")
    plain = workload.declaration()
    for recipe in plain["recipes"]:
        recipe["accepted"] |= {"margin": 0.05} if recipe["accepted"]["type"] == "Accepted" else {}
    assert read_back(plain) == workload
