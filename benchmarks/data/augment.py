"""Augmentation of small colour images without a framework: enlarge once, then crop and mirror at random per batch."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels, of an image as it is and of a crop
LARGE = 40  # pixels, of an enlarged image

_TENTHS = 10  # SIDE / LARGE is 0.8, so that all weights between two pixels are whole tenths
_BLOCK = 512  # images enlarged at a time, for the memory of what lies between

Value = TypeVar("Value", bound=np.generic)


def enlarge(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, SIDE, SIDE, C) as (N, LARGE, LARGE, C): bilinear, pixel centres at halves, edges repeated.

    Rounded once, halves up, in whole numbers, so that no platform can differ.
    """
    _check(images, SIDE)
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8, got {images.dtype}")
    out = np.empty((len(images), LARGE, LARGE, images.shape[3]), np.uint8)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK].astype(np.uint16)  # holds 255 * _TENTHS**2 and a half
        block = _between(_between(block, axis=1), axis=2)
        out[start : start + _BLOCK] = (block + _TENTHS**2 // 2) // _TENTHS**2
    return out


def _between(values: NDArray[np.uint16], *, axis: int) -> NDArray[np.uint16]:
    """Return ``values`` at LARGE places instead of SIDE along an axis, _TENTHS times as large."""
    # the centre of pixel i lies at (i + 1/2) * SIDE / LARGE - 1/2 of the smaller image
    tenths = (2 * np.arange(LARGE) + 1) * _TENTHS * SIDE // (2 * LARGE) - _TENTHS // 2
    before, share = np.divmod(tenths.clip(0, _TENTHS * (SIDE - 1)), _TENTHS)
    after = (before + 1).clip(max=SIDE - 1)
    shape = [-1 if d == axis else 1 for d in range(values.ndim)]
    weight = share.astype(np.uint16).reshape(shape)
    return values.take(before, axis) * (_TENTHS - weight) + values.take(after, axis) * weight


def crop(batch: NDArray[Value], rng: np.random.Generator) -> NDArray[Value]:
    """Cut a SIDE x SIDE piece of each image (N, LARGE, LARGE, C), anywhere with equal chance, every other one mirrored.

    Three draws from ``rng`` per image, in a fixed order: place down, place right, mirrored or not.
    """
    _check(batch, LARGE)
    count, channels = len(batch), batch.shape[3]
    down, right = rng.integers(0, LARGE - SIDE + 1, (2, count))
    mirrored = rng.integers(0, 2, count, dtype=np.int64)
    at = np.arange(SIDE)
    columns = right[:, None] + np.where(mirrored[:, None] == 1, at[::-1], at)
    rows = (np.arange(count) * LARGE + down)[:, None] + at
    cut: NDArray[Value] = batch.reshape(-1, channels).take(rows[:, :, None] * LARGE + columns[:, None, :], axis=0)
    return cut


def _check(images: NDArray[np.generic], side: int) -> None:
    if images.ndim != 4 or images.shape[1:3] != (side, side):
        raise ValueError(f"images must have shape (N, {side}, {side}, C), got {images.shape}")
