"""``sources``: the interval of a median, and the command on two workloads."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from frameworks import need

from benchmarks.selfcheck.sources import _interval, markdown
from benchmarks.workload import ROOT


@pytest.mark.parametrize("pairs", [6, 7, 20, 41])
def test_the_interval_covers_the_median(pairs):
    rng = np.random.default_rng(pairs)
    hit = 0
    for _ in range(2_000):
        low, middle, high = _interval(list(rng.standard_t(2, pairs) + math.log(1.5)))
        assert low <= middle <= high
        hit += low <= 1.5 <= high
    assert hit / 2_000 >= 0.94  # at least 95 %, less three standard errors; the rank is conservative


def test_wild_pairs_do_not_move_it():
    steady = [math.log(1.01)] * 20
    low, middle, high = _interval([*steady, 5.0, 6.0])
    assert (low, middle, high) == pytest.approx((1.01, 1.01, 1.01))


def sources(*words, folder):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "sources", *words],
        cwd=ROOT,
        env={**os.environ, "BOOKBENCH_DATA": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_bad_requests_are_one_sentence(tmp_path):
    done = sources("--stack", "torch:graph", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --stack torch:graph cannot run here")


@pytest.mark.framework
def test_missing_real_data_is_one_sentence(tmp_path):
    need("torch")
    done = sources("--workload", "mnist_mlp_ablation/linear", folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "python -m benchmarks data fetch" in done.stderr


@pytest.mark.slow
@pytest.mark.framework
def test_both_sources_are_timed_in_one_process():
    need("torch")
    if not (folder := os.environ.get("BOOKBENCH_DATA")):
        pytest.skip("no real data: set BOOKBENCH_DATA after `python -m benchmarks data fetch`")
    done = sources("--workload", "mnist_mlp_ablation/linear", "--pairs", "6", folder=folder)
    assert done.returncode in (0, 1), done.stderr  # how long steps take is nobody's promise
    assert "mnist_mlp_ablation/linear" in done.stdout
    assert "95 % interval" in done.stdout


def test_the_published_table_is_of_the_committed_ratios():
    files = sorted((ROOT / "results" / "sources").glob("*.json"))
    if not files:
        pytest.skip("no ratios are committed under results/sources yet")
    assert markdown(files) in (ROOT / "docs" / "BIAS.md").read_text("utf-8")
