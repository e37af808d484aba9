"""Data sets: one module per set, found by its name. NumPy and the standard library only at import."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.errors import Problem
from benchmarks.workload import DataSource, Images, Pairs, Text


class DataError(Problem):
    """Data that are missing or not what they should be; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What a workload trains and is tested on.

    ``arrays`` by name; which ones, says the declared kind of data. Images: ``train_x``, ``test_x`` float32
    (N, *shape), ``train_y``, ``test_y`` int64 (N,). Text and pairs: ``train``, ``test`` int64 word ids, and
    ``words``, the vocabulary. ``optimum`` is the metric that perfect knowledge of the source reaches on this
    very test set, None where it is unknown. ``corpus`` names the real text, where there could be another.
    """

    arrays: dict[str, np.ndarray]
    train_examples: int
    test_examples: int
    description: str
    optimum: float | None
    corpus: str | None = None

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 over type, shape and bytes of all arrays."""
        digest = hashlib.sha256()
        for array in self.arrays.values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(
    declared: Images | Text | Pairs,
    *,
    source: DataSource,
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
) -> Dataset:
    """Return the data set that ``declared`` names, embedded (generated) or real (from the data folder)."""
    module = f"benchmarks.data.{declared.name}"
    known = declared.name.isidentifier() and importlib.util.find_spec(module) is not None
    found = importlib.import_module(module) if known else None
    if found is None or not hasattr(found, "embedded"):
        raise DataError(f"there is no data set {declared.name!r}: add benchmarks/data/{declared.name}.py")
    if source == "embedded":
        make = functools.partial(found.embedded, seed=seed)
    else:
        make = found.real
    result: Dataset = make(declared, train_examples=train_examples, test_examples=test_examples)
    return result


def shaped(values: np.ndarray, images: Images) -> np.ndarray:
    """Return pixels (N, pixels) as the model gets them: (value - mean) / stddev, float32 (N, *shape)."""
    out = (values - np.float32(images.mean)) / np.float32(images.stddev)
    return np.ascontiguousarray(out.reshape(len(values), *images.shape), np.float32)
