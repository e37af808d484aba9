"""The parts limits and profile end to end, with each framework on the smallest workload."""

import gzip
import json
import subprocess
import sys

import pytest
from frameworks import need

from benchmarks import experiments
from benchmarks.frameworks.discovery import frameworks
from benchmarks.schema.results import read
from benchmarks.verify.file import verify
from benchmarks.workload import ROOT
from reports.render import html

pytestmark = pytest.mark.framework

STACKS = {
    "torch": ("eager",),
    "torch compiled": ("eager", "compile"),
    "tensorflow": ("graph",),
    "tensorlayerx": ("eager",),  # that is TensorFlow's
}


SLOW = ("torch compiled", "tensorlayerx")


@pytest.fixture(scope="module", params=[pytest.param(s, marks=pytest.mark.slow if s in SLOW else ()) for s in STACKS])
def run(request, tmp_path_factory):
    framework = request.param.split()[0]
    need(framework)
    out = tmp_path_factory.mktemp(framework)
    stacks = ",".join(f"{framework}:{mode}" for mode in STACKS[request.param])
    command = [sys.executable, "-m", "benchmarks", "run", "--profile", "smoke", "--measure", "limits,profile"]
    where = ["--workload", "mnist_mlp_ablation/linear", "--stack", stacks, "--out", str(out)]
    done = subprocess.run([*command, *where], cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return read(out / "result.json"), out


def typed(result, part):
    return {a.stack.split(":")[1]: experiments.typed(a) for a in result.answers if a.part == part and a.status == "ok"}


def expected(result):
    return {row.stack.mode for row in result.rows if row.status != "unavailable"}


def test_the_run_verifies_and_shows(run):
    result, _ = run
    assert set(frameworks()) >= {row.stack.framework for row in result.rows}
    assert list(verify(result)) == []
    page = html([result])
    assert "comes closest to what this machine can compute" in page
    assert "Where a step goes" in page


def test_every_stack_has_its_limits(run):
    result, _ = run
    found = typed(result, "limits")
    assert set(found) == expected(result)
    for mode, value in found.items():
        assert [p.size for p in value.products] == [256, 512]
        assert "add" in {s.kind for s in value.streams}
        assert value.smallest.launches == (value.operators if mode == "eager" else 1.0)


def test_every_stack_is_profiled_and_leaves_a_trace(run):
    result, out = run
    found = typed(result, "profile")
    assert set(found) == expected(result)
    for mode, value in found.items():
        assert value.split.kernels > 0
        assert value.split.host > 0
        kernels = {o.name for o in value.operators if o.kind == "kernel"}
        products = {"aten::addmm", "aten::mm", "mkl::_mkl_linear", "MatMul", "_FusedMatMul"}
        products |= {"_MklMatMul", "_MklNativeFusedMatMul"}  # TensorFlow's, on CPUs where oneDNN is on
        assert kernels & products, kernels
        trace = json.loads(gzip.decompress((out / value.trace).read_bytes()))
        assert kernels <= {e.get("name") for e in trace["traceEvents"]}
        assert (value.compilation is None) == (mode == "eager")
        assert (value.flags, value.unlisted) == ([], "")
        if value.compilation:
            assert value.compilation.graphs >= 1
            assert value.compilation.recompiles == 0


def printed(code):
    """What ``code`` prints as JSON, in a process of its own: the frameworks do not share one."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


KINDS = """
import json
from benchmarks.experiments.profile.profile_torch import _kind

names = ["aten::slice", "aten::select", "aten::view", "aten::empty", "aten::reshape", "aten::add", "aten::sort"]
print(json.dumps({name: _kind(name) for name in [*names, "aten::copy_", "cudaDeviceSynchronize", "no_such::operator"]}))
"""

INSIDE = """
import json
from types import SimpleNamespace
from benchmarks.experiments.profile.profile_tensorflow import _of_line

around = SimpleNamespace(name="conv/c1:Conv2D", display="Conv2D", start=0.0, end=3.0, stats={})
inside = SimpleNamespace(name="ParallelFor", display="", start=1.0, end=2.0, stats={})
found = _of_line([around, inside], "thread", False, {})
print(json.dumps([(e.name, e.kind, e.start, e.end) for e in found]))
"""


def test_what_only_calls_others_or_makes_a_view_is_the_hosts():
    """Some names have overloads that are TorchScript's alone, which the dispatcher refuses to be asked about."""
    need("torch")
    kinds = printed(KINDS)
    assert {name for name, kind in kinds.items() if kind == "kernel"} == {"aten::add", "aten::sort"}
    assert (kinds["aten::copy_"], kinds["cudaDeviceSynchronize"]) == ("copy", "wait")


def test_the_loop_over_threads_inside_an_operator_is_that_operators():
    need("tensorflow")
    assert printed(INSIDE) == [["Conv2D", "kernel", 0.0, 3.0]]
