"""CIFAR-10: the official binary files, and generated textures of the same shape whose optimum is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.data import DataError, Dataset, shaped, textures
from benchmarks.data.fetch import File, checked
from benchmarks.workload import Images

ARCHIVE = File(
    name="cifar-10-binary.tar.gz",
    size=170_052_171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    urls=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
)
SIDE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + CHANNELS * SIDE * SIDE  # bytes: the label, then one plane per channel
PER_FILE = 10_000  # images
TRAIN, TEST = 50_000, 10_000


def _file(name: str, sha256: str) -> File:
    return File(
        name=name, size=RECORD * PER_FILE, sha256=sha256, folder="cifar-10-batches-bin", archive=ARCHIVE, urls=()
    )


FILES = (
    _file("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
    _file("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
    _file("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
    _file("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
    _file("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    _file("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
)


def embedded(images: Images, *, seed: int, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Generate textures; independent training and test streams of one seed."""
    train, test = train_examples or images.train_examples, test_examples or TEST
    train_x, train_y = textures.sample(train, seed=seed, split="train")
    test_x, test_y = textures.sample(test, seed=seed, split="test")
    return Dataset(
        arrays={
            "train_x": shaped(train_x, images),
            "train_y": train_y,
            "test_x": shaped(test_x, images),
            "test_y": test_y,
        },
        train_examples=train,
        test_examples=test,
        description=f"generated textures, version {textures.VERSION}, seed {seed}",
        optimum=textures.optimum(test_x, test_y),
    )


def real(images: Images, *, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Read the official files from the data folder; raise DataError when they are missing, broken or too few."""
    train, test = train_examples or images.train_examples, test_examples or TEST
    *batches, last = checked("cifar10", FILES)
    if train > TRAIN or test > TEST:
        raise DataError(f"CIFAR-10 has {TRAIN} training and {TEST} test images, {train} and {test} were asked")
    train_x, train_y = _first(train, batches)
    test_x, test_y = _first(test, [last])
    return Dataset(
        arrays={
            "train_x": _seen(train_x, images),
            "train_y": train_y,
            "test_x": _seen(test_x, images),
            "test_y": test_y,
        },
        train_examples=train,
        test_examples=test,
        description=f"CIFAR-10, the first {train} training images",
        optimum=None,
    )


def parse(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read records as uint8 images (N, SIDE, SIDE, CHANNELS) and int64 labels (N,); DataError if there are none."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from None
    if not len(content) or len(content) % RECORD:
        raise DataError(f"{path.name} holds {len(content)} bytes, which are not whole records of {RECORD}")
    records = content.reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= CLASSES:
        raise DataError(f"{path.name} has a label {labels.max()}, and the largest is {CLASSES - 1}")
    planes = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _first(count: int, paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``count`` images and labels of files of PER_FILE images each; reads no file it does not need."""
    parsed = [parse(path) for path in paths[: -(-count // PER_FILE)]]
    images, labels = (np.concatenate(parts)[:count] for parts in zip(*parsed, strict=True))
    return images, labels


def _seen(pixels: np.ndarray, images: Images) -> np.ndarray:
    """Return bytes as the model gets them, float32 (N, *shape)."""
    # A byte has only 256 values: looking them up takes a quarter of the memory of doing the arithmetic on all pixels.
    levels = np.arange(256, dtype=np.uint8).astype(np.float32) * np.float32(1.0 / images.divisor)
    table = shaped(levels, dataclasses.replace(images, shape=()))
    seen: np.ndarray = table[pixels].reshape(len(pixels), *images.shape)
    return seen
