"""Inside the worker: the session's steps on its own batches and on those of another source, by turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import tasks
from benchmarks.protocol.profiles import POOL
from benchmarks.worker.session import Session


def answer(session: Session, *, other: str, pairs: int, seconds: float) -> dict[str, Any]:
    """Seconds per step on this session's batches and on those of the folder ``other``, in blocks by turns."""
    own = session.batches, session.stacks
    host = tasks.first(tasks.task(session.workload, Path(other), session.seed), POOL)
    both = (own, session.pool(host))
    session.steps(3)
    steps = session.whole_calls(max(3, round(seconds * 3 / session.steps(3))))
    seen: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        for side in ((0, 1), (1, 0))[pair % 2]:
            session.batches, session.stacks = both[side]
            session.steps(session.together)
            seen[side].append(session.steps(steps) / steps)
    session.batches, session.stacks = own
    return {"own": seen[0], "other": seen[1]}
