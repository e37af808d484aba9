"""The operators of a training step in TensorLayerX, as its backend lists them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import tensorlayerx as tlx

from benchmarks.workload import Workload
from benchmarks.workload.operations import Operator


def operators(adapter: Any, implementation: Any, workload: Workload, batch: Sequence[Any]) -> list[Operator]:
    """Those of one step. TrainOneStep reads its loss, which no trace can: its twin, the same step in eager, is listed.

    A trace leaves its own tensors in batch-norm layers, so the traced program is used for nothing else.
    """
    if tlx.BACKEND == "torch":
        from benchmarks.experiments.profile import operations_torch

        program = adapter.build(implementation, workload)
        program.train_step(*batch)
        return operations_torch.record(lambda: program.train_step(*batch))
    from benchmarks.experiments.profile import operations_tensorflow

    mode = adapter.mode.split("-")[0]
    if mode in ("graph", "xla"):
        return operations_tensorflow.record(adapter.build(implementation, workload).train_step, batch, mode)
    twin = copy.copy(adapter)
    twin.mode = "eager"
    program = twin.build(implementation, workload)
    program.train_step(*batch)

    def traced(*arrays: Any) -> Any:
        program.switch(True)
        return program.train_step(*arrays)

    return operations_tensorflow.record(traced, batch, "eager")
