"""The parity certificates notice every fault of the catalogue but those marked as escaping (tests/mutations)."""

import subprocess
import sys

import numpy as np
import pytest
from frameworks import ALL, need
from mutations.campaign import Bench
from mutations.faults import catalogue, one_of_each_kind

from benchmarks.frameworks.base import Conventions
from benchmarks.workload import ROOT, discover


@pytest.fixture(scope="session")
def references(request):
    """The float64 references, kept from run to run under a hash of what makes them, but for the largest."""
    folder = request.config.cache.mkdir("references")
    yield folder
    for path in folder.glob("*resnet18*"):  # three quarters of a gigabyte
        path.unlink()


def campaign(framework, references, *words):
    need(framework)
    command = [sys.executable, str(ROOT / "tests" / "mutations"), "--first", "--framework", framework, *words]
    done = subprocess.run(
        [*command, "--references", str(references)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.framework
@pytest.mark.parametrize("framework", ALL)
def test_every_workload_is_certified_and_a_fault_of_every_kind_is_caught(framework, references):
    """Each kind in one of the frameworks; in documented modes, every variant."""
    said = campaign(framework, references, "--kinds", "--every")
    sound = {line.split()[1].rstrip(":") for line in said.splitlines() if ": no fault: sound" in line}
    assert sound == {f.workload.key for f in discover()}
    injected = [f for f in one_of_each_kind() if f.framework == framework]
    assert f"all: caught / injected {len(injected)} / {len(injected)}" in said


@pytest.mark.slow
@pytest.mark.framework
@pytest.mark.parametrize("framework", ALL)
def test_no_unmarked_fault_escapes(framework, references):
    injected = catalogue(framework)
    escaping = sum(bool(f.escapes) for f in injected)
    said = campaign(framework, references)
    assert f"all: caught / injected {len(injected) - escaping} / {len(injected)}" in said


def test_a_kept_reference_is_what_is_computed(references, tmp_path, monkeypatch):
    def reference(folder):
        monkeypatch.setenv("BOOKBENCH_REFERENCES", str(folder))
        bench = Bench("mnist_mlp_ablation/batchnorm", "torch", 0, tmp_path / folder.name)
        return bench, bench.arbiter(Conventions(adam_epsilon="after", running_variance="unbiased"))

    (anew := tmp_path / "anew").mkdir()
    reference(references)  # where it was not kept yet, it is now
    (kept, read), (_, computed) = reference(references), reference(anew)
    assert kept.kept.is_file()
    assert read.tolerance == computed.tolerance
    for check, arrays in computed.trace.values.items():
        for name, value in arrays.items():
            np.testing.assert_array_equal(read.trace.values[check][name], value)


def test_one_of_each_kind_leaves_out_what_only_compilers_run():
    names = {f.name for framework in ALL for f in catalogue(framework) if not f.escapes}
    chosen = {f.name for f in one_of_each_kind()}
    assert chosen <= names
    left_out = names - chosen
    assert all(f.mode in ("compile", "xla-tuned") for name in ALL for f in catalogue(name) if f.name in left_out)
    assert len({f.framework for f in one_of_each_kind()}) == len(ALL)


@pytest.mark.parametrize("framework", ALL)
def test_every_fault_still_fits_its_implementation(framework):
    for fault in catalogue(framework):
        text = fault.file.read_text()
        assert fault.feed or fault.mutate(text) != text


@pytest.mark.parametrize("framework", ALL)
def test_the_catalogue_spans_the_workloads(framework):
    found = catalogue(framework)
    assert len(found) >= 15
    assert len({f.workload for f in found}) == 6
    assert len({(f.workload, f.name) for f in found}) == len(found)
