"""The clock is read before the device has finished."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks import experiments
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "No synchronise"
RIGHT, WRONG = "waits for the device", "reads the clock when the call returns"
MISTAKE = (
    "Many stacks only put work into a queue and return at once: PyTorch and TensorFlow on a GPU, and TensorFlow on a "
    "CPU when asked to (`set_synchronous_execution(False)`, used here, because it shows on any machine what a GPU "
    "does by default). Whoever reads the clock then has timed how fast Python fills the queue. The faster the real "
    "work is handed over, the more absurd the number; more steps do not help until the queue is full. A published "
    "benchmark of matrix products went from .03 to 1.36 ms when the missing line was added (mlx-benchmark, pull "
    "request 21)."
)
PREVENTED = (
    "`Session.steps`, the only clock of training steps, calls the adapter's `synchronize` before both of its "
    "readings, and `single` inference ends with its answer in host memory."
)
PLACES = (Place("mnist_mlp", "tensorflow:graph"), Place("mnist_mlp", "torch:eager"))


def look(room: Room) -> dict[str, Any]:
    return room.by_turns()


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import by_turns

    step, batches = session.program.train_step, session.batches
    with experiments.of_framework(session.framework, "museum", room="museum").unsynchronised(session) as wait:

        def steps(count: int, *, waiting: bool) -> float:
            wait()
            start = time.perf_counter_ns()
            for _ in range(count):
                step(*next(batches))
            if waiting:
                wait()
            seconds = (time.perf_counter_ns() - start) / 1e9
            wait()  # the next block starts with an empty queue either way
            return seconds

        def right(count: int) -> float:
            return steps(count, waiting=True)

        def wrong(count: int) -> float:
            return steps(count, waiting=False)

        return by_turns(session, right, wrong, same_steps=True, **fields)
