"""What a run is going to do, fixed before it starts and kept beside its journal for --resume."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmarks.schema.files import atomic_write
from benchmarks.schema.results import Baseline, Interpreter, Machine, Options, Stack, Strict
from benchmarks.workload import Workload, load
from benchmarks.workload.sources import hashes, implementation_files

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
    def declared(self) -> Workload:
        """The declaration, read once in this process."""
        return _declared(self.folder, self.variant)

    @property
    def sized(self) -> Workload:
        """The declaration with this run's batch size."""
        return dataclasses.replace(self.declared, batch_size=self.batch_size)

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

    def baseline(self, planned: PlannedBaseline, options: Options, **found: Any) -> Baseline:
        """What came of one of the baselines, beside what it was given."""
        given = {"recipe": options.recipe, "seed": options.seed, "threads": options.threads}
        about = {"workload": self.workload, "variant": self.variant, **planned.model_dump(exclude={"reason"})}
        return Baseline.model_validate({**about, **given, **found})


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

    def with_request(self, **changes: Any) -> Plan:
        """The plan with other options."""
        return self.model_copy(update={"options": self.options.model_copy(update=changes)})

    def write(self, folder: Path) -> None:
        atomic_write(folder / FILE, json.dumps(self.model_dump(mode="json"), indent=1))

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
                now = hashes([found.baseline(baseline.name)])
                out += [name for name, value in now.items() if baseline.implementation.get(name) != value]
        return sorted(set(out))


@cache
def _declared(folder: str, variant: str) -> Workload:
    return load(Path(folder), variant).workload


def combined_hash(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
