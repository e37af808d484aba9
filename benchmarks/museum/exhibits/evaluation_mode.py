"""Training steps of a model that was left in evaluation mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import experiments
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "Evaluation mode while “training”"
RIGHT, WRONG = "training mode", "evaluation mode"
MISTAKE = (
    "`model.eval()` for the validation set and no `model.train()` after it; in Keras, a call without `training=True`. "
    "Dropout then drops nothing and batch norm divides by running statistics that no longer move. The step gets "
    "cheaper, because drawing masks and batch statistics is real work, and it is not the declared training any more. "
    "Accuracy may suffer, stay, or even rise on an easy test, so it is a poor alarm."
)
PREVENTED = (
    "The parity certificate: batch norm shows in the forward pass, the gradients and the running statistics; dropout, "
    "which the comparison has to leave out, is proven by probes (each layer must draw when it is the only one with a "
    "rate). PyTorch's adapter also sets the mode before each step."
)
PLACES = (
    Place("mnist_mlp", "torch:eager", judged=True),
    Place("mnist_mlp", "tensorflow:graph"),
    Place("mnist_mlp_ablation/batchnorm", "torch:eager", judged=True, trained=True),
)


def look(room: Room) -> dict[str, Any]:
    return room.by_turns(what="timed") | room.scores() | room.certificates()


def spoil(session: Session, module: Any) -> None:
    experiments.of_framework(session.framework, "museum", room="museum").in_evaluation(module)


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import faulty

    return faulty(session, spoil, **fields)
