"""What a run is going to do, fixed before it starts and kept beside its journal for --resume."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from pathlib import Path

from pydantic import Field

from benchmarks.schema.results import Interpreter, Machine, Options, Stack, Strict
from benchmarks.workload import ROOT, Found, Workload, files_hash, load

FILE = "plan.json"


class Planned(Strict):
    """A stack of one workload variant, whether it can run, and the files it runs."""

    stack: Stack
    available: bool
    reason: str
    implementation: dict[str, str]
    environment: dict[str, str] = Field(default_factory=dict)  # variables of its mode

    @property
    def implementation_hash(self) -> str:
        return combined_hash(self.implementation)


class PlannedBaseline(Strict):
    """Another program on the data of one workload variant, and whether it can run."""

    name: str
    label: str
    description: str
    unit: str
    version: str | None
    reason: str
    implementation: dict[str, str]


class Entry(Strict):
    """One workload variant with its stacks."""

    folder: str
    workload: str
    variant: str
    declaration_hash: str
    batch_size: int
    stacks: list[Planned]
    baselines: list[PlannedBaseline] = Field(default_factory=list)

    def load(self) -> Workload:
        """The declaration as it stands in the folder now."""
        return load(Path(self.folder), self.variant).workload

    @property
    def key(self) -> str:
        return self.workload if self.variant == "default" else f"{self.workload}/{self.variant}"

    def row(self, planned: Planned) -> str:
        """Name of a row in the journal."""
        return f"{self.key}@{planned.stack.key}"

    def slug(self, planned: Planned) -> str:
        """The row's name as a file name."""
        return f"{self.key}-{planned.stack.key}".replace("/", "-").replace(":", "-")

    def runnable(self) -> list[Planned]:
        return [p for p in self.stacks if p.available]

    def trainable(self) -> list[Planned]:
        """Runnable stacks, without tuned ones whose framework, device and interpreter have a documented one there."""
        runnable = self.runnable()
        kinds = {p.stack.kind for p in runnable if not p.stack.tuned}
        return [p for p in runnable if not p.stack.tuned or p.stack.kind not in kinds]


class Plan(Strict):
    id: str
    started: str
    command: str
    options: Options
    affinity: list[int]
    pythons: dict[str, str]
    git_commit: str | None
    git_dirty: bool | None
    machine: Machine
    interpreters: list[Interpreter]
    notes: list[str]
    entries: list[Entry]
    passes_fixed: bool = False  # asked for by number: --budget may not give any of them up

    def write(self, folder: Path) -> None:
        part = folder / (FILE + ".part")
        part.write_text(json.dumps(self.model_dump(mode="json"), indent=1), encoding="utf-8")
        os.replace(part, folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Plan:
        return cls.model_validate_json((folder / FILE).read_text("utf-8"))

    def changed_files(self) -> list[str]:
        """Declarations and files that differ from what the plan was made with."""
        out = []
        for entry in self.entries:
            if entry.load().hash != entry.declaration_hash:
                out.append(f"the declaration of {entry.key}")
            found = load(Path(entry.folder), entry.variant)
            for planned in entry.stacks:
                now = implementation_files(found, planned.stack.framework, planned.stack.mode)
                out += [name for name, value in now.items() if planned.implementation.get(name) != value]
            for baseline in entry.baselines:
                now = files_hash([found.baseline(baseline.name)])
                out += [name for name, value in now.items() if baseline.implementation.get(name) != value]
        return sorted(set(out))


def implementation_files(found: Found, framework: str, mode: str = "") -> dict[str, str]:
    """File name -> SHA-256 of what decides a stack's work: implementation, adapter, generator of the data.

    What these import of their own folder and of ``benchmarks/frameworks`` is among them.
    """
    adapter = ROOT / "benchmarks" / "frameworks" / f"{framework}_adapter.py"
    files, waiting = [], [path for path in (found.implementation(framework, mode), adapter) if path.exists()]
    while waiting:
        path = waiting.pop(0)
        if path not in files:
            files.append(path)
            waiting += _imported(path)
    return files_hash([*files, *data_files(found.workload.dataset.name)])


def _imported(path: Path) -> list[Path]:
    """Modules beside ``path`` and adapters' modules that it imports, wherever in the file."""
    names = {
        name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    names |= {f"benchmarks.frameworks.{alias}" for alias in _aliases(path)}
    shared = [ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("benchmarks.frameworks.")]
    beside = [path.with_name(f"{name}.py") for name in names if "." not in name]
    return sorted(found for found in [*shared, *beside] if found.is_file())


def _aliases(path: Path) -> set[str]:
    """Names in ``from benchmarks.frameworks import NAME``."""
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "benchmarks.frameworks"
        for alias in node.names
    }


def data_files(name: str) -> list[Path]:
    """The module of a data set and the modules beside it that it imports (its generator, its sampler), and theirs."""
    folder, found, waiting = ROOT / "benchmarks" / "data", [], [name]
    while waiting:
        path = folder / f"{waiting.pop()}.py"
        if path in found or not path.exists():
            continue
        found.append(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmarks.data"):
                module = (node.module or "").removeprefix("benchmarks.data").removeprefix(".")
                waiting += [module] if module else [alias.name for alias in node.names]
    return sorted(path for path in found if path.stem != "fetch")  # fetching does not change what is fetched


def combined_hash(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
