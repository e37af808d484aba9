"""The parity certificates notice every fault of the catalogue but those marked as escaping (tests/mutations)."""

import subprocess
import sys
import tempfile

import pytest
from frameworks import ALL, need
from mutations.faults import catalogue

from benchmarks.workload import ROOT


@pytest.fixture(scope="module")
def references():
    """The float64 references, computed by the first framework and read by the others; half a gigabyte."""
    with tempfile.TemporaryDirectory(prefix="bookbench-references-") as made:
        yield made


@pytest.mark.framework
@pytest.mark.parametrize("framework", ALL)
def test_no_unmarked_fault_escapes(framework, references):
    need(framework)
    words = ["--framework", framework, "--references", references]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "mutations"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    injected = catalogue(framework)
    escaping = sum(bool(f.escapes) for f in injected)
    assert f"all: caught / injected {len(injected) - escaping} / {len(injected)}" in done.stdout


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
