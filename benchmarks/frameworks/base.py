"""What an adapter offers the worker. One adapter per framework, in ``NAME_adapter.py``.

An adapter module imports its framework at the top: importing it *is* the import
phase. It defines ``MODES`` and ``Adapter``. Nothing else may import a heavy
framework except the implementation files.

An implementation file (``NAME_FRAMEWORK.py``) offers, in this order::

    build(workload) -> model               layers are attributes named as in the declaration
    optimizer(workload, model) -> optimizer
    loss(model, x, y) -> scalar            training mode, mean over the batch
    train_step(model, optimizer, x, y) -> loss
    predict(model, x) -> logits            evaluation mode

with ``x`` float32 (N, *shape) as the framework lays images out, ``y`` int64 (N,).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from benchmarks.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """Forms on which frameworks differ; the float64 reference follows the declared one.

    ``adam_epsilon``: "after" adds epsilon to sqrt(v / (1 - beta2^t)) (PyTorch),
    "before" adds it to sqrt(v) and corrects the step size (Keras, TensorLayerX on TensorFlow).
    ``running_variance``: estimator that enters batch norm's running variance.
    """

    adam_epsilon: Literal["after", "before"]
    running_variance: Literal["unbiased", "biased"]


class ImplementationError(ValueError):
    """An implementation that does not follow its declaration; the message names the layer."""


def find_layer(model: Any, name: str, kind: Any) -> Any:
    """The attribute ``name`` (dots go deeper) of ``model``, which must be a ``kind``."""
    try:
        layer = functools.reduce(getattr, name.split("."), model)
    except AttributeError:
        raise ImplementationError(
            f"{type(model).__name__} has no layer {name!r}: layers are attributes named as in the declaration"
        ) from None
    if not isinstance(layer, kind):
        raise ImplementationError(f"layer {name!r} should be a {kind.__name__}, it is a {type(layer).__name__}")
    return layer


def check_shape(name: str, declared: tuple[int, ...], found: tuple[int, ...]) -> None:
    """Raise if the model's tensor ``name`` has not the declared shape (both in one layout)."""
    if tuple(declared) != tuple(found):
        raise ImplementationError(f"{name!r} is declared as {tuple(declared)}, the model has {tuple(found)}")


class Program(Protocol):
    """A built model with its optimiser in one mode, on one device.

    Handles are whatever the framework returns; they may still be computing until
    :meth:`Adapter.synchronize`. Canonical arrays are float32 NumPy in the layouts of
    ``benchmarks.layers``, keyed by tensor name.
    """

    def train_step(self, x: Any, y: Any) -> Any:
        """One optimiser step on a placed batch; returns a handle of the loss. This is what is timed."""

    def predict(self, x: Any) -> Any:
        """Logits of a placed batch in evaluation mode, as a handle."""

    def forward(self, x: Any) -> np.ndarray:
        """Logits of a placed batch in *training* mode, without a step; running statistics may move."""

    def gradients(self, x: Any, y: Any) -> tuple[float, dict[str, np.ndarray]]:
        """Loss and canonical gradients in training mode, compiled as the mode compiles; no step is taken."""

    def get_tensors(self) -> dict[str, np.ndarray]:
        """Copies of all declared tensors, running statistics included, in canonical layout."""

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        """Load all declared tensors in place (compiled functions stay valid)."""

    def dropout_on_ones(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Each declared dropout layer applied in training mode to ones of ``shape``, in one call of this mode's kind.

        Called twice, it must draw new masks. Empty where the model has no dropout.
        """


class Adapter(Protocol):
    """One framework in one mode on one device, inside a worker.

    Constructed as ``Adapter(mode=..., device=..., threads=..., seed=...)``: sets seeds
    for dropout, thread counts, denormal flushing and strict float32.
    """

    conventions: Conventions

    def versions(self) -> dict[str, str]:
        """Versions of the framework, its backend, and of CUDA and cuDNN where used."""

    def settings(self) -> dict[str, Any]:
        """Threads, denormal and TF32 policy as read back from the framework (JSON types)."""

    def build(self, implementation: Any, workload: Workload) -> Program:
        """Model and optimiser, with the framework's own initial values (the worker loads the shared ones)."""

    def place(self, array: np.ndarray) -> Any:
        """Host array to device tensor. 4-D images arrive as NHWC and are laid out as the framework wants them."""

    def to_numpy(self, handle: Any) -> np.ndarray:
        """Wait for a handle and copy it to the host."""

    def synchronize(self) -> None:
        """Wait until the device has finished everything asked of it."""

    def reset_peak_memory(self) -> None:
        """Reset the framework's device-memory high-water mark; nothing on a CPU."""

    def peak_memory(self) -> int | None:
        """Device bytes at the high-water mark; None on a CPU."""

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """float32 product on this stack's device under its precision settings: the precision probe."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether ``error`` is this framework's out-of-memory error."""
