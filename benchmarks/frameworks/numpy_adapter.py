"""NumPy: drives the toys of the tests and the implementation of nothing that measures the engine's own overhead.

The model holds ``tensors``, canonical arrays by name, which ``train_step`` changes in place. Beside the outline
every implementation has, the file offers ``forward(model, x)`` and ``gradients(model, x, y) -> (loss, arrays)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.errors import Unavailable
from benchmarks.frameworks.base import Conventions
from benchmarks.frameworks.numpy_modes import MODES
from benchmarks.layers import Shape
from benchmarks.workload import Workload


class Program:
    def __init__(self, implementation: Any, workload: Workload) -> None:
        self.implementation = implementation
        self.model = implementation.build(workload)
        self.optimizer = implementation.optimizer(workload, self.model)

    def train_step(self, *batch: Any) -> Any:
        return self.implementation.train_step(self.model, self.optimizer, *batch)

    def predict(self, *inputs: Any) -> Any:
        return self.implementation.predict(self.model, *inputs)

    def forward(self, *inputs: Any) -> np.ndarray:
        return np.asarray(self.implementation.forward(self.model, *inputs))

    def set_learning_rate(self, rate: float) -> None:
        self.implementation.set_learning_rate(self.optimizer, rate)

    def gradients(self, *batch: Any) -> tuple[float, dict[str, np.ndarray]]:
        loss, arrays = self.implementation.gradients(self.model, *batch)
        return float(loss), arrays

    def get_tensors(self) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in self.model.tensors.items()}

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        for name, value in tensors.items():
            self.model.tensors[name][...] = value

    def dropout_on_ones(self, shape: Shape) -> dict[str, np.ndarray]:
        draw = getattr(self.model, "dropout_on_ones", None)
        return draw(shape) if draw else {}


class Adapter:
    conventions = Conventions(adam_epsilon="after", running_variance="unbiased")

    def __init__(self, *, mode: str, device: str, threads: int, seed: int, precision: str = "float32") -> None:
        if precision != "float32":
            raise Unavailable(f"NumPy has no mixed precision, and no {precision}")
        if mode not in MODES:
            raise ValueError(f"numpy has the mode {', '.join(MODES)}, not {mode!r}")
        if device != "cpu":
            raise RuntimeError("NumPy runs on the CPU only")
        np.random.seed(seed)  # toys that draw use NumPy's global generator

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def settings(self) -> dict[str, Any]:
        return {}

    def used(self, program: Program) -> dict[str, Any]:
        return {}

    def build(self, implementation: Any, workload: Workload) -> Program:
        return Program(implementation, workload)

    def place(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)

    def to_numpy(self, handle: Any) -> np.ndarray:
        return np.asarray(handle)

    def synchronize(self) -> None:
        pass

    def reset_peak_memory(self) -> None:
        pass

    def peak_memory(self) -> int | None:
        return None

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(a @ b)

    def is_out_of_memory(self, error: BaseException) -> bool:
        return isinstance(error, MemoryError)
