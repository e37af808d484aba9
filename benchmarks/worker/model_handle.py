"""A program as the tasks see it, and the little that several requests ask of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.frameworks.base import Program
from benchmarks.workload import Workload


class Hands:
    """A program as tasks see it (:class:`benchmarks.tasks.Hands`)."""

    def __init__(self, adapter: Any, program: Program) -> None:
        self.place, self.to_numpy, self.predict = adapter.place, adapter.to_numpy, program.predict
        self.tensors = program.get_tensors
        self._program = program

    def forward(self, *arrays: np.ndarray) -> np.ndarray:
        """Logits in training mode; running statistics and states stay as they were."""
        kept = self._program.get_tensors()
        out = self._program.forward(*(self.place(a) for a in arrays))
        self._program.set_tensors(kept)
        return out


def states(workload: Workload) -> dict[str, np.ndarray]:
    return {t.name: np.zeros(t.shape, np.float32) for t in workload.tensors if t.state}


def leading(output: Any) -> Any:
    """The logits of a model that returns its state as well."""
    return output[0] if isinstance(output, (tuple, list)) else output
