"""Data sets: one module per set, found by its name. NumPy and the standard library only at import."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.errors import Problem
from benchmarks.workload import DataSource, Images


class DataError(Problem):
    """Data that are missing or not what they should be; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What a workload trains and is tested on.

    ``train_x``, ``test_x``: float32 (N, *shape); ``train_y``, ``test_y``: int64 (N,). ``optimum`` is the
    accuracy of the exact posterior on this very test set, None where it is unknown.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    description: str
    optimum: float | None

    @cached_property
    def digest(self) -> str:
        """SHA-256 over type, shape and bytes of the four arrays."""
        digest = hashlib.sha256()
        for array in (self.train_x, self.train_y, self.test_x, self.test_y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(
    images: Images, *, source: DataSource, seed: int, train_examples: int | None, test_examples: int | None
) -> Dataset:
    """The data set ``images`` names, embedded (generated) or real (from the data folder)."""
    module = f"benchmarks.data.{images.name}"
    known = images.name.isidentifier() and importlib.util.find_spec(module) is not None
    found = importlib.import_module(module) if known else None
    if found is None or not hasattr(found, "embedded"):
        raise DataError(f"there is no data set {images.name!r}: add benchmarks/data/{images.name}.py")
    if source == "embedded":
        result: Dataset = found.embedded(images, seed=seed, train_examples=train_examples, test_examples=test_examples)
    else:
        result = found.real(images, train_examples=train_examples, test_examples=test_examples)
    return result


def shaped(values: np.ndarray, images: Images) -> np.ndarray:
    """Pixels (N, pixels) as the model sees them: (value - mean) / stddev, float32 (N, *shape)."""
    out = (values - np.float32(images.mean)) / np.float32(images.stddev)
    return np.ascontiguousarray(out.reshape(len(values), *images.shape), np.float32)
