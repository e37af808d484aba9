"""The loss is read to the host after every step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "The loss read at every step"
RIGHT, WRONG = "the loss stays on the device", "`loss.item()` or `.numpy()` after each step"
MISTAKE = (
    "Printing or summing the loss in Python makes the host wait for the device at every step, so the next step cannot "
    "be prepared meanwhile. On a GPU with short steps that can double the time; where one side's loop does it and the "
    "other's does not, it decides the comparison. On a CPU, where a step returns when it is done, there is nothing to "
    "wait for, and reading one number costs next to nothing."
)
PREVENTED = (
    "`train_step` returns the loss on the device by contract, and the engine reads no losses inside the clock. "
    "TensorLayerX's `TrainOneStep`, which does read it, is a labelled mode of its own."
)
PLACES = (
    Place("mnist_mlp_ablation/batchnorm", "torch:eager"),
    Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"),
)


def look(room: Room) -> dict[str, Any]:
    return room.by_turns()


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import by_turns, taking

    step, batches, adapter = session.program.train_step, session.batches, session.adapter

    def reading(count: int) -> float:
        adapter.synchronize()
        start = time.perf_counter_ns()
        for _ in range(count):
            float(adapter.to_numpy(step(*next(batches))))
        adapter.synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    return by_turns(session, taking(session), reading, **fields)
