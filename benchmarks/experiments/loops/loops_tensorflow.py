"""Keras's ``compile`` and ``fit``, for the part ``loops``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.workload import Images, Workload

PLAIN = "model.compile and model.fit with loss and accuracy, not shuffled"
OWN = "model.fit of a Model with a train_step of its own, not shuffled"
TUNED: dict[str, dict[str, Any]] = {
    "fit": {"jit_compile": False},
    "fit ×8": {"jit_compile": False, "steps_per_execution": 8},
    "fit auto": {},
}


def loops(workload: Workload) -> dict[str, str]:
    how = PLAIN if isinstance(workload.dataset, Images) else OWN
    out = {"fit": f"{how}; jit_compile=False", "fit ×8": f"{how}; jit_compile=False, steps_per_execution=8"}
    # When nothing is said Keras compiles with XLA, but not on a machine without a GPU: there it would be fit again.
    auto = how == PLAIN and tf.config.list_physical_devices("GPU")
    return out | ({"fit auto": f"{how}; jit_compile left at Keras's default"} if auto else {})


class OwnStep(keras.Model):  # type: ignore[misc]  # Keras's types are not followed
    """As Keras's guide writes a model whose loss is not one of labels and predictions."""

    def __init__(self, model: Any, step: Callable[..., Any]) -> None:
        super().__init__()
        self.inner, self.step = model, step
        self.built = True

    def train_step(self, data: tuple[Any, ...]) -> dict[str, Any]:
        return {"loss": self.step(*data)}


def make(
    name: str, program: Any, implementation: Any, workload: Workload, arrays: tuple[np.ndarray, ...], batch: int | None
) -> Callable[[int], None]:
    """``batch`` of None: each row of ``arrays`` is a batch already."""
    model, optimizer = program.model, program.optimizer
    if isinstance(workload.dataset, Images):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], **TUNED[name])
    else:
        model = OwnStep(model, lambda *data: implementation.train_step(program.model, optimizer, *data))
        model.compile(optimizer=None, **TUNED[name])
    if batch is None:
        batches = tf.data.Dataset.from_tensor_slices(arrays)
        return lambda epochs: model.fit(batches, epochs=epochs, verbose=2)
    x, y = arrays
    return lambda epochs: model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=2)
