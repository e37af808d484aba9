"""The parts precision, sweep_batch and sweep_threads end to end: on a NumPy toy, and once on each framework."""

import subprocess
import sys
from pathlib import Path

import pytest
from frameworks import ALL, installed

from benchmarks.engine.select import make_plan
from benchmarks.errors import Problem
from benchmarks.experiments import MEASURING, typed
from benchmarks.experiments.sweep_threads.schema import counts
from benchmarks.schema.results import read
from benchmarks.verify.file import verify
from benchmarks.workload import ROOT
from reports.render import html

TOYS = Path(__file__).parent / "toys"
PARTS = ["precision", "sweep_batch", "sweep_threads"]
TITLES = ("Precision", "Batch size", "Threads")


def bench(out, *words):
    command = [sys.executable, "-m", "benchmarks", "run", "--profile", "smoke", "--out", str(out), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    return done, read(out / "result.json")


def toy(out, *words, variant="sound"):
    return bench(out, "--impls", str(TOYS), "--workload", f"toy/{variant}", "--threads", "1", *words)


def test_all_three_on_a_toy(tmp_path):
    done, result = toy(tmp_path / "run", "--measure", "precision", "--sweep", "batch,threads")
    assert done.returncode == 0, done.stderr
    assert result.options.measure == PARTS
    assert list(verify(result)) == []
    found = {a.part: typed(a) for a in result.answers}
    assert list(found) == PARTS
    strict, lowered = found["precision"].precisions
    assert strict.used == ("float32",)
    assert strict.trained.in_range
    assert len(strict.trained.curve) == 2
    assert (lowered.status, lowered.launches) == ("unavailable", [])
    assert [p.batch_size for p in found["sweep_batch"].measured] == [8, 32]
    assert [c.threads for c in found["sweep_threads"].measured] == [1]
    page = html([result])
    assert all(f"<h4>{title}</h4>" in page for title in TITLES)


def test_sweep_alone_measures_the_sweep_alone(tmp_path):
    done, result = toy(tmp_path / "run", "--sweep", "batch")
    assert done.returncode == 0, done.stderr
    assert result.options.measure == ["sweep_batch"]
    assert all(row.launches == [] for row in result.rows)


def test_what_goes_wrong_in_a_sweep_is_told(tmp_path):
    """The toy runs out of memory with its fourth step: no size is measured, and the answer says why."""
    done, result = toy(tmp_path / "run", "--sweep", "batch,threads", variant="memory")
    assert done.returncode == 1
    assert list(verify(result)) == []
    assert {a.part: a.status for a in result.answers} == dict.fromkeys(PARTS[1:], "out_of_memory")
    assert all("told to run out of memory" in a.reason for a in result.answers)


def test_an_unknown_sweep_is_refused():
    with pytest.raises(Problem, match="--sweep depth: not known; choose from batch, threads"):
        make_plan(
            command="test",
            impls=TOYS,
            threads=1,
            recipe="smoke",
            profile="smoke",
            sweep=["depth"],
            experiments=MEASURING,
        )


@pytest.mark.slow
@pytest.mark.framework
def test_all_three_on_each_framework(tmp_path):
    """One mode each, on the smallest workload. What a framework lacks is unavailable, with its reason."""
    stacks = {"torch": "eager", "tensorflow": "graph", "tensorlayerx": "graph"}
    chosen = [f"{name}:{mode}" for name, mode in stacks.items() if installed(name)]
    if not chosen:
        pytest.skip("no framework is installed")
    words = ["--workload", "mnist_mlp_ablation/linear", "--measure", ",".join(PARTS)]
    done, result = bench(tmp_path / "run", *words, "--stack", ",".join(chosen))
    assert done.returncode == 0, done.stderr
    assert list(verify(result)) == []
    assert all(a.status == "ok" for a in result.answers)
    assert len(result.answers) == len(PARTS) * len(chosen)
    for answer in result.answers:
        if answer.part == "precision":
            strict, lowered = typed(answer).precisions
            assert strict.mismatch == ""
            assert strict.trained.metric > 0
            if answer.stack.startswith("tensorlayerx"):
                assert "no mixed precision" in lowered.reason
            else:
                assert lowered.mismatch == "", "autocast and policy were in force where the model computes"
                assert lowered.trained.metric == pytest.approx(strict.trained.metric, abs=0.1)
        if answer.part == "sweep_threads":
            assert [c.threads for c in typed(answer).measured] == counts(result.options.threads)
    assert set(ALL) >= {a.stack.split(":")[0] for a in result.answers}
