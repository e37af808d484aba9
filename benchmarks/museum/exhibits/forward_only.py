"""The forward pass is timed and called training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.museum import Place

if TYPE_CHECKING:
    from benchmarks.museum.hall import Room
    from benchmarks.worker.session import Session

TITLE = "Only the forward pass"
RIGHT, WRONG = "forward, loss, backward, optimiser", "forward and loss"
MISTAKE = (
    "“A step” is not the same everywhere. Some benchmarks time the model's call, some stop after the gradients and "
    "leave out the optimiser, some let one framework return gradients to Python while the other updates in place. "
    "Backward costs about twice the forward pass, and an optimiser such as Adam reads and writes every weight several "
    "times, so what is left out is most of the work, and not the same share in every framework."
)
PREVENTED = (
    "A step is declared: forward, loss, backward, optimiser. The certificate compares the weights after five of the "
    "very steps that are timed, so a step that does not train fails it."
)
PLACES = (
    Place("mnist_mlp", "torch:eager"),
    Place("mnist_mlp_ablation/batchnorm", "torch:eager", judged=True),
    Place("mnist_mlp_ablation/batchnorm", "tensorflow:graph"),
)


def look(room: Room) -> dict[str, Any]:
    return room.by_turns(what="timed") | room.certificates()


def spoil(session: Session, module: Any) -> None:
    loss = module.loss

    def forward(model: Any, optimizer: Any, *batch: Any) -> Any:
        return loss(model, *batch)

    module.train_step = forward


def inside(session: Session, **fields: Any) -> dict[str, Any]:
    from benchmarks.museum.inside import faulty

    return faulty(session, spoil, **fields)
