"""Which stacks exist and which can run, with adapters made for the purpose."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from frameworks import need

from benchmarks.engine import stacks
from benchmarks.engine.stacks import Availability, available, frameworks, probe, read_adapters
from benchmarks.experiments.break_even.curves import uncompiled
from benchmarks.workload import discover

GOOD = """
MODES = {"eager": "as it comes", "graph": "traced"}
REQUIRES = ("numpy",)
class Adapter:
    def __init__(self, *, mode, device, threads, seed): pass
    def matmul(self, a, b): return a @ b
"""
ODD = """
import os, sys
MODES: dict[str, str] = {"eager": "a", "graph": "b", "broken": "c"}
REQUIRES = ("numpy",)
print("a framework that talks")
class Adapter:
    count = 0
    def __init__(self, *, mode, device, threads, seed):
        Adapter.count += 1
        if mode == "broken":
            raise RuntimeError(f"operator nms\\ndoes not exist in {os.getcwd()}")
        if Adapter.count > 1:
            raise RuntimeError("threads can be set only once")
        assert (device, threads) == ("cpu", 1) and os.environ["OMP_NUM_THREADS"] == "1"
    def matmul(self, a, b): print("and talks"); return a @ b
"""


class Asked:
    """An Availability over adapters in a folder, which counts its probes."""

    def __init__(self, folder: Path, **adapters: str) -> None:
        folder.mkdir(exist_ok=True)
        for name, text in adapters.items():
            (folder / f"{name}_adapter.py").write_text(text)
        self.folder, self.cache, self.probes = folder, folder / "cache" / "probes.json", 0

    def reason(self, framework: str, mode: str, device: str = "cpu") -> str:
        return self.availability().reason(framework, mode, device)

    def availability(self) -> Availability:
        """As a new process would have it: nothing is known but the file."""
        read_adapters.cache_clear()
        stacks._answers.clear()
        return Availability(adapters=self.folder, cache=self.cache, announce=self._count)

    def _count(self, text: str) -> None:
        self.probes += text.startswith("probing")


@pytest.fixture(autouse=True)
def forget() -> None:
    stacks._answers.clear()
    read_adapters.cache_clear()


def test_frameworks_are_the_adapter_files() -> None:
    folder = Path(stacks.__file__).parent / "frameworks"
    names = {path.name.removesuffix("_adapter.py") for path in folder.glob("*_adapter.py")}
    assert set(frameworks()) == names >= {"torch", "tensorflow", "tensorlayerx"}


def test_the_stacks_that_the_suite_promises() -> None:
    modes = {name: set(scopes) for name, scopes in frameworks().items()}
    assert modes["torch"] == {"eager", "compile"}
    assert modes["tensorflow"] == {"eager", "graph", "xla"}
    assert modes["tensorlayerx"] >= {"eager", "graph", "trainonestep"}
    assert any(mode.startswith("torch-") for mode in modes["tensorlayerx"])
    for scopes in frameworks().values():
        assert all(scope.strip() for scope in scopes.values())


def test_adapters_can_be_read_on_every_python() -> None:
    for framework in read_adapters().values():
        ast.parse(framework.adapter.read_text(), feature_version=(3, 10))
        assert all(isinstance(name, str) for name in framework.requires)


def test_an_adapter_without_modes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd_adapter.py").write_text("MODES = {}\n")
    with pytest.raises(ValueError, match=r"odd_adapter\.py must assign a literal dict to MODES"):
        read_adapters(tmp_path)


def test_a_working_stack_is_probed_once_for_all_its_modes(tmp_path: Path) -> None:
    asked = Asked(tmp_path, good=GOOD)
    assert asked.reason("good", "eager") == asked.reason("good", "graph") == ""
    assert asked.probes == 1
    assert list(json.loads(asked.cache.read_text()).values()) == [{"eager": "", "graph": ""}]
    assert [p.name for p in asked.cache.parent.iterdir()] == ["probes.json"]  # no part of a file is left


def test_a_changed_adapter_is_probed_again(tmp_path: Path) -> None:
    asked = Asked(tmp_path, good=GOOD)
    assert asked.reason("good", "eager") == ""
    Asked(tmp_path, good=GOOD.replace("pass", "raise RuntimeError('no longer')"))
    assert asked.reason("good", "eager") == "RuntimeError: no longer"
    assert asked.probes == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"good cpu": 3}', '{"good cpu": {"eager": ""}}'])
def test_a_damaged_cache_is_no_answer(content: str, tmp_path: Path) -> None:
    asked = Asked(tmp_path, good=GOOD)
    asked.cache.parent.mkdir()
    asked.cache.write_text(content)
    assert asked.reason("good", "graph") == ""
    assert asked.probes == 1


def test_the_cache_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tmp_path, good=GOOD)
    asked.cache.parent.mkdir()
    asked.cache.write_text(json.dumps({str(n): {} for n in range(stacks.REMEMBERED + 50)}))
    assert asked.reason("good", "eager") == ""
    kept = list(json.loads(asked.cache.read_text()))
    assert len(kept) == stacks.REMEMBERED
    assert kept[-1].startswith("good cpu ")


def test_without_a_place_to_remember_the_answer_stands(tmp_path: Path) -> None:
    asked = Asked(tmp_path, good=GOOD)
    asked.cache.parent.write_text("a file where the folder should be")
    assert asked.reason("good", "eager") == ""


def test_each_mode_has_its_own_reason_and_no_paths_in_it(tmp_path: Path) -> None:
    asked = Asked(tmp_path, odd=ODD)
    assert asked.reason("odd", "eager") == ""
    assert asked.reason("odd", "graph") == ""  # refused beside the first, so asked alone
    broken = asked.reason("odd", "broken")
    assert broken.startswith("RuntimeError: operator nms does not exist in <tmp>/")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise ImportError('no backend')", "ImportError: no backend"),
        ("import sys; sys.exit('gave up')", "SystemExit: gave up"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError", "RuntimeError"),
    ],
)
def test_a_framework_that_cannot_be_imported(code: str, expected: str, tmp_path: Path) -> None:
    asked = Asked(tmp_path, bad=f"{GOOD}\n{code}\n")
    assert asked.reason("bad", "eager") == asked.reason("bad", "graph") == expected
    assert asked.probes == 1


def test_a_device_that_computes_nothing_is_found_out(tmp_path: Path) -> None:
    asked = Asked(tmp_path, bad=GOOD.replace("return a @ b", "raise RuntimeError('no kernel image')"))
    assert asked.reason("bad", "eager") == "RuntimeError: no kernel image"


def test_a_probe_that_dies_is_told_but_not_remembered(tmp_path: Path) -> None:
    asked = Asked(tmp_path, bad=GOOD + "\nimport os, sys; print('illegal', file=sys.stderr, flush=True); os._exit(7)")
    reason = asked.reason("bad", "eager")
    assert reason == "its probe died with exit code 7: illegal"
    assert not asked.cache.exists()
    one = asked.availability()
    before = asked.probes
    assert one.reason("bad", "eager", "cpu") == one.reason("bad", "graph", "cpu") == reason
    assert asked.probes == before + 1  # within one process it is not asked again


def test_a_probe_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "PROBE_LIMIT", 0.5)
    asked = Asked(tmp_path, slow=GOOD + "\nimport time; time.sleep(60)")
    assert asked.reason("slow", "eager").startswith("its probe took longer than")


def test_missing_distributions_are_named(tmp_path: Path) -> None:
    asked = Asked(
        tmp_path,
        none=GOOD.replace('"numpy"', '"no-such-a", "numpy", "no-such-b"'),
        one=GOOD.replace('REQUIRES = ("numpy",)', ""),
        either=GOOD.replace('"numpy"', '"no-such-a | NumPy"'),
    )
    assert asked.reason("none", "eager") == "no-such-a and no-such-b are not installed: pip install no-such-a no-such-b"
    assert asked.reason("one", "eager") == "one is not installed: pip install one"
    assert asked.probes == 0
    assert asked.reason("either", "eager") == ""


def test_unknown_names(tmp_path: Path) -> None:
    asked = Asked(tmp_path, good=GOOD)
    assert asked.reason("other", "eager") == "there is no adapter for other in benchmarks/frameworks"
    assert asked.reason("good", "xla") == "good has the modes eager, graph, not xla"


def test_cuda_without_a_gpu_starts_no_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tmp_path, good=GOOD)
    monkeypatch.setattr(stacks, "_missing_gpu", lambda: "there is no GPU")
    assert asked.reason("good", "eager", "cuda") == "there is no GPU"
    assert asked.probes == 0


def test_compiling_needs_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = GOOD.replace('"graph"', '"compile"') + 'COMPILED = CACHED = ("compile",)\n'
    asked = Asked(tmp_path, good=good)
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler is not there" in asked.reason("good", "compile")
    assert asked.reason("good", "eager") == ""
    monkeypatch.setenv("CXX", sys.executable)  # anything that is there
    monkeypatch.setattr(stacks, "_describe", lambda names, python: {"headers": False, "versions": {"numpy": "2"}})
    assert "Python.h" in asked.reason("good", "compile")


def test_only_written_stacks_are_listed(tmp_path: Path) -> None:
    asked = Asked(tmp_path / "adapters", good=GOOD, other=GOOD)
    toys = Path(__file__).parent / "toys"
    shutil.copytree(toys / "toy", tmp_path / "impls" / "toy")
    for path in (tmp_path / "impls" / "toy").glob("toy_*.py"):
        path.unlink()
    (tmp_path / "impls" / "toy" / "toy_good.py").write_text("")
    found = discover(tmp_path / "impls")
    listed = list(stacks.stacks(found, devices=["cpu"], availability=asked.availability()))
    assert {(s.framework, s.mode, s.device, s.available, s.reason) for s in listed} == {
        ("good", "eager", "cpu", True, ""),
        ("good", "graph", "cpu", True, ""),
    }
    assert len(listed) == 2 * len(found)
    assert {s.scope for s in listed} == {"as it comes", "traced"}


def test_the_parent_imports_no_framework_to_list() -> None:
    code = (
        "import sys; from benchmarks import stacks; stacks.frameworks(); "
        "print([m for m in ('torch', 'tensorflow', 'keras', 'tensorlayerx', 'pydantic') if m in sys.modules])"
    )
    root = Path(stacks.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_probe_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "good_adapter.py"
    path.write_text(GOOD)
    assert probe(path, "cpu", ["eager", "graph"]) == {"eager": "", "graph": ""}


@pytest.mark.framework
@pytest.mark.parametrize(
    ("framework", "mode"), [("torch", "eager"), ("tensorflow", "graph"), ("tensorlayerx", "eager")]
)
def test_an_installed_framework_is_available(framework: str, mode: str) -> None:
    need(framework)
    assert available(framework, mode, "cpu") == (True, "")


COMPILES = {  # every mode there is, and whether it compiles before it runs
    "numpy": {"eager": False},
    "torch": {
        "eager": False,
        "compile": True,
        "reduce-overhead": True,
        "max-autotune": True,
        "compile-step": True,
        "compile-cpp": True,
        "eager-keepmem": False,
        "eager-tuned": False,
        "compile-tuned": True,
    },
    "tensorflow": {
        "eager": False,
        "graph": True,
        "xla": True,
        "graph-multi": True,
        "graph-onednn": True,
        "graph-eigen": True,
        "graph-autocluster": True,
        "graph-tuned": True,
        "xla-tuned": True,
    },
    "tensorlayerx": {
        "eager": False,
        "graph": True,
        "trainonestep": False,
        "torch-eager": False,
        "torch-trainonestep": False,
        "graph-onednn": True,
        "graph-eigen": True,
        "xla": True,
        "graph-tuned": True,
    },
}


def test_every_mode_says_whether_it_compiles() -> None:
    found = {name: {mode: mode in f.compiled for mode in f.every} for name, f in read_adapters().items()}
    assert found == COMPILES
    for name, modes in COMPILES.items():
        for mode, compiles in modes.items():
            held_against = uncompiled(f"{name}:{mode}:cpu:default")
            assert held_against == (f"{name}:eager:cpu:default" if compiles else None)
    assert stacks.COMPILING == set(read_adapters()["torch"].compiled) == set(read_adapters()["torch"].cached)


@pytest.mark.parametrize("literal", ['COMPILED = ("fast",)', 'CACHED = ("graph",)'])
def test_only_modes_can_compile_and_only_what_compiles_is_kept(literal: str, tmp_path: Path) -> None:
    (tmp_path / "odd_adapter.py").write_text(f'MODES = {{"eager": "a", "graph": "b"}}\n{literal}\n')
    with pytest.raises(ValueError, match="COMPILED names modes"):
        read_adapters(tmp_path)
