"""Enlarging, cropping and mirroring: against the definition written out, and against Pillow where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data.augment import LARGE, SIDE, crop, enlarge

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def written_out(image: np.ndarray) -> np.ndarray:
    """Bilinear with pixel centres at halves, a pixel at a time, in float64 and not rounded."""
    out = np.empty((40, 40, 3))
    for i in range(40):
        for j in range(40):
            y, x = (min(max((k + 0.5) * 0.8 - 0.5, 0.0), 31.0) for k in (i, j))
            top, left = min(int(y), 30), min(int(x), 30)
            dy, dx = y - top, x - left
            upper = (1 - dx) * image[top, left] + dx * image[top, left + 1]
            lower = (1 - dx) * image[top + 1, left] + dx * image[top + 1, left + 1]
            out[i, j] = (1 - dy) * upper + dy * lower
    return out


def test_enlarge_is_the_definition_rounded() -> None:
    found = enlarge(IMAGES)
    assert (found.dtype, found.shape) == (np.uint8, (6, 40, 40, 3))
    for image, large in zip(IMAGES[:2], found[:2], strict=True):
        assert np.abs(large - written_out(image)).max() < 0.5 + 1e-9


def test_enlarge_is_that_of_pillow_but_for_a_grey_level() -> None:
    pillow = pytest.importorskip("PIL.Image")
    resized = [np.asarray(pillow.fromarray(image).resize((40, 40), pillow.Resampling.BILINEAR)) for image in IMAGES]
    assert np.abs(enlarge(IMAGES).astype(int) - np.array(resized).astype(int)).max() <= 1


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_enlarge_leaves_a_plain_image_plain(level: int) -> None:
    np.testing.assert_array_equal(enlarge(np.full((1, 32, 32, 3), level, np.uint8)), level)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513])
def test_enlarge_does_every_image_on_its_own(count: int) -> None:
    images = np.resize(IMAGES, (count, 32, 32, 3))
    np.testing.assert_array_equal(enlarge(images), np.resize(enlarge(IMAGES), (count, 40, 40, 3)))


def test_enlarge_keeps_symmetry() -> None:
    np.testing.assert_array_equal(enlarge(IMAGES[:, :, ::-1]), enlarge(IMAGES)[:, :, ::-1])
    np.testing.assert_array_equal(enlarge(IMAGES.transpose(0, 2, 1, 3)), enlarge(IMAGES).transpose(0, 2, 1, 3))


def places(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place down, place right and mirrored or not of each of ``count`` crops, read off what they show."""
    marked = np.zeros((count, LARGE, LARGE, 2), np.int16)
    marked[..., 0], marked[..., 1] = np.arange(LARGE)[:, None], np.arange(LARGE)
    cut = crop(marked, np.random.default_rng(seed))
    assert (cut.dtype, cut.shape) == (np.int16, (count, SIDE, SIDE, 2))
    assert (np.diff(cut[..., 0], axis=1) == 1).all() and (np.diff(cut[..., 0], axis=2) == 0).all()
    steps = np.diff(cut[..., 1], axis=2)
    assert (np.abs(steps) == 1).all() and (steps == steps[:, :1, :1]).all()
    return cut[:, 0, 0, 0], cut[..., 1].min(axis=(1, 2)), steps[:, 0, 0] < 0


def test_crops_are_uniform_and_half_of_them_mirrored() -> None:
    count = 5_000
    down, right, mirrored = places(count, 0)
    for place in (down, right):
        counts = np.bincount(place, minlength=9)
        assert len(counts) == 9
        assert np.abs(counts - count / 9).max() < 4.5 * np.sqrt(count * 8 / 81)
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(count)
    assert np.abs(np.corrcoef([down, right, mirrored]) - np.eye(3)).max() < 4.5 / np.sqrt(count)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_crop_is_a_piece_of_its_own_image(dtype: type[np.generic]) -> None:
    batch = enlarge(IMAGES).astype(dtype)
    kept = batch.copy()
    down, right, mirrored = places(len(batch), 7)
    cut = crop(batch, np.random.default_rng(7))
    assert cut.dtype == dtype
    assert cut.flags.c_contiguous
    for image, piece, y, x, turned in zip(batch, cut, down, right, mirrored, strict=True):
        whole = image[y : y + 32, x : x + 32]
        np.testing.assert_array_equal(piece, whole[:, ::-1] if turned else whole)
    np.testing.assert_array_equal(batch, kept)


def test_crops_depend_on_the_generator_alone() -> None:
    batch = enlarge(IMAGES)
    rng = np.random.default_rng(1)
    first, second = crop(batch, rng), crop(batch, rng)
    np.testing.assert_array_equal(first, crop(batch, np.random.default_rng(1)))
    assert (first != second).any()
    assert crop(batch[:0], rng).shape == (0, 32, 32, 3)


def test_another_shape_or_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="32, 32, C"):
        enlarge(enlarge(IMAGES))
    with pytest.raises(ValueError, match="uint8"):
        enlarge(IMAGES.astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="40, 40, C"):
        crop(IMAGES, np.random.default_rng(0))
