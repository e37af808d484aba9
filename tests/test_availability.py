"""Which stacks can run here, with frameworks made for the purpose."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from drop_in import ADAPTER, MODES, dropped
from frameworks import need

from benchmarks.engine import availability
from benchmarks.engine.availability import Availability, available
from benchmarks.frameworks.discovery import excluded, frameworks
from benchmarks.worker.probe import probe
from benchmarks.workload import ROOT, discover

ODD_MODES = MODES.replace('compiles="eager")}', 'compiles="eager"), "broken": Mode("broken", "c")}')
ODD = """
import os, sys
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


TOYS = Path(__file__).parent / "toys"


class Asked:
    """An Availability which counts its probes, beside frameworks dropped in a folder."""

    def __init__(self, folder: Path) -> None:
        self.cache, self.probes = folder / "cache" / "probes.json", 0

    def reason(self, framework: str, mode: str, device: str = "cpu") -> str:
        return self.availability().reason(framework, mode, device)

    def availability(self) -> Availability:
        """As a new process would have it: nothing is known but the file."""
        availability._answers.clear()
        return Availability(cache=self.cache, announce=self._count)

    def _count(self, text: str) -> None:
        self.probes += text.startswith("probing")


Ask = Callable[..., Asked]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Frameworks by name, each an adapter's text, with its modes where they are not those of the first."""
    with ExitStack() as stack:
        asked = Asked(tmp_path)

        def drop(modes: str = MODES, **adapters: str) -> Asked:
            files = {f"{name}_adapter": text for name, text in adapters.items()}
            stack.enter_context(
                dropped(tmp_path / "frameworks", **files, **{f"{name}_modes": modes for name in adapters})
            )
            return asked

        yield drop
    availability._answers.clear()


def test_the_stacks_that_the_suite_promises() -> None:
    modes = {name: {mode for mode, m in f.modes.items() if not m.tuned} for name, f in frameworks().items()}
    assert modes["torch"] == {"eager", "compile"}
    assert modes["tensorflow"] == {"eager", "graph", "xla"}
    assert modes["tensorlayerx"] >= {"eager", "graph", "trainonestep"}
    assert any(mode.startswith("torch-") for mode in modes["tensorlayerx"])


def test_a_working_stack_is_probed_once_for_all_its_modes(ask: Ask) -> None:
    asked = ask(good=ADAPTER)
    assert asked.reason("good", "eager") == asked.reason("good", "graph") == ""
    assert asked.probes == 1
    assert list(json.loads(asked.cache.read_text()).values()) == [{"eager": "", "graph": ""}]
    assert [p.name for p in asked.cache.parent.iterdir()] == ["probes.json"]  # no part of a file is left


def test_a_changed_adapter_is_probed_again(ask: Ask) -> None:
    asked = ask(good=ADAPTER)
    assert asked.reason("good", "eager") == ""
    ask(good=ADAPTER.replace("pass", "raise RuntimeError('no longer')"))
    assert asked.reason("good", "eager") == "RuntimeError: no longer"
    assert asked.probes == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"good eager cpu": 3}', '{"good eager cpu": {"eager": ""}}'])
def test_a_damaged_cache_is_no_answer(ask: Ask, content: str) -> None:
    asked = ask(good=ADAPTER)
    asked.cache.parent.mkdir()
    asked.cache.write_text(content)
    assert asked.reason("good", "graph") == ""
    assert asked.probes == 1


def test_the_cache_does_not_grow_for_ever(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(good=ADAPTER)
    asked.cache.parent.mkdir()
    asked.cache.write_text(json.dumps({str(n): {} for n in range(availability.REMEMBERED + 50)}))
    assert asked.reason("good", "eager") == ""
    kept = list(json.loads(asked.cache.read_text()))
    assert len(kept) == availability.REMEMBERED
    assert kept[-1].startswith("good eager cpu ")


def test_without_a_place_to_remember_the_answer_stands(ask: Ask) -> None:
    asked = ask(good=ADAPTER)
    asked.cache.parent.write_text("a file where the folder should be")
    assert asked.reason("good", "eager") == ""


def test_each_mode_has_its_own_reason_and_no_paths_in_it(ask: Ask) -> None:
    asked = ask(ODD_MODES, odd=ODD)
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
def test_a_framework_that_cannot_be_imported(ask: Ask, code: str, expected: str) -> None:
    asked = ask(bad=f"{ADAPTER}\n{code}\n")
    assert asked.reason("bad", "eager") == asked.reason("bad", "graph") == expected
    assert asked.probes == 1


def test_a_device_that_computes_nothing_is_found_out(ask: Ask) -> None:
    asked = ask(bad=ADAPTER.replace("return a @ b", "raise RuntimeError('no kernel image')"))
    assert asked.reason("bad", "eager") == "RuntimeError: no kernel image"


def test_a_probe_that_dies_is_told_but_not_remembered(ask: Ask) -> None:
    asked = ask(bad=ADAPTER + "\nimport os, sys; print('illegal', file=sys.stderr, flush=True); os._exit(7)")
    reason = asked.reason("bad", "eager")
    assert reason == "its probe died with exit code 7: illegal"
    assert not asked.cache.exists()
    one = asked.availability()
    before = asked.probes
    assert one.reason("bad", "eager", "cpu") == one.reason("bad", "graph", "cpu") == reason
    assert asked.probes == before + 1  # within one process it is not asked again


def test_a_probe_that_hangs_is_ended(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "PROBE_LIMIT", 0.5)
    asked = ask(slow=ADAPTER + "\nimport time; time.sleep(60)")
    assert asked.reason("slow", "eager").startswith("its probe took longer than")


def test_missing_distributions_are_named(ask: Ask) -> None:
    ask(MODES.replace('"numpy",', '"no-such-a", "numpy", "no-such-b"'), none=ADAPTER)
    ask(MODES.replace('"numpy",', '"no-such-a",'), one=ADAPTER)
    asked = ask(MODES.replace('"numpy"', '"no-such-a | NumPy"'), either=ADAPTER)
    assert asked.reason("none", "eager") == "no-such-a and no-such-b are not installed: pip install no-such-a no-such-b"
    assert asked.reason("one", "eager") == "no-such-a is not installed: pip install no-such-a"
    assert asked.probes == 0
    assert asked.reason("either", "eager") == ""


def test_unknown_names(ask: Ask) -> None:
    asked = ask(good=ADAPTER)
    assert asked.reason("other", "eager") == "there is no framework other in benchmarks/frameworks"
    assert asked.reason("good", "xla") == "good has the modes eager, graph, not xla"


def test_cuda_without_a_gpu_starts_no_probe(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(good=ADAPTER)
    monkeypatch.setattr(availability, "_missing_gpu", lambda: "there is no GPU")
    assert asked.reason("good", "eager", "cuda") == "there is no GPU"
    assert asked.probes == 0


def test_compiling_needs_a_compiler(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(MODES.replace('compiles="eager"', 'compiles="eager", caches=True'), good=ADAPTER)
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler is not there" in asked.reason("good", "graph")
    assert asked.reason("good", "eager") == ""
    monkeypatch.setenv("CXX", sys.executable)  # anything that is there
    monkeypatch.setattr(availability, "_describe", lambda names, python: {"headers": False, "versions": {"numpy": "2"}})
    assert "Python.h" in asked.reason("good", "graph")


def test_only_written_stacks_are_listed(ask: Ask, tmp_path: Path) -> None:
    asked = ask(good=ADAPTER, other=ADAPTER)
    shutil.copytree(TOYS / "toy", tmp_path / "impls" / "toy")
    for path in (tmp_path / "impls" / "toy").glob("toy_*.py"):
        path.unlink()
    (tmp_path / "impls" / "toy" / "toy_good.py").write_text("")
    found = discover(tmp_path / "impls")
    listed = list(availability.stacks(found, devices=["cpu"], availability=asked.availability()))
    assert {(s.framework, s.mode, s.device, s.available, s.reason) for s in listed} == {
        ("good", "eager", "cpu", True, ""),
        ("good", "graph", "cpu", True, ""),
    }
    assert len(listed) == 2 * len(found)
    assert {s.scope for s in listed} == {"as it comes", "traced"}


def test_the_parent_imports_no_framework_to_list() -> None:
    code = (
        "import sys; from benchmarks.frameworks.discovery import frameworks; frameworks(); "
        "print([m for m in ('torch', 'tensorflow', 'keras', 'tensorlayerx', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_an_implementation_excludes_is_not_called_available(ask: Ask, tmp_path: Path) -> None:
    asked = ask(MODES.replace('compiles="eager"', 'excluded_by="PLAIN_ONLY"'), good=ADAPTER)
    shutil.copytree(TOYS / "toy", tmp_path / "impls" / "toy")
    (tmp_path / "impls" / "toy" / "toy_good.py").write_text('PLAIN_ONLY = "it draws lots"\n')
    found = discover(tmp_path / "impls")[:1]
    listed = availability.stacks(found, devices=["cpu"], availability=asked.availability())
    assert {s.mode: s.reason for s in listed if s.framework == "good"} == {
        "eager": "",
        "graph": "toy_good.py does not run in this mode: it draws lots",
    }


def test_the_files_for_the_tensorflow_backend_exclude_the_other() -> None:
    found = {f.workload.key: f for f in discover()}
    for key, mode, why in (
        ("lstm_text", "torch-eager", "the carried state is a tf.Variable"),
        ("word2vec", "torch-trainonestep", "Adagrad"),
        ("word2vec", "graph", ""),
        ("mnist_mlp", "torch-eager", ""),
    ):
        told = excluded(found[key], "tensorlayerx", mode)
        assert (why in told) if why else not told


def test_probe_in_this_process(ask: Ask) -> None:
    ask(good=ADAPTER)
    assert probe("good", "cpu", ["eager", "graph"]) == {"eager": "", "graph": ""}


@pytest.mark.framework
@pytest.mark.parametrize(
    ("framework", "mode"), [("torch", "eager"), ("tensorflow", "graph"), ("tensorlayerx", "eager")]
)
def test_an_installed_framework_is_available(framework: str, mode: str) -> None:
    need(framework)
    assert available(framework, mode, "cpu") == (True, "")
