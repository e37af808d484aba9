"""Which files decide what a stack computes, and a hash of their code that moving and commenting leave alone."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from benchmarks.workload import FRAMEWORKS, ROOT, Found, Images, Pairs

PACKAGE = "benchmarks"
# Rooms whose files decide the work. What the others hold is recorded with a result (the declaration) or only judges it.
ROOMS = ("data", "frameworks", "tasks")
# Fetching does not change what is fetched; what a mode is called does not change what its adapter does.
LEFT_OUT = ("/fetch.py", "_modes.py")


def implementation_files(found: Found, framework: str, mode: str = "") -> dict[str, str]:
    """Return file name -> hash of the code that decides a stack's work.

    The implementation, its framework's adapter, the data set's module, the task's, and what these import of their own
    folder and of ``ROOMS``.
    """
    dataset, rooms = found.workload.dataset, ROOT / PACKAGE
    task = "images" if isinstance(dataset, Images) else "pairs" if isinstance(dataset, Pairs) else "text"
    roots = [
        found.implementation(framework, mode),
        *(folder / f"{framework}_adapter.py" for folder in FRAMEWORKS),
        rooms / "data" / f"{dataset.name}.py",
        rooms / "tasks" / f"{task}.py",
    ]
    return hashes(walk(path for path in roots if path.exists()))


def walk(roots: Iterable[Path]) -> list[Path]:
    """Return ``roots`` and every file of their own folders and of ``ROOMS`` that they import, directly or not."""
    files: list[Path] = []
    waiting = list(roots)
    while waiting:
        path = waiting.pop(0)
        if path not in files:
            files.append(path)
            waiting += [other for other in _imported(path) if not other.as_posix().endswith(LEFT_OUT)]
    return files


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Return file name -> SHA-256 of its code; raise ValueError where two files share a name."""
    out: dict[str, str] = {}
    for path in paths:
        if path.name in out:
            raise ValueError(f"two files that decide one stack's work are called {path.name}: rename one")
        out[path.name] = hashlib.sha256(_code(path.read_text("utf-8")).encode()).hexdigest()
    return out


def _imported(path: Path) -> list[Path]:
    """Return the files of ``path``'s own folder and of ``ROOMS`` that it imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    shared = [ROOT / f"{name.replace('.', '/')}.py" for name in names if name.split(".")[:1] == [PACKAGE]]
    beside = [path.with_name(f"{name}.py") for name in names if "." not in name]
    prefix = f"{PACKAGE}.frameworks."
    adapters = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    beside += [folder / f"{name}.py" for folder in FRAMEWORKS[1:] for name in adapters]
    rooms = [file for file in shared if file.parent.name in ROOMS and file.parent.parent == ROOT / PACKAGE]
    return sorted(file for file in {*rooms, *beside} if file.is_file() and file.name != "__init__.py")


@cache
def _code(text: str) -> str:
    """Return ``text`` without comments, docstrings and empty lines, its imports in one order at the end.

    An import from this package counts by the names it brings, since the file it comes from is hashed itself.
    """
    tree = ast.parse(text)
    lines = text.splitlines()
    brought: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            brought.append(_brought(node))
            _blank(lines, node)
        elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            _blank(lines, node.body[0])
    for line, column in _comments(text):
        lines[line] = lines[line][:column]
    kept = [line.rstrip() for line in lines if line.strip()]
    return "\n".join([*kept, *sorted(brought)])


def _brought(node: ast.Import | ast.ImportFrom) -> str:
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
        return f"import {ast.unparse(ast.Import(names=node.names)).removeprefix('import ')}"
    return ast.unparse(node)


def _blank(lines: list[str], node: ast.stmt) -> None:
    """Empty the lines of a statement that has them for itself."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    if not before.strip() and (not after.strip() or after.strip().startswith("#")):
        lines[first : last + 1] = [""] * (last + 1 - first)


def _comments(text: str) -> Iterator[tuple[int, int]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0] - 1, token.start[1]
