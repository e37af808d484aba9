"""Images shaped like CIFAR-10 whose best possible accuracy is known.

One image is ``MEAN + contrast * template + tint + SIGMA * noise``: a template is a periodic
coloured texture in one of ``STYLES`` styles of its class, perhaps mirrored, moved around by a
whole number of pixels (what leaves at one edge enters at the other); the tint is one normal
number per image and channel, the noise is standard normal and independent in every value. Class,
style, mirroring, shift and contrast are independent and uniform. Given these an image is normal
with a known covariance, so the posterior over the classes is a finite sum of Gaussians, which
:func:`log_posterior` gives exactly. One style of each class is a blend with another class, so that
even the best classifier errs. No value is clipped or rounded to grey levels: either would make
that posterior wrong.

The templates depend on ``VERSION`` alone, the samples on ``VERSION``, the seed and the split. No
sample comes from a matrix product, so none depends on the BLAS.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Split: TypeAlias = Literal["train", "test"]

VERSION = 1  # a change of any template or sample needs a new number
SIDE = 32  # pixels
CHANNELS = 3
CLASSES = 10
STYLES = 4  # per class
REACH = 8  # pixels: shifts run from -REACH to REACH in both directions
CONTRASTS = (0.6, 0.8, 1.0)
MEAN = 0.5  # of all values, about
SIGMA = 0.15  # standard deviation of the noise
TINT = 0.1  # standard deviation of an image's own colour offset, per channel
PAIRS = ((0, 5), (1, 6), (2, 7), (3, 8), (4, 9))  # classes that share an ambiguous last style
BLEND = 0.52  # share of its own class in an ambiguous texture; the rest is its partner's

SHAPE = (SIDE, SIDE, CHANNELS)
SHIFTS = (2 * REACH + 1) ** 2
COMPONENTS = CLASSES * STYLES * 2 * SHIFTS * len(CONTRASTS)

_TEXTURE = 0.18  # standard deviation of a texture over its pixels at contrast 1
_COLOUR = 0.1  # standard deviation of a style's mean colour, per channel
_CHROMA = 0.5  # of a wave's strength: how much its channels differ
_FINEST = 8.0  # waves per side, at most
_STEEP = 1.0  # strength of a wave is its frequency to the power of minus this
_LEVELS = 1024  # templates are multiples of 1 / _LEVELS, so that no platform's sine can change them
_BATCH = 20  # images per block of log_posterior and of sample; larger ones leave the cache
_SPLITS: dict[Split, int] = {"train": 0, "test": 1}


def _texture(rng: np.random.Generator) -> Floats:
    """Return one style: a random field of smooth waves around a mean colour of its own, (SIDE, SIDE, CHANNELS)."""
    waves = np.fft.fftfreq(SIDE, 1.0 / SIDE)
    frequency = np.hypot(waves[:, None], waves[None, :])
    inside = (frequency >= 1.0) & (frequency <= _FINEST)
    strength = np.where(inside, np.maximum(frequency, 1.0) ** -_STEEP, 0.0)
    grey, colours = rng.standard_normal((SIDE, SIDE, 1)), rng.standard_normal(SHAPE)
    spectrum = np.fft.fft2(grey + _CHROMA * colours, axes=(0, 1)) * strength[:, :, None]
    field = np.fft.ifft2(spectrum, axes=(0, 1)).real
    return np.asarray(field * (_TEXTURE / field.std()) + rng.normal(0.0, _COLOUR, CHANNELS))


@lru_cache(maxsize=1)
def templates() -> Floats:
    """Return every template at contrast 1, not moved: (CLASSES * STYLES * 2, *SHAPE), read-only, mirroring fastest."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([VERSION])))
    fields = np.array([[_texture(rng) for _ in range(STYLES)] for _ in range(CLASSES)])
    for a, b in PAIRS:
        one, two = fields[a, -1].copy(), fields[b, -1].copy()
        fields[a, -1] = BLEND * one + (1 - BLEND) * two
        fields[b, -1] = BLEND * two + (1 - BLEND) * one
    fields = np.rint(fields * _LEVELS) / _LEVELS
    both = np.stack([fields, fields[:, :, :, ::-1]], axis=2).reshape(-1, *SHAPE)
    both.setflags(write=False)
    return both


def sample(count: int, *, seed: int, split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw ``count`` images (count, *SHAPE) and their labels (count,).

    A shorter sample is the beginning of a longer one of the same seed and split.
    """
    streams = np.random.SeedSequence([VERSION, seed, _SPLITS[split]]).spawn(3)
    which, colour, noise = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    component = which.integers(0, COMPONENTS, count)
    tint = colour.standard_normal((count, 1, 1, CHANNELS)) * TINT
    moved, contrast = np.divmod(component, len(CONTRASTS))
    template, shift = np.divmod(moved, SHIFTS)
    down, right = np.divmod(shift, 2 * REACH + 1)
    at = np.arange(SIDE)
    rows, columns = (at - (down - REACH)[:, None]) % SIDE, (at - (right - REACH)[:, None]) % SIDE
    texture, level = templates(), np.array(CONTRASTS)
    images = np.empty((count, *SHAPE), np.float32)
    for start in range(0, count, _BATCH):
        part = slice(start, min(start + _BATCH, count))
        block = noise.standard_normal((part.stop - start, *SHAPE))
        block *= SIGMA
        seen = texture[template[part, None, None], rows[part, :, None], columns[part, None, :]]
        block += level[contrast[part], None, None, None] * seen
        block += tint[part] + MEAN
        images[part] = block
    return images, template // (STYLES * 2)


def log_posterior(images: NDArray[np.floating]) -> Floats:
    """Return log p(class | image) under the generator, (N, CLASSES), for images (N, *SHAPE) as from :func:`sample`.

    Computed in float64; raises ValueError for another shape.
    """
    if images.ndim != 4 or images.shape[1:] != SHAPE:
        raise ValueError(f"images must have shape (N, {SIDE}, {SIDE}, {CHANNELS}), got {images.shape}")
    texture, level = templates(), np.array(CONTRASTS)
    # With x = c t + tint + noise, S = SIGMA^2 + TINT^2 11' in each channel, and w = t / S:
    # log N(x; c t, S) = c x.w - c^2 t.w / 2 + a term that is the same for every class. A shift leaves t.w as it is.
    share = TINT**2 / (SIGMA**2 + SIDE**2 * TINT**2)  # of 11' in the inverse of S (Woodbury)
    weighed = (texture - share * texture.sum(axis=(1, 2), keepdims=True)) / SIGMA**2
    norm = level**2 * (texture * weighed).sum(axis=(1, 2, 3))[:, None] / 2.0
    # All shifts of x.w at once are a circular correlation, so a product of spectra (frequencies, channels, templates).
    spectra = np.fft.rfft2(weighed, axes=(1, 2)).conj().reshape(len(texture), -1, CHANNELS).transpose(1, 2, 0)
    near = np.arange(-REACH, REACH + 1) % SIDE
    out = np.empty((len(images), CLASSES))
    for start in range(0, len(images), _BATCH):
        block = images[start : start + _BATCH].astype(np.float64) - MEAN
        seen = np.fft.rfft2(block, axes=(1, 2)).reshape(len(block), -1, CHANNELS).transpose(1, 0, 2)
        product = (seen @ spectra).transpose(1, 2, 0).reshape(len(block), len(texture), SIDE, SIDE // 2 + 1)
        match = np.fft.irfft(np.fft.ifft(product, axis=2)[:, :, near], SIDE, axis=3)[..., near]
        score = match.reshape(len(block), len(texture), SHIFTS, 1) * level
        score -= norm[:, None, :]
        out[start : start + _BATCH] = _log_sum_exp(score.reshape(len(block), CLASSES, -1))
    return out - _log_sum_exp(out)[:, None]


def _log_sum_exp(values: Floats) -> Floats:
    """Return the log of the sum of exponentials over the last axis."""
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=-1)) + top[..., 0])


def optimum(images: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return the accuracy of the best possible classifier on these very images."""
    return float((log_posterior(images).argmax(axis=1) == labels).mean())
