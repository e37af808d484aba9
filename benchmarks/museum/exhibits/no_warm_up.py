"""The first steps, which trace and compile, are inside the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "No warm-up"
RIGHT, WRONG = "a block after the warm-up", "the first 100 steps of a fresh process"
MISTAKE = (
    "The first step of a compiled stack traces the model and builds kernels, which takes as long as thousands of "
    "later steps; even uncompiled stacks choose algorithms and fill memory pools at first. A short script that starts "
    "the clock at the first batch compares compilers, not training, and the shorter it is, the more it punishes the "
    "stack that would win a long run. (The opposite mistake is to hide the cost: who trains for a minute pays it.)"
)
PREVENTED = (
    "Import, build and first step are phases with clocks of their own; warm-up lasts until a change-point test finds "
    "the step time steady (`benchmarks/protocol/steady.py`), and says so where it never does."
)
PLACES = (
    Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"),
    Place("mnist_mlp_ablation/batchnorm", "torch:compile"),
)


def look(room: Room) -> dict[str, Any]:
    right, wrong = [], []
    for _ in range(room.amounts.launches):
        with room.launched() as fresh:
            wrong.append(fresh.inside(steps=room.amounts.first_steps))
            fresh.ask("warm_up", floor_seconds=2 * room.amounts.seconds, ceiling_seconds=3.0, windows=5)
            right.append(fresh.block(10 * room.amounts.first_steps))
    return {"right": right, "wrong": wrong}


def inside(session: Session, *, steps: int) -> dict[str, Any]:
    from benchmarks.museum.inside import sample

    return sample(session, session.steps, steps)
