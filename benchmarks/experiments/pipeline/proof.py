"""Proof that a feed brings the data it should: every sample of an epoch, with its label, augmented as declared.

Loaders shuffle and crop each in its own way, so batches cannot be compared. What can be is the set of samples. Without
augmentation it is the same in every feed, down to the bit; with it, samples are traced back to the enlarged images that
they were cut from.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.data.augment import LARGE, SIDE
from benchmarks.workload import Images, Pairs, Text, Workload

TRACED = 512  # samples at most, the first of an epoch
_PATCH = 8  # pixels: side of the middle piece that every cut of an image holds
_AT = (LARGE - _PATCH) // 2  # where that piece begins in an enlarged image
PLACES = LARGE - SIDE + 1  # rows, and columns, that a cut may begin at

Batch = Sequence[np.ndarray]


class Proof:
    """Gathers what is told of the batches of one epoch.

    ``enlarged``: images (N, 40, 40, C) and labels (N,) that samples are cut from; None where they are not augmented.
    """

    def __init__(self, workload: Workload, enlarged: tuple[np.ndarray, np.ndarray] | None) -> None:
        self._workload, self._enlarged = workload, enlarged
        self._sums: list[np.ndarray] = []
        self._kinds: list[tuple[list[int], str]] = []
        self._rows: list[bytes] = []
        self._pairs: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._first: list[tuple[np.ndarray, np.ndarray]] = []
        self._batches = 0

    def add(self, batch: Batch) -> None:
        self._kinds = [(list(a.shape), str(a.dtype)) for a in batch]
        self._sums.append(np.array([[a.mean(dtype=np.float64), np.square(a, dtype=np.float64).mean()] for a in batch]))
        if isinstance(self._workload.dataset, Images):
            images, labels = _upright(batch[0], self._workload.dataset), np.asarray(batch[1], np.int64)
            self._labels.append(labels)
            if self._enlarged is None:
                self._rows += _hashes(images, labels)
            elif len(self._first) * len(labels) < TRACED:
                self._first.append((images, labels))
        elif isinstance(self._workload.dataset, Text):  # rows read on from batch to batch: their order counts
            place = np.full(len(batch[0]), self._batches)
            self._rows += _hashes(place, *(np.asarray(a, np.int64) for a in batch))
        else:  # millions of them: as numbers
            centre, context = (np.asarray(a, np.int64) for a in batch[:2])
            self._pairs.append(centre * self._workload.dataset.vocabulary + context)
        self._batches += 1

    def told(self) -> dict[str, Any]:
        """Fields of ``Feed``: columns, labels, samples, traced."""
        means = np.mean(self._sums, axis=0)
        columns = [
            {"shape": shape, "dtype": kind, "mean": mean, "deviation": max(0.0, square - mean**2) ** 0.5}
            for (shape, kind), (mean, square) in zip(self._kinds, means.tolist(), strict=True)
        ]
        traced = None
        if self._enlarged is not None:
            images, labels = (np.concatenate(column)[:TRACED] for column in zip(*self._first, strict=True))
            traced = trace(_bytes(images, self._workload), labels, *self._enlarged)
        counts = np.bincount(np.concatenate(self._labels)).tolist() if self._labels else []
        return {"columns": columns, "labels": counts, "samples": self._digest(), "traced": traced}

    def _digest(self) -> str | None:
        """Of the set of samples, whatever their order."""
        if self._enlarged is not None:
            return None
        pairs = np.sort(np.concatenate(self._pairs)).tobytes() if self._pairs else b""
        return hashlib.sha256(b"".join(sorted(self._rows)) + pairs).hexdigest()


def _hashes(*columns: np.ndarray) -> Iterable[bytes]:
    """Of every row, over all columns together."""
    laid_out = [np.ascontiguousarray(c) for c in columns]
    for row in zip(*laid_out, strict=True):
        yield hashlib.blake2b(b"".join(part.tobytes() for part in row), digest_size=16).digest()


def _upright(images: np.ndarray, declared: Images) -> np.ndarray:
    """Channels last, whatever the framework's layout."""
    first = images.ndim == 4 and images.shape[1:] != declared.shape
    return images.transpose(0, 2, 3, 1) if first else images


def _bytes(images: np.ndarray, workload: Workload) -> np.ndarray:
    """Pixels as they were before they were scaled; what was no byte becomes one that fits nowhere."""
    declared = workload.dataset
    assert isinstance(declared, Images)
    exact = (images.astype(np.float64) * declared.stddev + declared.mean) * declared.divisor
    return np.asarray(np.rint(exact).clip(0, 255).astype(np.uint8))


def trace(cut: np.ndarray, labels: np.ndarray, images: np.ndarray, known: np.ndarray) -> dict[str, Any]:
    """Where each of ``cut`` (n, 32, 32, C) with its label comes from, among ``images`` (N, 40, 40, C) bytes.

    A sample that fits several places of images with its label counts as unclear.
    """
    middles: dict[bytes, list[int]] = defaultdict(list)
    piece = slice(_AT, _AT + _PATCH)
    for index, middle in enumerate(np.ascontiguousarray(images[:, piece, piece])):
        middles[middle.tobytes()].append(index)
    out = {"samples": len(cut), "strange": 0, "mispaired": 0, "unclear": 0, "mirrored": 0}
    down, right = np.zeros(PLACES, int), np.zeros(PLACES, int)
    for sample, label in zip(cut, labels, strict=True):
        found = [
            (index, place, mirrored)
            for mirrored, turned in enumerate((sample, sample[:, ::-1]))
            for place, patch in _patches(turned)
            for index in middles.get(patch, ())
            if np.array_equal(images[index, place[0] : place[0] + SIDE, place[1] : place[1] + SIDE], turned)
        ]
        own = {(place, mirrored) for index, place, mirrored in found if known[index] == label}
        if not found:
            out["strange"] += 1
        elif not own:
            out["mispaired"] += 1
        elif len(own) > 1:
            out["unclear"] += 1
        else:
            ((place, mirrored),) = own
            out["mirrored"] += mirrored
            down[place[0]] += 1
            right[place[1]] += 1
    return out | {"down": down.tolist(), "right": right.tolist()}


def _patches(sample: np.ndarray) -> Iterable[tuple[tuple[int, int], bytes]]:
    """Every place that ``sample`` (32, 32, C) may have been cut at, and what then is the middle of its image."""
    for down in range(PLACES):
        for right in range(PLACES):
            top, left = _AT - down, _AT - right
            yield (down, right), sample[top : top + _PATCH, left : left + _PATCH].tobytes()


def whole_batches(workload: Workload, arrays: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """The training arrays of exactly ``steps`` batches, so that no loader leaves out samples of its own choice."""
    dataset, batch = workload.dataset, workload.batch_size
    if isinstance(dataset, Text):
        return {"train": arrays["train"][: batch * (steps * dataset.steps + 1)]}
    if isinstance(dataset, Pairs):
        around = 2 * dataset.window
        return {"train": arrays["train"][: around + -(-steps * batch // around)]}
    return {name: arrays[name][: steps * batch] for name in ("train_x", "train_y")}
