"""What every stack of a run gets alike: initial weights, batches and their order.

All of it is made by NumPy from the declaration and the seed, so no framework's
random numbers enter. Workers read it from files.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.workload import Workload

ARRAYS = ("train_x", "train_y", "test_x", "test_y")


def generator(seed: int, *words: str | int) -> np.random.Generator:
    """An independent stream for each combination of seed and words."""
    keys = [zlib.crc32(w.encode()) if isinstance(w, str) else w for w in words]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *keys])))


def initial_tensors(workload: Workload, seed: int) -> dict[str, np.ndarray]:
    """Tensor name -> float32 array in canonical layout. A tensor's values depend on its name and the seed only."""
    return {t.name: t.initialiser.draw(t.shape, generator(seed, "weights", t.name)) for t in workload.tensors}


def epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    """Sample ids of one epoch in training order, int64 (examples,)."""
    return generator(seed, "order", epoch).permutation(examples)


def batch_ids(seed: int, epoch: int, examples: int, batch_size: int) -> Iterator[np.ndarray]:
    """Ids of each full batch of an epoch; the last partial batch is dropped."""
    order = epoch_order(seed, epoch, examples)
    for start in range(0, examples - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


class OrderDigest:
    """SHA-256 over sample ids and the labels read back from the device, batch by batch."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, ids: np.ndarray, labels: np.ndarray) -> None:
        self._hash.update(np.ascontiguousarray(ids, "<i8").tobytes())
        self._hash.update(np.ascontiguousarray(labels, "<i8").tobytes())

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def epoch_digest(labels: np.ndarray, *, seed: int, epochs: int, batch_size: int) -> str:
    """The digest a faithful training of ``epochs`` epochs must report."""
    digest = OrderDigest()
    for epoch in range(epochs):
        for ids in batch_ids(seed, epoch, len(labels), batch_size):
            digest.add(ids, labels[ids])
    return digest.hexdigest()


def save_arrays(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """One ``.npy`` per array, so that workers can map them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def load_array(folder: Path, name: str) -> np.ndarray:
    """The array, memory-mapped and read-only."""
    array: np.ndarray = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return array


def first_batches(folder: Path, *, seed: int, batch_size: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first ``count`` batches of the first epoch as host arrays; wraps around small data sets."""
    x, y = load_array(folder, "train_x"), load_array(folder, "train_y")
    order = epoch_order(seed, 0, len(x))
    ids = np.resize(order, count * batch_size).reshape(count, batch_size)
    return [(np.ascontiguousarray(x[i]), np.ascontiguousarray(y[i])) for i in ids]
