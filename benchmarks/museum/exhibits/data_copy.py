"""NumPy arrays become tensors inside the clock."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from benchmarks import tasks
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "Data copied inside the clock"
RIGHT, WRONG = "batches already on the device", "each batch copied from NumPy first"
MISTAKE = (
    "A loop that turns each NumPy batch into a tensor, or sends it to the device, times training and copying "
    "together. That is a fair question about input pipelines, but the answer then belongs to both, and the copy "
    "weighs most where the step is short: the faster stack loses more. Worse where one side of a comparison copies "
    "and the other does not, or where one framework's pipeline prefetches and the other's loop does not."
)
PREVENTED = (
    "Timed steps take batches that `place` has put on the device before the clock starts, on every stack. Input "
    "pipelines are a question of their own."
)
PLACES = (
    Place("mnist_mlp_ablation/batchnorm", "torch:eager"),
    Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"),
)


def look(room: Room) -> dict[str, Any]:
    return room.by_turns()


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    import time

    from benchmarks.museum.inside import by_turns, taking
    from benchmarks.protocol.profiles import POOL

    step, place, synchronize = session.program.train_step, session.place, session.adapter.synchronize
    host = cycle([batch.arrays for batch in tasks.first(session.task(session.workload), POOL)])

    def copying(count: int) -> float:
        synchronize()
        start = time.perf_counter_ns()
        for arrays in islice(host, count):
            step(*place(arrays))
        synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    return by_turns(session, taking(session), copying, **fields)
