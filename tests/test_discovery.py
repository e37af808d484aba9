"""Which frameworks and modes there are: read from light files, nothing imported, nothing listed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from drop_in import ADAPTER, MODES, dropped

from benchmarks import frameworks as package
from benchmarks.frameworks import discovery
from benchmarks.frameworks.discovery import frameworks, is_written, own_variables, uncompiled
from benchmarks.schema.run_info import Stack
from benchmarks.workload import Found, load

TOY = Path(__file__).parent / "toys" / "toy"


def test_frameworks_are_the_files_of_the_folder() -> None:
    folder = Path(package.__file__).parent
    for ending in ("_adapter", "_modes"):
        found = {path.stem.removesuffix(ending) for path in folder.glob(f"*{ending}.py")}
        assert set(frameworks()) == found >= {"torch", "tensorflow", "tensorlayerx"}


def test_light_files_can_be_read_on_every_python() -> None:
    for framework in frameworks().values():
        for path in framework.folder.glob("*.py"):
            ast.parse(path.read_text("utf-8"), feature_version=(3, 10))
        assert framework.label and all(isinstance(name, str) for name in framework.requires)
        for mode in framework.modes.values():
            assert mode.label.strip() and mode.scope.strip()
        assert len({mode.label for mode in framework.modes.values()}) == len(framework.modes)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("usual=True", "", "one mode must be the usual one"),
        ('compiles="eager"', "usual=True", "one mode must be the usual one"),
        ('compiles="eager"', 'compiles="plain"', "name modes of MODES"),
        ('compiles="eager"', 'twin_of="plain"', "name modes of MODES"),
        ('compiles="eager"', "caches=True", "only what compiles caches"),
    ],
)
def test_what_is_not_described_soundly_is_refused(old: str, new: str, why: str, tmp_path: Path) -> None:
    text = MODES.replace(old, new)
    refused = pytest.raises(ValueError, match=rf"odd_modes\.py: .*{why}")
    with dropped(tmp_path, odd_modes=text, odd_adapter=ADAPTER), refused:
        frameworks()


def test_a_tuned_mode_is_there_where_a_tuned_implementation_names_its_mode(tmp_path: Path) -> None:
    place = Found(workload=load(TOY, "sound").workload, folder=tmp_path)
    assert not is_written(place, "numpy", "eager")
    (tmp_path / "toy_numpy.py").write_text("import toy_shared\n")
    assert is_written(place, "numpy", "eager")
    assert not is_written(place, "numpy", "eager-tuned")
    (tmp_path / "toy_numpy_tuned.py").write_text('MODES = ("eager",)\nENVIRONMENT = {"A": "1"}\nimport toy_numpy\n')
    assert is_written(place, "numpy", "eager-tuned")
    assert not is_written(place, "numpy", "graph-tuned")
    assert own_variables(place, "numpy", "eager-tuned") == {"A": "1"}
    assert own_variables(place, "numpy", "eager") == {}


@pytest.mark.parametrize(
    ("framework", "mode", "plain"),
    [
        ("torch", "compile-tuned", "eager"),
        ("torch", "eager-keepmem", "eager-keepmem"),
        ("tensorflow", "graph-multi", "eager"),
        ("tensorlayerx", "torch-trainonestep", "torch-trainonestep"),
        ("numpy", "eager", "eager"),
    ],
)
def test_the_mode_in_which_an_uncompiled_twin_is_built(framework: str, mode: str, plain: str) -> None:
    """Tuned or not, of the implementation at hand: an adapter knows modes without the ending."""
    assert uncompiled(framework, mode) == plain


def test_results_hold_what_a_mode_is() -> None:
    facts = frameworks()["torch"].facts("compile-tuned") | {"device": "cpu"}
    found = Stack.model_validate(facts)
    assert found.tuned
    assert (found.known.framework, found.known.mode) == ("PyTorch", "compile (tuned)")
    assert (found.uncompiled, found.known.caches) == ("torch:eager-tuned:cpu:default", True)


@pytest.mark.parametrize(
    ("framework", "mode", "label", "plain", "caches"),
    [
        ("torch", "compile-step", "compile (whole step)", "eager", True),
        ("torch", "compile-tuned", "compile (tuned)", "eager-tuned", True),
        ("torch", "eager-keepmem", "eager (freed memory kept)", "", False),
        ("tensorflow", "xla-tuned", "XLA (tuned)", "eager", False),
        ("tensorlayerx", "torch-trainonestep", "TrainOneStep (PyTorch)", "", False),
        ("toys", "anything-tuned", "anything (tuned)", "", False),
    ],
)
def test_results_that_do_not_hold_it_are_read_as_it_was(
    framework: str, mode: str, label: str, plain: str, caches: bool
) -> None:
    stack = Stack(framework=framework, mode=mode, device="cuda", interpreter="old")
    assert (stack.known.mode, stack.known.caches) == (label, caches)
    assert stack.uncompiled == (f"{framework}:{plain}:cuda:old" if plain else "")


def test_distributions_that_matter_are_those_that_frameworks_name(tmp_path: Path) -> None:
    more = MODES.replace('("numpy",)', '("numpy", "a | b")') + 'PACKAGES = ("c",)\n'
    assert {"torch", "keras", "six"} <= set(discovery.distributions())
    with dropped(tmp_path, good_modes=more, good_adapter=ADAPTER):
        assert {"a", "b", "c", "torch"} <= set(discovery.distributions())
