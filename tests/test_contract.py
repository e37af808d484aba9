"""Every workload on every stack: one smoke run, then each row must have trained, inferred and been certified."""

import os
import subprocess
import sys

import pytest
from frameworks import ALL, installed, need

from benchmarks.profiles import PROFILES
from benchmarks.results import read
from benchmarks.stacks import frameworks
from benchmarks.verify import verify
from benchmarks.workload import ROOT, discover

pytestmark = pytest.mark.framework

CASES = [
    (found.workload, framework, mode)
    for found in discover()
    for framework in ALL
    for mode in frameworks()[framework]
    if found.implementation(framework).exists()
]
SLOW = bool(os.environ.get("BOOKBENCH_SLOW"))
# A start takes seconds, a compilation a quarter of a minute. One workload runs on every stack, the others on those that
# are timed first or compile; variants, which share layers and code with another, on one stack of each framework.
# With BOOKBENCH_SLOW every workload runs on every stack; every quick run of a user certifies them all anyhow.
EVERYWHERE = "mnist_mlp"
MAIN = {
    ("torch", "eager"),
    ("torch", "compile"),
    ("tensorflow", "graph"),
    ("tensorflow", "xla"),
    ("tensorlayerx", "graph"),
}
FEW = {
    "linear": {("torch", "eager"), ("tensorflow", "eager"), ("tensorlayerx", "eager")},
    "relu": {("torch", "eager"), ("tensorflow", "graph"), ("tensorlayerx", "trainonestep")},
    "planted": {("torch", "eager"), ("tensorflow", "eager"), ("tensorlayerx", "graph")},
    "resnet18": {("torch", "eager"), ("tensorflow", "graph"), ("tensorlayerx", "graph")},
}
SMALLER = {"resnet18": ["--batch-size", "4"]}  # minutes of the reference otherwise


def chosen(workload):
    """The stacks it runs on here; None: every one."""
    return FEW.get(workload.variant, None if SLOW or workload.key == EVERYWHERE else MAIN)


def runs():
    """Name -> words of a run; workloads that run on the same stacks share one."""
    groups = {}
    for workload in dict.fromkeys(w for w, _, _ in CASES):
        few, words = chosen(workload), SMALLER.get(workload.variant, [])
        stacks = () if few is None else tuple(f"{f}:{m}" for f, m in sorted(few))
        groups.setdefault((stacks, *words), []).append(workload.key)
    for number, ((stacks, *words), keys) in enumerate(groups.items()):
        yield f"run{number}", ["--workload", ",".join(keys), *(["--stack", ",".join(stacks)] if stacks else []), *words]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The smoke runs of all workloads."""
    if not any(installed(f) for f in ALL):
        pytest.skip("no framework is installed")
    out = tmp_path_factory.mktemp("contract")
    found = []
    for name, words in runs():
        command = [sys.executable, "-m", "benchmarks", "run", "--profile", "smoke", *words, "--out", str(out / name)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        found.append(read(out / name / "result.json"))
    return found


@pytest.mark.parametrize(
    ("workload", "framework", "mode"), CASES, ids=[f"{w.key}-{f}-{m}".replace("/", "-") for w, f, m in CASES]
)
def test_stack_keeps_the_contract(result, workload, framework, mode):
    need(framework)
    if (framework, mode) not in (chosen(workload) or {(framework, mode)}):
        pytest.skip("this workload runs here on other stacks only; with BOOKBENCH_SLOW on all")
    rows = [
        row
        for r in result
        for row in r.rows
        if (row.workload, row.variant, row.stack.framework, row.stack.mode)
        == (workload.name, workload.variant, framework, mode)
    ]
    (row,) = rows
    if row.status == "unavailable":
        assert row.reason
        required = framework in os.environ.get("BOOKBENCH_REQUIRE", "").split(",")
        if required and not mode.startswith("torch-"):  # TensorLayerX on PyTorch works with no torchvision pip has here
            pytest.fail(f"required, yet unavailable: {row.reason}")
        pytest.skip(f"unavailable here: {row.reason}")
    assert row.status == "ok", row.reason
    assert row.certificate.status == "ok"
    assert row.certificate.batch_size == PROFILES["smoke"].certified(workload.batch_size)
    assert {t.tensor for t in row.certificate.tensors if t.check == "gradient"} == {
        t.name for t in workload.tensors if t.trainable
    }
    assert all(p.passed for p in row.certificate.probes)
    (launch,) = row.launches
    assert launch.blocks
    assert launch.inference.single.seconds
    assert launch.precision_error < 1e-5
    assert launch.versions


@pytest.mark.parametrize("framework", ALL)
def test_each_framework_trains_in_its_fastest_mode(result, framework):
    need(framework)
    trained = {
        (row.workload, row.variant)
        for r in result
        for row in r.rows
        if row.stack.framework == framework and row.accuracy
    }
    assert trained == {(f.workload.name, f.workload.variant) for f in discover()}


def test_the_results_verify(result):
    for r in result:
        assert list(verify(r)) == []


def test_frameworks_train_on_the_same_samples(result):
    """One digest of sample ids and labels per workload variant, whatever the framework."""
    seen = {}
    for r in result:
        for row in r.rows:
            for training in row.accuracy.trainings if row.accuracy else []:
                seen.setdefault((row.workload, row.variant), set()).add(training.sample_order)
    assert seen
    assert all(len(digests) == 1 for digests in seen.values())
