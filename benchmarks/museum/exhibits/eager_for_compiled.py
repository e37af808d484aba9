"""A framework is timed in a mode that it tells people not to train in."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "The wrong mode for one side"
RIGHT, WRONG = "`tf.function` around the step", "the same step without it"
MISTAKE = (
    "A training loop written by hand in TensorFlow runs eagerly until it is wrapped in `tf.function`; the decorator "
    "is one line, and forgetting it breaks nothing. Set beside a framework whose eager mode is its ordinary one, the "
    "result is a headline about a missing line. With small models, where each operation costs more to dispatch than "
    "to compute, it is the largest of the honest-looking mistakes."
)
PREVENTED = (
    "Every framework is timed in all its modes; each is a stack with its scope in a sentence (`python -m benchmarks "
    "list`), and a table names the mode beside the framework."
)
PLACES = (Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"), Place("word2vec", "tensorflow:graph"))


def look(room: Room) -> dict[str, Any]:
    return room.by_turns()


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import by_turns, taking

    adapter = copy.copy(session.adapter)
    adapter.mode = "eager"
    twin = adapter.build(session.implementation, session.workload)
    twin.set_tensors(session.program.get_tensors())
    return by_turns(session, taking(session), taking(session, twin), **fields)
