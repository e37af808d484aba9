"""Images shaped like MNIST whose best possible accuracy is known.

One image is ``contrast * template + SIGMA * noise``: a template is a digit drawn
with a pen in one of ``STYLES`` styles and moved by a whole number of pixels, the
noise is standard normal and independent in every pixel. Class, style, shift and
contrast are independent and uniform, so the posterior over the classes is a finite
sum of Gaussians, which :func:`log_posterior` gives exactly. One style of each class
is a blend with another class, so that even the best classifier errs. No value is clipped or
rounded to grey levels: either would make that posterior wrong.

The templates depend on ``VERSION`` alone, the samples on ``VERSION``, the seed and
the split. No sample comes from a matrix product, so none depends on the BLAS.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Split: TypeAlias = Literal["train", "test"]

VERSION = 1  # a change of any template or sample needs a new number
SIDE = 28  # pixels
CLASSES = 10
STYLES = 4  # per class
REACH = 3  # pixels: shifts run from -REACH to REACH in both directions
CONTRASTS = (0.6, 0.8, 1.0)
SIGMA = 0.5  # standard deviation of the pixel noise; full ink is 1
PAIRS = ((0, 6), (1, 7), (2, 3), (4, 9), (5, 8))  # classes that share an ambiguous last style
BLEND = 0.6  # share of its own class in an ambiguous digit; the rest is its partner's

PIXELS = SIDE * SIDE
SHIFTS = (2 * REACH + 1) ** 2
COMPONENTS = CLASSES * STYLES * SHIFTS * len(CONTRASTS)

_SCALE = 17.0  # pixels: height of a digit's centre line
_BEND = 0.055  # of the height: how far a warp moves a point, per wave
_SOFT = 0.6  # pixels: half the width of the pen's soft edge
_LEVELS = 1024  # templates are multiples of 1 / _LEVELS, so that no platform's sine can change them
_BATCH = 500  # images per matrix product in log_posterior
_SPLITS: dict[Split, int] = {"train": 0, "test": 1}


def _line(*points: tuple[float, float]) -> Floats:
    """Return points (x, y) every few hundredths along straight lines."""
    pieces = [np.linspace(a, b, 16) for a, b in pairwise(points)]
    return np.concatenate(pieces)


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Floats:
    """Return points on the ellipse around (x, y) with radii rx, ry; degrees, clockwise from the right."""
    angle = np.radians(np.linspace(start, end, 40))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def _digits() -> tuple[tuple[Floats, ...], ...]:
    """Return centre lines of 0 to 9, x to the right, y down, height 1, width about 0.6."""
    return (
        (_arc(0.3, 0.5, 0.3, 0.5, 0, 360),),
        (_line((0.15, 0.22), (0.35, 0.0), (0.35, 1.0)),),
        (np.concatenate([_arc(0.3, 0.28, 0.28, 0.28, 190, 395), _line((0.53, 0.44), (0.03, 1.0), (0.62, 1.0))]),),
        (_arc(0.28, 0.25, 0.27, 0.25, 200, 450), _arc(0.28, 0.75, 0.31, 0.25, 270, 520)),
        (_line((0.42, 0.0), (0.0, 0.65), (0.65, 0.65)), _line((0.45, 0.35), (0.45, 1.0))),
        (np.concatenate([_line((0.57, 0.0), (0.1, 0.0), (0.06, 0.42)), _arc(0.28, 0.68, 0.32, 0.32, 230, 510)]),),
        (np.concatenate([_line((0.45, 0.0), (0.1, 0.45)), _arc(0.3, 0.71, 0.29, 0.29, 205, 560)]),),
        (_line((0.0, 0.0), (0.6, 0.0), (0.2, 1.0)),),
        (_arc(0.3, 0.25, 0.24, 0.25, 0, 360), _arc(0.3, 0.75, 0.3, 0.25, 0, 360)),
        (np.concatenate([_arc(0.3, 0.29, 0.28, 0.29, 0, 360), _line((0.58, 0.29), (0.5, 1.0))]),),
    )


def _draw(strokes: tuple[Floats, ...], rng: np.random.Generator) -> Floats:
    """Draw one style of a digit: slanted, stretched, bent; (side, side) ink from 0 to 1, centred."""
    slant, width, height = rng.uniform(-0.25, 0.25), rng.uniform(0.8, 1.2), rng.uniform(0.88, 1.0)
    waves = rng.uniform(-1.0, 1.0, (2, 3, 2)) * 2.0 * math.pi  # along x and y, per wave: frequency vector
    phases = rng.uniform(0.0, 2.0 * math.pi, (2, 3))
    pen = rng.uniform(0.9, 1.4)  # pixels: half the width of a stroke

    bent = []
    for points in strokes:
        x, y = points[:, 0] - 0.3, points[:, 1] - 0.5
        moved = [
            sum(_BEND * np.sin(waves[d, k, 0] * x + waves[d, k, 1] * y + phases[d, k]) for k in range(3))
            for d in range(2)
        ]
        bent.append(_SCALE * np.stack([width * x - slant * y + moved[0], height * y + moved[1]], axis=1))
    together = np.concatenate(bent)
    middle = (together.min(axis=0) + together.max(axis=0)) / 2.0

    side = SIDE + 2 * REACH
    at = np.arange(side) - (side - 1) / 2.0
    distance = np.full((side, side), np.inf)
    for line in bent:
        for (x0, y0), (x1, y1) in zip(line[:-1] - middle, line[1:] - middle, strict=True):
            dx, dy = x1 - x0, y1 - y0
            px, py = at[None, :] - x0, at[:, None] - y0
            along = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0.0, 1.0)
            distance = np.minimum(distance, np.hypot(px - along * dx, py - along * dy))
    ramp = np.clip((pen + _SOFT - distance) / (2.0 * _SOFT), 0.0, 1.0)
    return np.asarray(np.rint(ramp * ramp * (3.0 - 2.0 * ramp) * _LEVELS) / _LEVELS)


@lru_cache(maxsize=1)
def templates() -> Floats:
    """Return every template at contrast 1: (CLASSES * STYLES * SHIFTS, PIXELS), read-only, shift varying fastest."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([VERSION])))
    ink = np.array([[_draw(strokes, rng) for _ in range(STYLES)] for strokes in _digits()])
    for a, b in PAIRS:
        one, two = ink[a, -1].copy(), ink[b, -1].copy()
        ink[a, -1] = np.rint((BLEND * one + (1 - BLEND) * two) * _LEVELS) / _LEVELS
        ink[b, -1] = np.rint((BLEND * two + (1 - BLEND) * one) * _LEVELS) / _LEVELS
    windows = np.lib.stride_tricks.sliding_window_view(ink, (SIDE, SIDE), axis=(2, 3))
    flat = windows.reshape(-1, PIXELS)
    flat.setflags(write=False)
    return flat


def sample(count: int, *, seed: int, split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw ``count`` images (count, PIXELS) and their labels (count,).

    A shorter sample is the beginning of a longer one of the same seed and split.
    """
    streams = np.random.SeedSequence([VERSION, seed, _SPLITS[split]]).spawn(2)
    which, noise = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    component = which.integers(0, COMPONENTS, count)
    template, contrast = np.divmod(component, len(CONTRASTS))
    ink, level = templates(), np.array(CONTRASTS)
    images = np.empty((count, PIXELS), np.float32)
    for start in range(0, count, _BATCH):
        rows = slice(start, min(start + _BATCH, count))
        block = noise.standard_normal((rows.stop - start, PIXELS))
        block *= SIGMA
        block += level[contrast[rows], None] * ink[template[rows]]
        images[rows] = block
    return images, template // (STYLES * SHIFTS)


def log_posterior(images: NDArray[np.floating]) -> Floats:
    """Return log p(class | image) under the generator, (N, CLASSES), for images (N, PIXELS) as from :func:`sample`.

    Computed in float64; raises ValueError for another shape.
    """
    if images.ndim != 2 or images.shape[1] != PIXELS:
        raise ValueError(f"images must have shape (N, {PIXELS}), got {images.shape}")
    ink = templates()
    level = np.array(CONTRASTS)
    # log N(x; c t, SIGMA) = (c x.t - c^2 |t|^2 / 2) / SIGMA^2 + a term that is the same for every class
    norm = (level**2 * (ink**2).sum(axis=1)[:, None] / 2.0).reshape(-1)
    out = np.empty((len(images), CLASSES))
    for start in range(0, len(images), _BATCH):
        product = images[start : start + _BATCH].astype(np.float64) @ ink.T
        score = (product[:, :, None] * level).reshape(len(product), -1)
        score -= norm
        score /= SIGMA**2
        out[start : start + _BATCH] = _log_sum_exp(score.reshape(len(product), CLASSES, -1))
    return out - _log_sum_exp(out)[:, None]


def _log_sum_exp(values: Floats) -> Floats:
    """Return the log of the sum of exponentials over the last axis."""
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=-1)) + top[..., 0])


def optimum(images: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return the accuracy of the best possible classifier on these very images."""
    return float((log_posterior(images).argmax(axis=1) == labels).mean())
