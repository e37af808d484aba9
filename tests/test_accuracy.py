"""Accuracy ranges: recipes trained anew. Ranges and margins were measured with more seeds than are run here.

That the committed trainings are of today's code is what ``test_agreement.py`` proves, so one short recipe is enough
for every change; the other recipes are of the slow tier.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from frameworks import ALL, need

from benchmarks.schema.results import read
from benchmarks.workload import ROOT, Accepted, discover

pytestmark = pytest.mark.framework

MODE = {"torch": "eager", "tensorflow": "graph", "tensorlayerx": "graph"}
SHORTEST = "mnist_mlp_ablation/relu"  # four seconds on two cores; frameworks must agree in it seed by seed
SHARED = ROOT.parent / "shared" / "data" / "unpack"


def ranged(recipe):
    """Workloads that claim a range for ``recipe``."""
    found = [f.workload for f in discover()]
    return [w for w in found if any(r.name == recipe and isinstance(r.accepted, Accepted) for r in w.recipes)]


EMBEDDED, REAL = ranged("quick"), ranged("short")
METRIC = {(w.name, w.variant): w.metric for w in EMBEDDED}


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    """A data folder with the real sets, or a skip."""
    if given := os.environ.get("BOOKBENCH_DATA"):
        return Path(given)  # and a failure where the files are not in it
    if SHARED.exists():
        folder = tmp_path_factory.mktemp("data")
        subprocess.run([str(SHARED), str(folder)], check=True)
        return folder
    pytest.skip("no real data: set BOOKBENCH_DATA after `python -m benchmarks data fetch`")


def train(tmp_path, frameworks, workloads, *words, environment=None):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "benchmarks", "run", "--measure", "accuracy", "--out", str(out)]
    command += ["--stack", ",".join(f"{f}:{MODE[f]}" for f in frameworks), "--accuracy-seeds", "1"]
    command += ["--workload", ",".join(w.key for w in workloads), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode in (0, 1), done.stderr
    return read(out / "result.json")


def check(result, workloads, recipe):
    assert {(r.workload, r.variant) for r in result.rows} == {(w.name, w.variant) for w in workloads}
    for row in result.rows:
        assert row.status == "ok", f"{row.workload}/{row.variant}: {row.status}: {row.reason}"
        assert row.accuracy.judged
        assert row.accuracy.recipe == recipe


def check_optima(result):
    optima = {(d.workload, d.variant): d.optimum for d in result.data}
    mnist = {(w.name, w.variant) for w in EMBEDDED if w.dataset.name == "mnist"}
    assert all(0.97 <= optima[key] <= 0.99 for key in optima.keys() & mnist)
    for row in result.rows:
        optimum, metric = optima[row.workload, row.variant], row.accuracy.trainings[0].metric
        if optimum is not None:  # a loss and a perplexity are better where they are lower
            better = metric > optimum if METRIC[row.workload, row.variant] == "accuracy" else metric < optimum
            assert not better, "nothing beats perfect knowledge of the source"


def test_a_short_recipe_reaches_its_range_in_every_framework(tmp_path):
    for framework in ALL:
        need(framework)
    chosen = [w for w in EMBEDDED if w.key == SHORTEST]
    result = train(tmp_path, ALL, chosen, "--recipe", "quick")
    check(result, chosen, "quick")
    check_optima(result)
    assert {row.stack.framework for row in result.rows} == set(ALL)
    assert [a.verdict for a in result.agreements] == ["agree"] * 6, "three pairs, and each with its reference"


@pytest.mark.slow
@pytest.mark.parametrize("framework", ALL)
def test_quick_recipes_reach_their_ranges(tmp_path, framework):
    need(framework)
    assert EMBEDDED, "no workload declares a measured range for its quick recipe"
    result = train(tmp_path, [framework], EMBEDDED, "--recipe", "quick")
    check(result, EMBEDDED, "quick")
    check_optima(result)


@pytest.mark.slow
@pytest.mark.parametrize("framework", ALL)
def test_short_recipes_reach_their_ranges_on_real_data(tmp_path, framework, real_data):
    need(framework)
    assert REAL, "no workload declares a measured range for its short recipe"
    chosen = REAL
    if not (real_data / "enwiki").exists():  # the text of word2vec's range, which cannot be fetched
        chosen = [w for w in chosen if w.name != "word2vec"]
    environment = {**os.environ, "BOOKBENCH_DATA": str(real_data), "BOOKBENCH_CORPUS": "enwiki", "BOOKBENCH_TEXT": ""}
    result = train(tmp_path, [framework], chosen, "--recipe", "short", "--data", "real", environment=environment)
    check(result, chosen, "short")
