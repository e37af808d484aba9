"""The operators of a training step in TensorLayerX, as its backend lists them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import tensorlayerx as tlx

from benchmarks.operations import Operator
from benchmarks.workload import Workload


def operators(adapter: Any, implementation: Any, workload: Workload, batch: Sequence[Any]) -> list[Operator]:
    """Those of one step. TrainOneStep reads its loss, which no trace can: its twin, the same step in eager, is listed.

    A trace leaves its own tensors in batch-norm layers, so the traced program is used for nothing else.
    """
    if tlx.BACKEND == "torch":
        from benchmarks.frameworks import torch_operations

        program = adapter.build(implementation, workload)
        program.train_step(*batch)
        return torch_operations.record(lambda: program.train_step(*batch))
    from benchmarks.frameworks import tensorflow_operations

    mode = adapter.mode.split("-")[0]
    if mode in ("graph", "xla"):
        return tensorflow_operations.record(adapter.build(implementation, workload).train_step, batch, mode)
    twin = copy.copy(adapter)
    twin.mode = "eager"
    program = twin.build(implementation, workload)
    program.train_step(*batch)

    def traced(*arrays: Any) -> Any:
        program.switch(True)
        return program.train_step(*arrays)

    return tensorflow_operations.record(traced, batch, "eager")
