"""One side has fewer threads than the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import experiments
from benchmarks.errors import Unavailable
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "Threads for one side only"
RIGHT, WRONG = "all threads of the run", "one thread"
MISTAKE = (
    "`OMP_NUM_THREADS=1`, left over from another job, in a container's file or set by a job scheduler, reaches "
    "PyTorch and not TensorFlow, which counts CPUs by itself; a pinned process does the opposite. One side then "
    "computes on one core and the other on all of them."
)
PREVENTED = (
    "One CPU set and one thread count for every stack, set in the environment before the framework is imported, read "
    "back after it and kept in the result (`settings`). CPU seconds per step stand beside wall seconds."
)
PLACES = (Place("mnist_mlp", "torch:eager"),)


def look(room: Room) -> dict[str, Any]:
    if room.threads < 2:
        raise Unavailable("every stack has one thread here")
    return room.by_turns()


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import by_turns

    threads = experiments.of_framework(session.framework, "museum", room="museum").threads

    def alone(count: int) -> float:
        with threads(1):
            return session.steps(count)

    return by_turns(session, session.steps, alone, **fields)
