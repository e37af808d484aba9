"""TensorLayerX's ``Model.train``, for the part ``loops``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorlayerx as tlx

from benchmarks.errors import Unavailable
from benchmarks.workload import Images, Workload


def loops(workload: Workload) -> dict[str, str]:
    if not isinstance(workload.dataset, Images):
        raise Unavailable("TensorLayerX's Model.train knows only network(X) and loss(logits, y): it carries no state")
    return {"Model.train": "tlx.model.Model(network, loss_fn, optimizer).train over tlx.dataflow.DataLoader, in order"}


def make(
    name: str, program: Any, implementation: Any, workload: Workload, arrays: tuple[np.ndarray, ...], batch: int | None
) -> Callable[[int], None]:
    program.switch(True)
    optimizer = implementation.optimizer(workload, program.model)  # as it comes, not as the adapter prepares it
    loss = tlx.losses.softmax_cross_entropy_with_logits
    model = tlx.model.Model(network=program.model, loss_fn=loss, optimizer=optimizer)
    loader = tlx.dataflow.DataLoader(tlx.dataflow.TensorDataset(*arrays), batch_size=batch)
    return lambda epochs: model.train(n_epoch=epochs, train_dataset=loader)
