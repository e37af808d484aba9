"""TensorLayerX's ``DataLoader`` and ``vision.transforms``, for the part ``pipeline``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorlayerx as tlx
from tensorlayerx.dataflow import DataLoader, Dataset, TensorDataset
from tensorlayerx.vision import transforms

from benchmarks.experiments.pipeline.pairs import pairs_of, with_negatives
from benchmarks.workload import Images, Pairs, Workload


class Augmented(Dataset):  # type: ignore[misc]  # TensorLayerX brings no types
    """Enlarged bytes (N, 40, 40, C), cropped and mirrored sample by sample."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, declared: Images) -> None:
        self.images, self.labels, self.declared = np.array(images), np.array(labels), declared
        side = declared.shape[:2]
        self.transform = transforms.Compose([transforms.RandomCrop(size=side), transforms.RandomFlipHorizontal(0.5)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        pixels = self.transform(self.images[index]).astype(np.float32) / np.float32(self.declared.divisor)
        return (pixels - np.float32(self.declared.mean)) / np.float32(self.declared.stddev), self.labels[index]


class Windows(Dataset):  # type: ignore[misc]  # as above
    """Stretches of the text side by side: item i is a whole batch, in the order that carried state needs."""

    def __init__(self, words: np.ndarray, rows: int, steps: int) -> None:
        length = len(words) // rows
        self.streams, self.steps = np.array(words[: rows * length]).reshape(rows, length), steps

    def __len__(self) -> int:
        return int((self.streams.shape[1] - 1) // self.steps)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self.steps
        return self.streams[:, start : start + self.steps], self.streams[:, start + 1 : start + 1 + self.steps]


def loaders(
    adapter: Any, workload: Workload, arrays: dict[str, np.ndarray], augmented: bool
) -> dict[str, tuple[str, Callable[[], Iterator[tuple[Any, ...]]]]]:
    """Name -> how it is written, and a function that gives the batches of an epoch."""
    declared, batch = workload.dataset, workload.batch_size
    how: dict[str, Any] = {"batch_size": batch, "shuffle": True, "drop_last": True}
    data: Any
    if isinstance(declared, Images) and augmented:
        data = Augmented(arrays["train_x"], arrays["train_y"], declared)
    elif isinstance(declared, Images):
        data = TensorDataset(np.array(arrays["train_x"]), np.array(arrays["train_y"]))
    elif isinstance(declared, Pairs):
        count, rng = workload.steps(len(arrays["train"])) * batch, np.random.default_rng(0)
        data = TensorDataset(*(a[:count] for a in pairs_of(declared, arrays["train"])))

        def collate(samples: Any) -> list[Any]:
            centre, context = (np.array(column) for column in zip(*samples, strict=True))
            return [tlx.convert_to_tensor(array) for array in with_negatives(declared, centre, context, rng)]

        how["collate_fn"] = collate
    else:
        data, how = Windows(arrays["train"], batch, declared.steps), {"batch_size": None}
    loader = DataLoader(data, **how)

    def epoch() -> Iterator[tuple[Any, ...]]:
        for made in loader:
            yield tuple(made)

    written = "tlx.dataflow.DataLoader, which loads in the process that trains whatever num_workers says"
    return {"tlx.dataflow": (written, epoch)}
