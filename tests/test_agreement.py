"""Frameworks agree: two one-sided t tests over paired seeds, on the committed trainings of the quick recipes."""

from itertools import combinations

import pytest

from benchmarks.results import read
from benchmarks.stacks import frameworks
from benchmarks.statistics import margin_needed
from benchmarks.workload import ROOT, Accepted, discover

FILES = sorted([*(ROOT / "results" / "accuracy").glob("*.json"), *(ROOT / "results").glob("*-books.json")])


def trained():
    """(workload, variant, recipe) -> framework -> mode -> seed -> training."""
    out = {}
    for path in FILES:
        for row in read(path).rows:
            if row.accuracy:
                key = (row.workload, row.variant, row.accuracy.recipe)
                seeds = {t.seed: t for t in row.accuracy.trainings if t.status == "ok"}
                modes = out.setdefault(key, {}).setdefault(row.stack.framework, {})
                modes.setdefault(row.stack.mode, {}).update(seeds)
    return out


TRAINED = trained()
RANGED = {
    (f.workload.name, f.workload.variant, recipe.name): recipe.accepted
    for f in discover()
    for recipe in f.workload.recipes
    if isinstance(recipe.accepted, Accepted)
}
DECLARED = {key: accepted for key, accepted in RANGED.items() if accepted.margin is not None}


@pytest.mark.parametrize("key", DECLARED, ids="-".join)
def test_frameworks_agree_within_the_declared_margin(key):
    """Each in the mode that was trained from most seeds."""
    found, accepted = TRAINED[key], DECLARED[key]
    assert set(found) == {"torch", "tensorflow", "tensorlayerx"}
    most = {framework: max(modes.values(), key=len) for framework, modes in found.items()}
    for one, two in combinations(sorted(most), 2):
        seeds = sorted(most[one].keys() & most[two].keys())
        assert len(seeds) >= 3
        needed = margin_needed([most[one][s].metric for s in seeds], [most[two][s].metric for s in seeds])
        assert needed <= accepted.margin, f"{one} and {two}: agree only within {needed:.4g}"


@pytest.mark.parametrize("key", RANGED, ids="-".join)
def test_every_committed_training_is_in_the_declared_range(key):
    assert set(TRAINED[key]) == {"torch", "tensorflow", "tensorlayerx"}
    for framework, modes in TRAINED[key].items():
        for mode, seeds in modes.items():
            for seed, training in seeds.items():
                missed = RANGED[key].missed(training.metric, training.also)
                assert missed == [], f"{framework} {mode}, seed {seed}"


# Variants that quick runs leave out may be trained in one mode of each framework only.
QUICK = [w for w in (f.workload for f in discover()) if w.quick and isinstance(w.recipe("quick").accepted, Accepted)]


@pytest.mark.parametrize("workload", QUICK, ids=lambda w: w.key)
def test_quick_recipes_were_trained_in_every_mode(workload):
    found = TRAINED[workload.name, workload.variant, "quick"]
    for framework, modes in found.items():
        # TensorLayerX's other backend runs on CUDA machines only.
        assert set(modes) >= {m for m in frameworks()[framework] if not m.startswith("torch-")}, framework


def test_margin_needed_is_the_bound_of_two_one_sided_tests():
    from scipy.stats import ttest_1samp

    first, second = [1.0, 2.0, 4.0, 3.5, 2.2], [1.1, 1.8, 4.4, 3.3, 2.5]
    differences = [a - b for a, b in zip(first, second, strict=True)]
    margin = margin_needed(first, second)
    low = ttest_1samp(differences, -margin, alternative="greater").pvalue
    high = ttest_1samp(differences, margin, alternative="less").pvalue
    assert max(low, high) == pytest.approx(0.05)
