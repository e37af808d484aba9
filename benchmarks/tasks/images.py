"""Labelled images: shuffled batches, optional augmentation, accuracy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.tasks.inputs import Batch, batch_ids, generator, load_array
from benchmarks.workload import Images, Recipe, Workload

if TYPE_CHECKING:
    from benchmarks.tasks import Arrays, Hands

EVALUATION_BATCH = 500


class ImagesTask:
    def __init__(self, workload: Workload, folder: Path, seed: int) -> None:
        assert isinstance(workload.dataset, Images)
        self.workload, self.images, self.folder, self.seed = workload, workload.dataset, folder, seed

    @staticmethod
    def prepare(workload: Workload, recipe: Recipe, arrays: Arrays) -> Arrays:
        """Enlarge training images to 40 × 40 bytes, from which every epoch crops anew."""
        from benchmarks.data.augment import enlarge

        images = workload.dataset
        assert isinstance(images, Images)
        assert recipe.augmentation == "resize40_flip_crop32"
        raw = np.rint((arrays["train_x"] * images.stddev + images.mean) * images.divisor).clip(0, 255).astype(np.uint8)
        return {**arrays, "train_x": enlarge(raw)}

    def epoch(self, number: int) -> Iterator[Batch]:
        x, y = load_array(self.folder, "train_x"), load_array(self.folder, "train_y")
        rng = generator(self.seed, "augment", number)
        for ids in batch_ids(self.seed, number, len(x), self.workload.batch_size):
            pixels = x[ids]
            if pixels.dtype == np.uint8:
                pixels = self._augmented(pixels, rng)
            yield Batch(ids, (np.ascontiguousarray(pixels), np.ascontiguousarray(y[ids])))

    def _augmented(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        from benchmarks.data import shaped
        from benchmarks.data.augment import crop

        scaled = crop(pixels, rng).astype(np.float32) / np.float32(self.images.divisor)
        return shaped(scaled.reshape(len(scaled), -1), self.images)

    def forward_inputs(self, batch: Batch) -> tuple[np.ndarray, ...]:
        return batch.arrays[:1]

    predict_inputs = forward_inputs

    def evaluate(self, hands: Hands) -> dict[str, float]:
        """Evaluate in batches: the last one is padded and the padding dropped."""
        x, y = load_array(self.folder, "test_x"), load_array(self.folder, "test_y")
        size = min(EVALUATION_BATCH, len(x))
        right = 0
        for start in range(0, len(x), size):
            rows = np.arange(start, start + size) % len(x)
            logits = hands.to_numpy(hands.predict(hands.place(x[rows])))
            count = min(size, len(x) - start)
            right += int((logits.argmax(1)[:count] == y[rows][:count]).sum())
        out = {"accuracy": right / len(x)}
        if self.workload.also_batch_statistics:
            out["accuracy_batch_statistics"] = self._with_batch_statistics(hands, x, y)
        return out

    def _with_batch_statistics(self, hands: Hands, x: np.ndarray, y: np.ndarray) -> float:
        """Measure as a book that never switched to evaluation mode; a last partial batch is left out."""
        size = min(self.workload.batch_size, len(x))
        starts = range(0, len(x) - size + 1, size)
        right = sum(int((hands.forward(x[s : s + size]).argmax(1) == y[s : s + size]).sum()) for s in starts)
        return right / (size * len(starts))

    def samples(self, hands: Hands) -> dict[str, str]:
        return {}

    def single(self, hands: Hands, calls: int) -> dict[str, list[float]]:
        x = np.ascontiguousarray(load_array(self.folder, "test_x")[:1024])
        seconds = []
        for i in range(calls):
            row = x[i % len(x)][None]
            start = time.perf_counter_ns()
            hands.to_numpy(hands.predict(hands.place(row)))
            seconds.append((time.perf_counter_ns() - start) / 1e9)
        return {"seconds": seconds}

    def offline(self, size: int) -> list[tuple[np.ndarray, ...]]:
        x = np.ascontiguousarray(load_array(self.folder, "test_x")[:1024])
        return [(np.resize(np.roll(x, k, axis=0), (size, *x.shape[1:])),) for k in range(4)]
