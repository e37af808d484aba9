"""Soft-max before a loss that takes soft-max itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import experiments
from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "Soft-max twice"
RIGHT, WRONG = "soft-max inside the loss only", "soft-max in the model too"
MISTAKE = (
    "PyTorch's and TensorFlow's cross-entropy take logits; Keras's takes probabilities unless told otherwise. A model "
    "ported from one to the other easily ends in a soft-max whose output goes through a second one. Nothing crashes, "
    "the loss falls, the step takes about as long as before, so no speed test notices. But ten probabilities between "
    "0 and 1 leave the loss no room and the gradients little size: the network learns slowly, and what was meant as a "
    "comparison of frameworks becomes one of a network with its crippled twin."
)
PREVENTED = "The parity certificate: logits, loss and every gradient are held against a float64 reference."
PLACES = (
    Place("mnist_mlp_ablation/batchnorm", "torch:eager", judged=True, trained=True),
    Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"),
)


def look(room: Room) -> dict[str, Any]:
    return room.by_turns(what="timed") | room.scores() | room.certificates()


def spoil(session: Session, module: Any) -> None:
    from benchmarks.museum.inside import replaced_loss

    soft_max = experiments.of_framework(session.framework, "museum", room="museum").soft_max
    replaced_loss(module, lambda model: lambda *inputs, **words: soft_max(model(*inputs, **words)))


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import faulty

    return faulty(session, spoil, **fields)
