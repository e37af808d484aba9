"""Stacks end to end: a smoke run, then each row must have trained, inferred and been certified.

For every change one workload of each kind of data on one documented stack of each framework (``test_mutations.py``
certifies the other workloads, many in a process); in the slow tier every workload on every stack.
"""

import functools
import os
import subprocess
import sys

import pytest
from frameworks import ALL, installed, need

from benchmarks.frameworks.discovery import frameworks, is_written
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import read
from benchmarks.verify.file import verify
from benchmarks.workload import ROOT, discover

pytestmark = pytest.mark.framework

FAST = ("mnist_mlp", "lstm_text", "word2vec")  # one of each kind of data: images, text, pairs
DOCUMENTED = {"torch": "eager", "tensorflow": "graph", "tensorlayerx": "graph"}
CASES = [
    (found.workload, framework, mode)
    for found in discover()
    for framework in ALL
    for mode in frameworks()[framework].modes
    if is_written(found, framework, mode)
]


def is_fast(workload, framework, mode):
    return workload.key in FAST and DOCUMENTED[framework] == mode


UNAVAILABLE = {("word2vec", "tensorflow", "xla"): "XLA has no kernel for the sparse Adagrad"}
SMALLER = {"resnet18": 4}  # variant -> batch size of its run; with the workload's own the reference takes minutes


def groups(fast):
    """(stacks, batch size) -> the workloads of one run; those that run on the same stacks share one."""
    found = {}
    for workload in dict.fromkeys(w for w, _, _ in CASES):
        stacks = tuple(f"{f}:{m}" for w, f, m in CASES if w.key == workload.key and is_fast(w, f, m) is fast)
        if stacks:
            found.setdefault((stacks, SMALLER.get(workload.variant)), []).append(workload.key)
    return found


@pytest.fixture(scope="module")
def result_of(tmp_path_factory):
    """Of a workload's key: the result of its smoke run, which starts when a test first asks for it."""
    if not any(installed(f) for f in ALL):
        pytest.skip("no framework is installed")

    @functools.cache
    def run(stacks, batch, keys):
        command = [sys.executable, "-m", "benchmarks", "run", "--profile", "smoke", "--workload", ",".join(keys)]
        command += ["--stack", ",".join(stacks)]
        command += ["--batch-size", str(batch)] if batch else []
        out = tmp_path_factory.mktemp("contract") / "run"
        return out, subprocess.run([*command, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, check=False)

    def of(key, fast):
        out, done = next(run(*words, tuple(keys)) for words, keys in groups(fast).items() if key in keys)
        assert done.returncode in (0, 1), done.stderr  # outside the cache: a run that failed is not made again
        return read(out / "result.json")

    return of


@pytest.fixture(scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["fast", "slow"])
def results(request, result_of):
    """The results of every smoke run of the tier; of the slow tier they are those of both."""
    tiers = {True, request.param}
    return [result_of(keys[0], fast) for fast in tiers for keys in groups(fast).values()]


@pytest.mark.parametrize(
    ("workload", "framework", "mode"),
    [pytest.param(*case, marks=[] if is_fast(*case) else pytest.mark.slow) for case in CASES],
    ids=[f"{w.key}-{f}-{m}".replace("/", "-") for w, f, m in CASES],
)
def test_stack_keeps_the_contract(result_of, workload, framework, mode):
    need(framework)
    rows = [
        row
        for row in result_of(workload.key, is_fast(workload, framework, mode)).rows
        if (row.workload, row.variant, row.stack.framework, row.stack.mode)
        == (workload.name, workload.variant, framework, mode)
    ]
    (row,) = rows
    if row.status == "unavailable":
        assert row.reason
        if why := UNAVAILABLE.get((workload.name, framework, mode)):
            assert why in row.reason
            return
        required = framework in os.environ.get("BOOKBENCH_REQUIRE", "").split(",")
        if required and not mode.startswith("torch-"):  # TensorLayerX on PyTorch works with no torchvision pip has here
            pytest.fail(f"required, yet unavailable: {row.reason}")
        pytest.skip(f"unavailable here: {row.reason}")
    assert row.status == "ok", row.reason
    assert row.certificate.status == "ok"
    batch = SMALLER.get(workload.variant, workload.batch_size)
    assert row.certificate.batch_size == PROFILES["smoke"].certified(batch)
    assert {t.tensor for t in row.certificate.tensors if t.check == "gradient"} == {
        t.name for t in workload.tensors if t.trainable
    }
    assert all(p.passed for p in row.certificate.probes)
    (launch,) = row.launches
    assert launch.blocks
    assert launch.inference.single.seconds
    assert launch.precision_error < 1e-5
    assert launch.versions
    check_used(launch.used, framework, mode)


def check_used(used, framework, mode):
    """What the worker read back is what its mode asked for."""
    assert set(used) == {"allocator", "onednn", "cpu_kernels", "optimizer", "compiled_graphs"}
    assert used["optimizer"]
    assert used["cpu_kernels"]
    if mode in ("graph-onednn", "graph-eigen"):
        assert used["onednn"] is (mode == "graph-onednn")
    kept = mode.endswith(("-keepmem", "-tuned"))
    assert (used["allocator"] == "glibc, freed memory kept") is kept
    assert (used["compiled_graphs"] is None) is (not frameworks()[framework].modes[mode].compiles)


@pytest.mark.parametrize("framework", ALL)
def test_each_framework_trains_in_its_fastest_mode(results, framework):
    need(framework)
    trained = {
        (row.workload, row.variant)
        for r in results
        for row in r.rows
        if row.stack.framework == framework and row.accuracy
    }
    expected = {(w.name, w.variant) for w, f, m in CASES if f == framework and (w.key in FAST or len(results) > 1)}
    assert trained == expected


def test_the_results_verify(results):
    for r in results:
        assert list(verify(r)) == []


def test_frameworks_train_on_the_same_samples(results):
    """One digest of sample ids and labels per workload variant, whatever the framework."""
    seen = {}
    for r in results:
        for row in r.rows:
            for training in row.accuracy.trainings if row.accuracy else []:
                seen.setdefault((row.workload, row.variant), set()).add(training.sample_order)
    assert seen
    assert all(len(digests) == 1 for digests in seen.values())
