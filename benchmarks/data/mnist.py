"""MNIST: the official four files, and generated digits of the same shape whose optimum is known."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from benchmarks.data import DataError, Dataset, shaped, strokes
from benchmarks.data.fetch import File, checked
from benchmarks.workload import Images

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def _file(name: str, size: int, sha256: str) -> File:
    return File(name=name, size=size, sha256=sha256, urls=tuple(mirror + name for mirror in MIRRORS))


FILES = (
    _file("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    _file("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    _file("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    _file("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
TRAIN, TEST = 60_000, 10_000
MAX_RANK = 32  # of an idx file; NumPy 1 can hold no more


def embedded(images: Images, *, seed: int, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Generate digits; independent training and test streams of one seed."""
    train, test = train_examples or images.train_examples, test_examples or TEST
    train_x, train_y = strokes.sample(train, seed=seed, split="train")
    test_x, test_y = strokes.sample(test, seed=seed, split="test")
    return Dataset(
        arrays={
            "train_x": shaped(train_x, images),
            "train_y": train_y,
            "test_x": shaped(test_x, images),
            "test_y": test_y,
        },
        train_examples=train,
        test_examples=test,
        description=f"generated strokes, version {strokes.VERSION}, seed {seed}",
        optimum=strokes.optimum(test_x, test_y),
    )


def real(images: Images, *, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Read the official files from the data folder; raise DataError when they are missing, broken or too few."""
    arrays = [parse_idx(path) for path in checked("mnist", FILES)]
    train_x, train_y, test_x, test_y = arrays
    train, test = train_examples or images.train_examples, test_examples or TEST
    if train > len(train_x) or test > len(test_x):
        raise DataError(
            f"MNIST has {len(train_x)} training and {len(test_x)} test images, {train} and {test} were asked"
        )
    scale = np.float32(1.0 / images.divisor)
    return Dataset(
        arrays={
            "train_x": shaped(train_x[:train].reshape(train, -1).astype(np.float32) * scale, images),
            "train_y": train_y[:train].astype(np.int64),
            "test_x": shaped(test_x[:test].reshape(test, -1).astype(np.float32) * scale, images),
            "test_y": test_y[:test].astype(np.int64),
        },
        train_examples=train,
        test_examples=test,
        description=f"MNIST, the first {train} training images",
        optimum=None,
    )


def parse_idx(path: Path) -> np.ndarray:
    """Return a gzipped idx file of unsigned bytes as a uint8 array; raise DataError when it is not one."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is not a whole gzip file: {error}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != 8 or content[3] > MAX_RANK:
        raise DataError(f"{path.name} is not an idx file of bytes")
    rank = content[3]
    if len(content) < 4 + 4 * rank:
        raise DataError(f"{path.name} ends within its header")
    shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    body = content[4 + 4 * rank :]
    if len(body) != math.prod(shape):
        raise DataError(f"{path.name} promises {shape} bytes and holds {len(body)}")
    return np.frombuffer(body, np.uint8).reshape(shape)
