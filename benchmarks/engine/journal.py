"""The append-only journal of a run: one event per line, flushed as it happens."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from benchmarks.errors import Problem
from benchmarks.schema.budget import Cut
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import (
    Baseline,
    Certificate,
    CurvePoint,
    Data,
    Inference,
    Memory,
    Phases,
    Pilot,
    RoundBlock,
    Status,
    Stretch,
    Training,
)
from benchmarks.schema.samples import Strict


class _OfLaunch(Strict):
    """Of one launch: a row (:meth:`benchmarks.engine.plan.Entry.row`), a pass, an attempt at it."""

    row: str
    pass_index: int
    attempt: int
    solo: bool = False  # of --solo


class Launched(_OfLaunch):
    event: Literal["launch"] = "launch"
    caches: Literal["cold", "warm"]
    interleaved: bool


class Seen(Phases, Memory):
    """What a launch's requests beside its rounds found, as far as they were made."""

    versions: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    used: dict[str, Any] = Field(default_factory=dict)
    precision_error: float | None = None
    stretch: Stretch | None = None
    inference: Inference | None = None


class PhaseEnded(_OfLaunch):
    event: Literal["phase"] = "phase"
    seen: Seen


class BlockTimed(_OfLaunch):
    event: Literal["block"] = "block"
    block: RoundBlock


class LaunchEnded(_OfLaunch):
    event: Literal["end"] = "end"
    status: Status
    reason: str = ""
    log_tail: list[str] = Field(default_factory=list)


class PassMade(Strict):
    event: Literal["pass"] = "pass"
    key: str  # of the workload variant, as everywhere below
    index: int


class PilotDecided(Strict):
    event: Literal["pilot"] = "pilot"
    key: str
    decision: Pilot


class SoloChosen(Strict):
    """The stacks, by Stack.key, that --solo measures again."""

    event: Literal["isolated"] = "isolated"
    key: str
    stacks: list[str]


class SoloPassMade(Strict):
    event: Literal["isolated_pass"] = "isolated_pass"
    key: str
    index: int


class DataPrepared(Strict):
    event: Literal["data"] = "data"
    key: str
    data: Data


class Certified(Strict):
    event: Literal["certificate"] = "certificate"
    row: str
    certificate: Certificate


class TrainingBegun(Strict):
    event: Literal["training_start"] = "training_start"
    row: str
    seed: int
    attempt: int


class EpochTrained(Strict):
    event: Literal["curve"] = "curve"
    row: str
    seed: int
    attempt: int
    point: CurvePoint


class TrainingEnded(Strict):
    """``training`` without its curve, whose points have events of their own."""

    event: Literal["training"] = "training"
    row: str
    seed: int
    attempt: int
    training: Training


class BaselineBegun(Strict):
    event: Literal["baseline_start"] = "baseline_start"
    key: str
    name: str
    attempt: int


class BaselineEnded(Strict):
    event: Literal["baseline"] = "baseline"
    key: str
    name: str
    baseline: Baseline


class Found(Strict):
    """What an experiment found in one of its turns."""

    event: Literal["finding"] = "finding"
    part: str
    key: str
    stack: str
    turn: str
    finding: dict[str, Any]


class Answered(Strict):
    event: Literal["answer"] = "answer"
    part: str
    key: str
    answer: Answer


class ClockRead(Strict):
    """For --budget: seconds that the run has taken so far, and ``took`` of them by a pass of ``key``."""

    event: Literal["clock"] = "clock"
    seconds: float
    key: str = ""
    took: float = 0.0


class PassesCut(Strict):
    event: Literal["cut"] = "cut"
    key: str
    cut: Cut


class Note(Strict):
    event: Literal["note"] = "note"
    text: str


class Finished(Strict):
    event: Literal["finished"] = "finished"
    time: str


Event: TypeAlias = (
    Launched | PhaseEnded | BlockTimed | LaunchEnded | PassMade | PilotDecided | SoloChosen | SoloPassMade
    | DataPrepared | Certified | TrainingBegun | EpochTrained | TrainingEnded | BaselineBegun | BaselineEnded
    | Found | Answered | ClockRead | PassesCut | Note | Finished
)  # fmt: skip
E = TypeVar("E", bound=Strict)
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class Journal:
    """``journal.jsonl`` in a run's folder. A line cut short by a crash is ignored when read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.jsonl"
        self._lock = threading.Lock()
        self._index: dict[tuple[type, str], list[Any]] = {}  # by kind, and by kind and row or key
        for event in read(self.path):
            self._keep(event)
        self._whole()

    def _whole(self) -> None:
        """Close a last line that a crash cut short, so that the next event starts a line of its own."""
        if self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size:
            with self.path.open("ab") as sink:
                sink.write(b"\n")

    def add(self, event: Event) -> None:
        line = {"event": event.event, **event.model_dump(mode="json", exclude_defaults=True)}
        with self._lock, self.path.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(line) + "\n")
            sink.flush()
            os.fsync(sink.fileno())
            self._keep(event)

    def _keep(self, event: Event) -> None:
        for name in {"", getattr(event, "row", getattr(event, "key", ""))}:
            self._index.setdefault((type(event), name), []).append(event)

    def of(self, kind: type[E], **fields: Any) -> list[E]:
        """Events of a kind whose fields have the given values."""
        mine: list[E] = self._index.get((kind, fields.get("row", fields.get("key", ""))), [])
        return [e for e in mine if all(getattr(e, name) == value for name, value in fields.items())]

    # -- what is asked of it most ----------------------------------------------------------------------

    @property
    def finished(self) -> Finished | None:
        return next(iter(self.of(Finished)), None)

    def pilot(self, key: str) -> Pilot | None:
        """The decision on the passes of a workload variant, once it is made."""
        return next((e.decision for e in self.of(PilotDecided, key=key)), None)

    def cut(self, key: str) -> Cut | None:
        """The last decision to make fewer passes of a workload variant than were planned."""
        return next((e.cut for e in reversed(self.of(PassesCut, key=key))), None)

    def spent(self) -> float | None:
        """Seconds that the run had taken when it last looked at the clock."""
        return next((e.seconds for e in reversed(self.of(ClockRead))), None)

    def data(self, key: str) -> Data | None:
        return next((e.data for e in self.of(DataPrepared, key=key)), None)


def read(path: Path) -> list[Event]:
    """Return the events of a journal; raise Problem where another version wrote it."""
    out: list[Event] = []
    for line in path.read_text("ascii", errors="replace").split("\n") if path.exists() else []:
        try:
            plain = json.loads(line)
        except json.JSONDecodeError:
            continue  # the one line that a crash cut short
        try:
            out.append(_EVENT.validate_python(plain))
        except ValidationError as error:
            said = str(error).splitlines()
            raise Problem(f"{path} is of another version, start a new run instead: {' '.join(said[1:3])}") from None
    return out
