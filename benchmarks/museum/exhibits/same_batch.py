"""One batch, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import tasks
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "The same batch again and again"
RIGHT, WRONG = "a new batch each step", "few batches, or one"
MISTAKE = (
    "Benchmarks often make one random batch and feed it for ever. Its numbers stay in the processor's caches, the "
    "branches it takes are predicted, and of a large table, such as Word2Vec's 50,000 word vectors, only the rows of "
    "that batch are ever touched. The step is then cheaper than any step of real training, most for the models that "
    "look things up. The loss falls quickly, which looks like proof that all is well."
)
PREVENTED = (
    "Timed blocks rotate eight different batches of the declared data in the declared order (`POOL`), and the probe "
    "`order` holds them against the data. Eight are a compromise: the form “eight in turn” shows what is left of the "
    "mistake in Bookbench's own numbers. `python -m benchmarks sources` compares embedded data with real data."
)
ONE, EIGHT = "one batch", "eight in turn, as Bookbench does"
PLACES = (
    Place("word2vec", "torch:eager", ONE),
    Place("word2vec", "torch:eager", EIGHT),
    Place("mnist_mlp_ablation/batchnorm", "torch:eager", ONE),
)


def look(room: Room) -> dict[str, Any]:
    count = 1 if room.place.form == ONE else 8
    return room.by_turns(count=count, distinct=room.amounts.distinct)


def inside(session: Session, *, count: int, distinct: int, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import by_turns, taking

    host = tasks.first(session.task(session.workload), distinct)
    placed = [session.place(batch.arrays) for batch in host]
    return by_turns(session, taking(session, batches=placed), taking(session, batches=placed[:count]), **fields)
