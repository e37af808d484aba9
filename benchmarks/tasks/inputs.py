"""What every stack of a run gets alike: initial weights, batches and their order.

All of it is made by NumPy from the declaration and the seed, so no framework's
random numbers enter. Workers read it from files.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.workload import Workload


class Batch(NamedTuple):
    """What was drawn, and the arrays a training step takes, in its order."""

    ids: np.ndarray
    arrays: tuple[np.ndarray, ...]


def generator(seed: int, *words: str | int) -> np.random.Generator:
    """Return an independent stream for each combination of seed and words."""
    keys = [zlib.crc32(w.encode()) if isinstance(w, str) else w for w in words]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *keys])))


def initial_tensors(workload: Workload, seed: int) -> dict[str, np.ndarray]:
    """Return tensor name -> float32 array in canonical layout. Values depend on the tensor's name and the seed only."""
    return {t.name: t.initialiser.draw(t.shape, generator(seed, "weights", t.name)) for t in workload.tensors}


def epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    """Return the sample ids of one epoch in training order, int64 (examples,)."""
    return generator(seed, "order", epoch).permutation(examples)


def batch_ids(seed: int, epoch: int, examples: int, batch_size: int) -> Iterator[np.ndarray]:
    """Yield the ids of each full batch of an epoch; the last partial batch is dropped."""
    order = epoch_order(seed, epoch, examples)
    for start in range(0, examples - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


class OrderDigest:
    """SHA-256 over sample ids and whole-number arrays (labels, words) read back from the device, batch by batch."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, ids: np.ndarray, arrays: Sequence[np.ndarray]) -> None:
        for array in (ids, *arrays):
            if array.dtype.kind in "iu":
                self._hash.update(np.ascontiguousarray(array, "<i8").tobytes())

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def save_arrays(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write one ``.npy`` per array, so that workers can map them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def load_array(folder: Path, name: str) -> np.ndarray:
    """Return the array, memory-mapped and read-only."""
    array: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return array
