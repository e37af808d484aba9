"""pytest-benchmark as a front end: our samples in its JSON, failures reported, compare works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.workload import ROOT

TOYS = Path(__file__).parent / "toys"


def bench(*words):
    command = [sys.executable, "-m", "pytest", "benchmarks", "--impls", str(TOYS), "--profile", "smoke"]
    command += ["--threads", "1", "-p", "no:cacheprovider", *map(str, words)]
    # A pytest of its own, not a worker of the one that runs this test.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    first = bench("--workload", "toy/sound", "--benchmark-json", out / "a.json")
    second = bench("--workload", "toy/sound", "--benchmark-json", out / "b.json")
    return out, first, second


def test_samples_are_the_engines(done):
    out, first, _ = done
    assert first.returncode == 0, first.stdout + first.stderr
    stored = json.loads((out / "a.json").read_text())
    by_name = {b["name"]: b for b in stored["benchmarks"]}
    assert set(by_name) == {
        "bench_training[toy-sound-numpy-eager]",
        "bench_inference[toy-sound-numpy-eager]",
    }
    training = by_name["bench_training[toy-sound-numpy-eager]"]
    assert training["stats"]["rounds"] in (1, 2)  # one pass of two rounds, of which a busy neighbour may disturb one
    assert training["extra_info"]["certificate"] == "ok"
    assert training["extra_info"]["accuracy"] > 0
    assert by_name["bench_inference[toy-sound-numpy-eager]"]["stats"]["rounds"] == 16
    assert training["options"]["timer"] == "worker_seconds"


def test_compare_works(done):
    out, _, second = done
    assert second.returncode == 0
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(out / "a.json"), str(out / "b.json")]
    compared = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stderr
    assert "bench_training" in compared.stdout


def test_a_failed_stack_is_a_failed_test_with_its_reason():
    failed = bench("--workload", "toy/raises", "-k", "training")
    assert failed.returncode == 1
    assert "told to raise" in failed.stdout


def test_numbers_of_a_failed_certificate_are_kept(tmp_path):
    failed = bench("--workload", "toy/double_loss", "-k", "training", "--benchmark-json", tmp_path / "c.json")
    assert failed.returncode == 1
    assert "parity_failed" in failed.stdout
