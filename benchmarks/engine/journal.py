"""The append-only journal of a run: one JSON event per line, flushed as it happens."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Journal:
    """``journal.jsonl`` in a run's folder. A line cut short by a crash is ignored when read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.jsonl"
        self.events: list[Event] = read(self.path)
        self._lock = threading.Lock()
        self._whole()

    def _whole(self) -> None:
        """Close a last line that a crash cut short, so that the next event starts a line of its own."""
        if self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size:
            with self.path.open("ab") as sink:
                sink.write(b"\n")

    def add(self, kind: str, **fields: Any) -> None:
        event = {"event": kind, **fields}
        with self._lock, self.path.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(event) + "\n")
            sink.flush()
            os.fsync(sink.fileno())
            self.events.append(event)

    def of(self, kind: str, **fields: Any) -> list[Event]:
        """Events of a kind whose fields have the given values."""
        return [e for e in self.events if e["event"] == kind and all(e.get(k) == v for k, v in fields.items())]


def read(path: Path) -> list[Event]:
    if not path.exists():
        return []
    out = []
    for line in path.read_text("ascii", errors="replace").split("\n"):
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue  # the one line that a crash cut short
        out.append(event)
    return out
