"""What ``python -m benchmarks peers --json FILE`` keeps: raw step times of every round, and what follows from them."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import model_validator

from benchmarks.analysis.evidence import contradictions
from benchmarks.analysis.ratios import log_ratio, t_interval
from benchmarks.errors import Problem
from benchmarks.protocol.disturbed import is_disturbed
from benchmarks.schema.files import atomic_write
from benchmarks.schema.results import Interpreter, Machine, Stack
from benchmarks.schema.samples import Block, Status, Strict, field

# Of the worst tensor's move in the checked steps. Models whose certificate has its own optimiser amplify rounding;
# they are allowed what a certificate may allow at most (parity.CEILING).
TOLERANCE, TOLERANCE_AMPLIFYING = 2e-3, 0.05


class Round(Strict):
    """A block of each, one after the other."""

    ours: Block = field("of ours")
    theirs: Block = field("of the peer")

    @property
    def ratio(self) -> float:
        """Theirs over ours: above 1, ours is faster."""
        return self.theirs.step_seconds / self.ours.step_seconds

    @property
    def disturbed(self) -> bool:
        return self.ours.disturbed or self.theirs.disturbed


class Pass(Strict):
    """A fresh process that built both."""

    index: int = field("from 0", ge=0)
    status: Status = field("ok, or how it ended")
    reason: str = field("why not ok; empty when ok", default="")
    rounds: list[Round] = field("in the order they were timed; empty when not ok", default_factory=list)
    differences: dict[str, float | None] = field(
        "tensor -> ‖Δtheirs − Δours‖ / ‖Δours‖ over the checked steps; None where only theirs moves or not finite",
        default_factory=dict,
    )
    versions: dict[str, str] = field("framework and backend, from the process", default_factory=dict)

    @property
    def ratio(self) -> float:
        return median(r.ratio for r in self.rounds)


class Row(Strict):
    """One peer in one mode."""

    workload: str = field("name of the workload")
    stack: Stack = field("in which both run")
    peer: str = field("SOURCE of the file name peer_SOURCE_FRAMEWORK.py")
    source: str = field("what it was written after")
    address: str = field("where that is")
    differs: str = field("where its work is not that of ours; empty when the same")
    tolerance: float = field("largest difference of a tensor's move that counts as the same work")
    files: dict[str, str] = field("SHA-256 of our file and the peer's", default_factory=dict)
    unavailable: str = field("why the stack cannot run here; empty when it can", default="")
    passes: list[Pass] = field("in order", default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.workload} {self.stack.label} {self.peer}"

    @property
    def good(self) -> list[Pass]:
        return [p for p in self.passes if p.status == "ok"]

    def holds(self, index: int) -> bool:
        return any(p.index == index for p in self.good)

    @property
    def reason(self) -> str:
        """Why there is no figure, or why it must not be used; empty otherwise."""
        if self.unavailable:
            return f"unavailable: {self.unavailable}"
        bad = next((p for p in self.passes if p.status != "ok"), None)
        if bad:
            return f"{bad.status}: {bad.reason}"
        if not self.passes:
            return "not measured"
        if not self.differs and not self.same_work:
            tensor, share = self.worst
            figure = "only theirs moves or it is not finite" if share is None else f"{share:.1e}"
            return f"failed: not the same work, and DIFFERS is empty: {tensor}, {figure}, allowed {self.tolerance:.0e}"
        return ""

    @property
    def worst(self) -> tuple[str, float | None]:
        """The tensor whose moves differ most over all passes, and by how much; a None is worst of all."""
        every = [item for p in self.good for item in p.differences.items()]
        return max(every, key=lambda item: math.inf if item[1] is None else item[1])

    @property
    def same_work(self) -> bool:
        share = self.worst[1]
        return share is not None and share <= self.tolerance

    @property
    def ratio(self) -> float:
        """Geometric mean over passes of the median over rounds."""
        return math.exp(self._logs()[0])

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Student t on the log, over passes; None with one pass."""
        mean, error, n = self._logs()
        return t_interval(mean, error, n) if n > 1 else None

    @property
    def extremes(self) -> tuple[float, float]:
        """Lowest and highest ratio of a round, over all passes."""
        every = [r.ratio for p in self.good for r in p.rounds]
        return min(every), max(every)

    @property
    def verdict(self) -> str:
        if self.interval is None:
            return "one pass"
        low, high = self.interval
        return "ours faster" if low > 1 else "theirs faster" if high < 1 else "not told apart"

    def _logs(self) -> tuple[float, float, int]:
        ratios = [p.ratio for p in self.good]
        return log_ratio(ratios, [1.0] * len(ratios))


class Record(Strict):
    """One call of the command."""

    suite_version: str = field("of Bookbench")
    started: str = field("UTC, ISO 8601")
    git_commit: str | None = field("of the working tree; None outside a repository")
    git_dirty: bool | None = field("whether the tree had changes")
    machine: Machine = field("the machine's passport")
    interpreter: Interpreter = field("Python and the distributions that matter")
    threads: int = field("threads and CPUs of every process", gt=0)
    block_seconds: float = field("least seconds of a block", gt=0)
    passes: int = field("fresh processes asked for", gt=0)
    rounds: int = field("rounds of a pass asked for; about half as many where a step takes longer than 0.2 s", gt=0)
    rows: list[Row] = field("by workload, peer and mode")

    def disturbed(self) -> tuple[int, int]:
        """Rounds that other work disturbed, and all."""
        every = [r for row in self.rows for p in row.good for r in p.rounds]
        return sum(r.disturbed for r in every), len(every)

    @model_validator(mode="before")
    @classmethod
    def _by_block(cls, data: Any) -> Any:
        """Rounds from before each block had evidence of its own hold that of both together, and seconds per step."""
        for row in data.get("rows", []):
            for one in row["passes"] if isinstance(row, dict) else []:
                one["rounds"] = [_blocks(r, data["threads"]) if "wall_seconds" in r else r for r in one["rounds"]]
        return data

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, self.model_dump_json(indent=1) + "\n")


def _blocks(both: dict[str, Any], cpus: int) -> dict[str, Any]:
    evidence = {name: value for name, value in both.items() if name not in ("ours", "theirs")} | {"cpus": cpus}
    marked = is_disturbed(evidence, both["wall_seconds"], cpus=cpus)
    shared = {"steps": 1, "evidence": evidence, "disturbed": marked}
    return {side: {"seconds": both[side], **shared} for side in ("ours", "theirs")}


def read(path: Path) -> Record:
    """Raises Problem where a block is marked against its own evidence."""
    record = Record.model_validate_json(path.read_text("utf-8"))
    if wrong := contradictions(record, cpus=record.threads):
        raise Problem(f"{path}: {wrong} blocks are marked against their own evidence")
    return record
