"""Skip-gram pairs with their negatives; NCE loss on held-out pairs, similarities, analogies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.tasks.inputs import Batch, generator, load_array
from benchmarks.workload import NCE, Pairs, Workload

if TYPE_CHECKING:
    from benchmarks.tasks import Hands

WORDS = 1024  # different words that inference asks for, the most frequent ones


class PairsTask:
    def __init__(self, workload: Workload, folder: Path, seed: int) -> None:
        assert isinstance(workload.dataset, Pairs)
        assert isinstance(workload.loss, NCE)
        self.workload, self.pairs, self.nce = workload, workload.dataset, workload.loss
        self.folder, self.seed = folder, seed
        (self.embedding,) = (p.tensors[0].name for p in workload.leaves if p.tensors)

    @staticmethod
    def least(workload: Workload) -> dict[str, int]:
        """Return the words of each split that fill one batch; held-out pairs have a batch of their own."""
        from benchmarks.data.skipgram import TEST_BATCH

        assert isinstance(workload.dataset, Pairs)
        around = 2 * workload.dataset.window
        return {"train": around - -workload.batch_size // around, "test": around - -TEST_BATCH // around}

    def epoch(self, number: int) -> Iterator[Batch]:
        from benchmarks.data.skipgram import batches

        made = batches(
            load_array(self.folder, "train"),
            vocabulary=self.pairs.vocabulary,
            window=self.pairs.window,
            negatives=self.pairs.negatives,
            batch_size=self.workload.batch_size,
            rng=generator(self.seed, "pairs", number),
        )
        for index, arrays in enumerate(made):
            ids = index * self.workload.batch_size + np.arange(self.workload.batch_size)
            yield Batch(ids, tuple(arrays))

    def forward_inputs(self, batch: Batch) -> tuple[np.ndarray, ...]:
        return batch.arrays

    def predict_inputs(self, batch: Batch) -> tuple[np.ndarray, ...]:
        return batch.arrays[:1]

    def evaluate(self, hands: Hands) -> dict[str, float]:
        from benchmarks.data.skipgram import scores

        tensors = hands.tensors()
        arrays = {path.stem: load_array(self.folder, path.stem) for path in self.folder.glob("*.npy")}
        found = scores(
            tensors[self.embedding],
            tensors[f"{self.nce.name}.weight"],
            tensors[f"{self.nce.name}.bias"],
            arrays,
            window=self.pairs.window,
            negatives=self.pairs.negatives,
        )
        return {"nce_loss": found.pop("loss"), **found}

    def vector_scores(self, vectors: np.ndarray) -> dict[str, float]:
        """Return what :meth:`evaluate` reports besides the loss, of word vectors (V, D) alone."""
        from benchmarks.data.skipgram import scores

        arrays = {path.stem: load_array(self.folder, path.stem) for path in self.folder.glob("*.npy")}
        arrays["test"] = arrays["test"][:0]  # no held-out words, no loss: it needs the declared model
        return scores(vectors, vectors, np.zeros(len(vectors), np.float32), arrays, window=self.pairs.window)

    def samples(self, hands: Hands) -> dict[str, str]:
        """Return the nearest words of a few frequent ones, as the book prints them; nearest first."""
        from benchmarks.data.skipgram import asked, nearest

        words = load_array(self.folder, "words")
        groups = self.folder / "groups.npy"
        ids = asked(len(words), load_array(self.folder, "groups") if groups.exists() else None)
        found = nearest(hands.tensors()[self.embedding][: len(words)], ids)
        return {str(words[i]): ", ".join(words[row].tolist()) for i, row in zip(ids, found, strict=True)}

    def single(self, hands: Hands, calls: int) -> dict[str, list[float]]:
        """Time one word in, its cosine similarity with every word out."""
        seconds = []
        for i in range(calls):
            word = np.array([i % min(WORDS, self.pairs.vocabulary)])
            start = time.perf_counter_ns()
            hands.to_numpy(hands.predict(hands.place(word)))
            seconds.append((time.perf_counter_ns() - start) / 1e9)
        return {"seconds": seconds}

    def offline(self, size: int) -> list[tuple[np.ndarray, ...]]:
        words = np.arange(min(WORDS, self.pairs.vocabulary))
        return [(np.resize(np.roll(words, k), size),) for k in range(4)]
