"""One side computes in another precision than the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import experiments
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "Precisions that do not match"
RIGHT, WRONG = "float32", "another precision"
MISTAKE = (
    "NumPy makes float64 arrays by default, and a framework that takes them as they are computes twice as much as the "
    "one that converts them. The other way round, one side runs under autocast or with TF32 because that is its "
    "default, and its lead is the lead of 16 or 19 bits over 32. Both are legitimate ways to train; the mistake is to "
    "call the difference a difference of frameworks. Whether fewer bits are faster depends on the machine: without "
    "hardware for them they are emulated."
)
PREVENTED = (
    "Inputs and weights come as float32 from one place; TF32 is off on every stack and the precision of a matrix "
    "product is probed against float64 at each launch (`precision_error`). The certificate's tolerances are multiples "
    "of float32 rounding, so fewer bits fail it. More bits do not: they can only make a stack look slower."
)
PLACES = (
    Place("mnist_mlp", "torch:eager", "float64"),
    Place("mnist_mlp", "torch:eager", "bfloat16 autocast"),
    Place("mnist_mlp_ablation/batchnorm", "torch:eager", "float64", judged=True),
    Place("mnist_mlp_ablation/batchnorm", "torch:eager", "bfloat16 autocast", judged=True),
)


def look(room: Room) -> dict[str, Any]:
    form = room.place.form
    return room.by_turns(form=form, what="timed") | room.certificates(form=form)


def inside(session: Session, *, form: str, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import faulty

    def spoil(session: Session, module: Any) -> None:
        experiments.of_framework(session.framework, "museum", room="museum").in_precision(module, form)

    return faulty(session, spoil, **fields)
