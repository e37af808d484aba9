"""What an adapter offers the worker. One adapter per framework, in ``NAME_adapter.py``.

An adapter module imports its framework at the top: importing it *is* the import
phase. It defines ``Adapter``; its modes stand beside it, in ``NAME_modes.py``. Nothing
else may import a heavy framework except the implementation files.

An implementation file (``NAME_FRAMEWORK.py``) offers, in this order::

    build(workload) -> model               layers are attributes named as in the declaration
    optimizer(workload, model) -> optimizer
    loss(model, *batch) -> scalar          training mode, as declared
    train_step(model, optimizer, *batch) -> loss
    predict(model, *inputs) -> logits      evaluation mode

A batch of images is ``x`` float32 (N, *shape) as the framework lays images out and ``y`` int64 (N,); its
input is ``x``. A batch of text is ``x``, ``y`` int64 (N, T); the model takes and returns its state:
``model(x, h, c) -> logits, h, c``, and so does ``predict``. ``loss`` carries the state of training in
``model.lstm_h``, ``model.lstm_c`` (N, units), for a layer named lstm. A batch of pairs is ``centre``, ``context``
(N,), ``negatives`` (S,) and the log expected counts ``log_true`` (N,), ``log_negatives`` (S,); ``model`` of
them gives logits (N, 1 + S), and ``predict(model, words)`` the cosine similarity with every word (N, V). The
loss's own tensors are ``model.nce_weight``, ``model.nce_bias``, for a loss named nce.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from benchmarks.errors import Unavailable
from benchmarks.workload import NCE, Workload

# What a device offers; float32 is strict. float16 would need its loss scaled inside every train_step: left out.
PRECISIONS = {"cpu": ("float32", "bf16"), "cuda": ("float32", "tf32", "bf16")}


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


def check_precision(precision: str, device: str) -> None:
    """Unavailable where the device has no such precision."""
    if precision not in PRECISIONS[device]:
        raise Unavailable(f"a stack on {device} offers {', '.join(PRECISIONS[device])}, not {precision}")


def describe_optimizer(optimizer: Any) -> str:
    """Whose class updates the weights: ``keras Adam``; of an implementation's own its module's name."""
    kind = type(optimizer)
    return f"{kind.__module__.partition('.')[0]} {kind.__name__}"


def beside_layers(workload: Workload) -> list[tuple[str, str]]:
    """Owner and part of the tensors no layer object holds: states, and what belongs to the loss.

    The model has them as attributes ``owner_part``.
    """
    names = [t.name for t in workload.tensors if t.state]
    if isinstance(workload.loss, NCE):
        names += [f"{workload.loss.name}.weight", f"{workload.loss.name}.bias"]
    pairs = [name.rsplit(".", 1) for name in names]
    return [(owner, part) for owner, part in pairs]


class Program(Protocol):
    """A built model with its optimiser in one mode, on one device.

    Handles are whatever the framework returns; they may still be computing until
    :meth:`Adapter.synchronize`. Canonical arrays are float32 NumPy in the layouts of
    ``benchmarks.layers``, keyed by tensor name.
    """

    def train_step(self, *batch: Any) -> Any:
        """One optimiser step on a placed batch; returns a handle of the loss. This is what is timed."""

    # Modes that take several steps at once also have ``together``, their number, and ``train_steps(*stacked)``, which
    # takes that many batches stacked along a new first axis (or any other number, compiled apart) and returns their
    # losses. Their ``train_step`` is the same function with a stack of one.

    def predict(self, *inputs: Any) -> Any:
        """Logits of placed inputs in evaluation mode, as a handle; of text, logits and the new state."""

    def forward(self, *inputs: Any) -> np.ndarray:
        """Logits of placed inputs in *training* mode, without a step; running statistics may move."""

    def set_learning_rate(self, rate: float) -> None:
        """From the next step on."""

    def gradients(self, *batch: Any) -> tuple[float, dict[str, np.ndarray]]:
        """Loss and canonical gradients in training mode, compiled as the mode compiles; no step is taken."""

    def get_tensors(self) -> dict[str, np.ndarray]:
        """Copies of all declared tensors, running statistics included, in canonical layout."""

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        """Load the given tensors in place (compiled functions stay valid)."""

    def dropout_on_ones(self, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Each declared dropout layer applied in training mode to ones of ``shape``, in one call of this mode's kind.

        Called twice, it must draw new masks. Empty where the model has no dropout.
        """


class Adapter(Protocol):
    """One framework in one mode on one device, inside a worker.

    Constructed as ``Adapter(mode=..., device=..., threads=..., seed=..., precision="float32")``: sets seeds
    for dropout, thread counts, denormal flushing and the precision (strict float32 unless told otherwise). In bf16 the
    model's forward pass computes in mixed precision; parameters, logits and loss stay float32.
    """

    conventions: Conventions

    def versions(self) -> dict[str, str]:
        """Versions of the framework, its backend, and of CUDA and cuDNN where used."""

    def settings(self) -> dict[str, Any]:
        """Threads, denormal and TF32 policy as read back from the framework (JSON types)."""

    def used(self, program: Program) -> dict[str, Any]:
        """What steps of ``program`` really ran on, asked after some of them (JSON types).

        ``onednn``: whether convolutions and products may use it; ``cpu_kernels``: instruction set of the framework's
        own kernels; ``optimizer``: whose, and in which form; ``compiled_graphs``: made for the training step, None
        where the mode compiles nothing.
        """

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
