"""High-level loops, loaders and a tuned mode end to end, on the smallest workload."""

import os
import subprocess
import sys

import pytest
from frameworks import ALL, need

from benchmarks.experiments import typed
from benchmarks.schema.results import read
from benchmarks.verify.file import verify
from benchmarks.workload import ROOT

pytestmark = pytest.mark.framework

STACKS = "torch:eager-keepmem,tensorflow:graph-multi,tensorflow:graph,tensorlayerx:eager"
LOOPS = {"torch": ["DataLoader"], "tensorflow": ["fit", "fit ×8"], "tensorlayerx": ["Model.train"]}
LOADERS = {"torch": 2, "tensorflow": 1, "tensorlayerx": 1}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    for framework in ALL:
        need(framework)
    out = tmp_path_factory.mktemp("convenience")
    words = ["--profile", "smoke", "--workload", "mnist_mlp_ablation/linear", "--stack", STACKS]
    words += ["--measure", "training,certificate,loops,pipeline", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "run", *words], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return read(out / "result.json")


def test_tuned_stacks_are_timed_and_certified(result):
    assert list(verify(result)) == []
    rows = {row.stack.mode: row for row in result.rows}
    assert all(row.status == "ok" and row.certificate.status == "ok" for row in rows.values())
    (launch,) = rows["graph-multi"].launches
    assert all(block.steps % 8 == 0 for block in launch.blocks)
    (launch,) = rows["eager-keepmem"].launches
    assert launch.environment["MALLOC_TRIM_THRESHOLD_"]


@pytest.mark.parametrize("framework", ALL)
def test_each_frameworks_loops_do_the_same_work(result, framework):
    (answer,) = [a for a in result.answers if a.part == "loops" and a.stack.startswith(f"{framework}:")]
    assert answer.status == "ok"
    assert [loop.name for loop in typed(answer).loops] == ["bare", *LOOPS[framework]]


@pytest.mark.parametrize("framework", ALL)
def test_each_frameworks_loader_fills_the_epoch(result, framework):
    (answer,) = [a for a in result.answers if a.part == "pipeline" and a.stack.startswith(f"{framework}:")]
    assert answer.status == "ok"
    assert len(typed(answer).own) == LOADERS[framework]
