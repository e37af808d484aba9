"""Implementation files of one workload can be read side by side: same names, same order, nothing of the engine.

Those that are tuned share what they do not change with the documented one, and use public names alone like it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmarks.engine.environment import RECORDED
from benchmarks.frameworks.discovery import frameworks
from benchmarks.workload import TUNED as ENDING
from benchmarks.workload.literals import literals

IMPLS = Path(__file__).resolve().parent.parent / "impls"
FOLDERS = sorted(path.parent for path in IMPLS.glob("*/workload.py"))
EVERY = sorted(path for folder in FOLDERS for path in folder.glob(f"{folder.name}_*.py"))
TUNED = [path for path in EVERY if path.stem.endswith("_tuned")]
FILES = [path for path in EVERY if path not in TUNED]
SHARED = IMPLS.parent / "benchmarks" / "frameworks" / "tensorflow_adam.py"  # imported by tuned ones
# How TensorLayerX's documentation has a layer of one's own make its weights, underscore and all.
PUBLIC = {"_get_weights"}
LAST = ["build", "optimizer", "loss", "train_step", "predict"]
FORBIDDEN = (".cuda(", ".to(", "tf.function", "tf.device", "torch.compile(", "jit_compile", "time.", "seed", "epoch")
# No device, but the layout of the weights; and Keras's own word for what the adapter decided, which is only read.
ALLOWED = re.compile(r"\.to\(memory_format=|(= model|=model|if self|if model)\.jit_compile\b")
MOST_LINES = 130


def outline(path: Path) -> list[str]:
    """Public top-level names in the order of their definition, and the parameters of functions."""
    out = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            out.append(f"{node.name}({', '.join(a.arg for a in node.args.args)})")
        elif isinstance(node, ast.ClassDef):
            out.append(node.name)
        elif isinstance(node, ast.Assign):
            out += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in out if not name.startswith("_")]


def contract(path: Path) -> list[str]:
    """What every file of a folder must have alike; a helper that one framework alone needs stays its own."""
    return [name for name in outline(path) if name.partition("(")[0] in LAST]


def layers(path: Path) -> dict[str, list[str]]:
    """Model class -> the layers it makes (attributes set from a call), in order."""
    out = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and {"forward", "call"} & {n.name for n in node.body if hasattr(n, "name")}:
            made = [n for n in ast.walk(node) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
            names = [t.attr for n in made for t in n.targets if isinstance(t, ast.Attribute)]
            out[node.name] = [name for name in names if not name.endswith(("_h", "_c"))]  # states are no layers
    return out


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_outlines_of_a_folder_are_equal(folder: Path) -> None:
    files = [path for path in FILES if path.parent == folder]
    assert len(files) >= 2
    for path in files[1:]:
        ours, first = contract(path), contract(files[0])
        assert ours == first, path.name
        models = layers(path).keys() & layers(files[0]).keys()
        assert models, path.name
        for name in models:
            assert layers(path)[name] == layers(files[0])[name], f"{path.name}: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_plain_framework_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [name.partition("(")[0] for name in contract(path)] == LAST
    assert len(text.splitlines()) <= MOST_LINES
    assert [word for word in FORBIDDEN if word in ALLOWED.sub("", text)] == []
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring is not None
    assert "section" in docstring
    assert "parameters" in docstring


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_forward_pass_states_its_shapes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name in ("forward", "call"):
            for statement in node.body:
                last = lines[(statement.end_lineno or 1) - 1]
                assert re.search(r"  # \(?[NS]", last), f"{path.name}:{statement.lineno}"


@pytest.mark.parametrize("path", TUNED, ids=lambda path: path.stem)
def test_tuned_file_keeps_the_contract(path: Path) -> None:
    text, tree = path.read_text(encoding="utf-8"), ast.parse(path.read_text(encoding="utf-8"))
    offered = {name.partition("(")[0] for name in outline(path)}
    offered |= {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(LAST) <= offered
    assert path.with_name(f"{path.stem.removesuffix('_tuned')}.py") in FILES
    framework = path.stem.removesuffix("_tuned").rpartition("_")[2]
    own, modes = literals(path, "MODES", "ENVIRONMENT"), frameworks()[framework].modes
    assert own["MODES"]
    assert {f"{mode}{ENDING}" for mode in own["MODES"]} <= {name for name, mode in modes.items() if mode.tuned}
    assert own.get("ENVIRONMENT", {}).keys() <= set(RECORDED)  # what a worker is started with stands in the result
    assert len(text.splitlines()) <= MOST_LINES
    assert [word for word in FORBIDDEN if word in ALLOWED.sub("", text)] == []
    assert "section" in (ast.get_docstring(tree) or "")


@pytest.mark.parametrize("path", [*EVERY, SHARED], ids=lambda path: path.stem)
def test_private_names_of_a_framework_are_not_used(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    private = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    }
    imported = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for part in [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        if part.startswith("_") and part != "__future__"
    }
    assert (private | imported) - PUBLIC == set()
