"""PyTorch's ``DataLoader``, for the part ``pipeline``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from benchmarks.experiments.pipeline.pairs import pairs_of, with_negatives
from benchmarks.workload import Images, Pairs, Workload

PROCESSES = (0, 2)  # of a loader, beside the one that trains
PATIENCE = 60  # seconds for a batch from another process: a failure is told, not waited for


class Augmented(Dataset):  # type: ignore[misc]  # PyTorch's types are not followed
    """Enlarged bytes (N, 40, 40, C), cropped and mirrored sample by sample."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, declared: Images) -> None:
        self.images = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)  # (N, C, 40, 40)
        self.labels, self.declared = torch.from_numpy(np.array(labels)), declared
        self.side = declared.shape[0]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        room = self.images.shape[-1] - self.side + 1
        down, right = torch.randint(room, (2,)).tolist()
        image = self.images[index, :, down : down + self.side, right : right + self.side]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        pixels = image / self.declared.divisor
        return (pixels - self.declared.mean) / self.declared.stddev, self.labels[index]


class Windows(Dataset):  # type: ignore[misc]  # as above
    """Stretches of the text side by side: item i is a whole batch, in the order that carried state needs."""

    def __init__(self, words: np.ndarray, rows: int, steps: int) -> None:
        length = len(words) // rows
        self.streams = torch.from_numpy(np.array(words[: rows * length])).reshape(rows, length)
        self.steps = steps

    def __len__(self) -> int:
        return int((self.streams.shape[1] - 1) // self.steps)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        start = index * self.steps
        return self.streams[:, start : start + self.steps], self.streams[:, start + 1 : start + 1 + self.steps]


class Negatives:
    """Puts pairs together to a batch and draws what they share: PyTorch has no such sampler, so it is NumPy's."""

    def __init__(self, declared: Pairs) -> None:
        self.declared = declared

    def __call__(self, samples: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
        centre, context = (torch.stack(column) for column in zip(*samples, strict=True))
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        made = with_negatives(self.declared, centre.numpy(), context.numpy(), rng)
        return [torch.from_numpy(array) for array in made]


def dataset(workload: Workload, arrays: dict[str, np.ndarray], augmented: bool) -> tuple[Any, dict[str, Any]]:
    """What is loaded, and how a loader makes batches of it."""
    declared, batch = workload.dataset, workload.batch_size
    shuffled: dict[str, Any] = {"batch_size": batch, "shuffle": True, "drop_last": True}
    if isinstance(declared, Images):
        if augmented:
            return Augmented(arrays["train_x"], arrays["train_y"], declared), shuffled
        x = arrays["train_x"]
        laid_out = np.ascontiguousarray(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
        return TensorDataset(torch.from_numpy(laid_out), torch.from_numpy(np.array(arrays["train_y"]))), shuffled
    if isinstance(declared, Pairs):
        count = workload.steps(len(arrays["train"])) * batch
        pairs = [torch.from_numpy(a[:count]) for a in pairs_of(declared, arrays["train"])]
        return TensorDataset(*pairs), shuffled | {"collate_fn": Negatives(declared)}
    return Windows(arrays["train"], batch, declared.steps), {"batch_size": None}


def loaders(
    adapter: Any, workload: Workload, arrays: dict[str, np.ndarray], augmented: bool
) -> dict[str, tuple[str, Callable[[], Iterator[tuple[Any, ...]]]]]:
    """Name -> how it is written, and a function that gives the batches of an epoch."""
    data, how = dataset(workload, arrays, augmented)
    pinned = adapter.device.type == "cuda"

    def made(processes: int) -> Callable[[], Iterator[tuple[Any, ...]]]:
        further = {"num_workers": processes, "persistent_workers": True, "timeout": PATIENCE} if processes else {}
        loader: Any = DataLoader(data, pin_memory=pinned, **further, **how)

        def epoch() -> Iterator[tuple[Any, ...]]:
            for batch in loader:
                yield tuple(tensor.to(adapter.device, non_blocking=pinned) for tensor in batch)

        return epoch

    where = {0: "in the process that trains", 2: "in two further processes that stay"}
    return {f"DataLoader, {n} workers": (f"torch.utils.data.DataLoader {where[n]}", made(n)) for n in PROCESSES}
