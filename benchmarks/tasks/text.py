"""A stream of words: rows of a batch read on in parallel, state carried; perplexity, generation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.layers import LSTM
from benchmarks.tasks.inputs import Batch, load_array
from benchmarks.workload import Text, Workload

if TYPE_CHECKING:
    from benchmarks.tasks import Hands

BOOK_PROMPT = "it is a"
PROMPT = 3  # words of a prompt
TOP_K = (1, 3, 5, 10)
GENERATED = 30  # words the book generates after it


class TextTask:
    def __init__(self, workload: Workload, folder: Path, seed: int) -> None:
        assert isinstance(workload.dataset, Text)
        self.workload, self.text, self.folder = workload, workload.dataset, folder
        (self.lstm,) = (p.layer for p in workload.leaves if isinstance(p.layer, LSTM))

    @staticmethod
    def least(workload: Workload) -> dict[str, int]:
        """Return the words of each split that fill one batch and, of the test text, leave something after a prompt."""
        assert isinstance(workload.dataset, Text)
        batch = workload.batch_size * (workload.dataset.steps + 1)
        return {"train": batch, "test": max(batch, PROMPT + 1)}

    def _read(self, name: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield positions, words and next words of every batch: ``batch_size`` stretches of the text side by side."""
        ids, rows, steps = load_array(self.folder, name), self.workload.batch_size, self.text.steps
        length = len(ids) // rows
        streams = ids[: rows * length].reshape(rows, length)
        for start in range(0, length - steps, steps):
            x, y = streams[:, start : start + steps], streams[:, start + 1 : start + 1 + steps]
            yield np.arange(rows) * length + start, np.ascontiguousarray(x), np.ascontiguousarray(y)

    def epoch(self, number: int) -> Iterator[Batch]:
        for positions, x, y in self._read("train"):
            yield Batch(positions, (x, y))

    def state(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        zero = np.zeros((rows, self.lstm.units), np.float32)
        return zero, zero.copy()

    def forward_inputs(self, batch: Batch) -> tuple[np.ndarray, ...]:
        x = batch.arrays[0]
        return (x, *self.state(len(x)))

    predict_inputs = forward_inputs

    def evaluate(self, hands: Hands) -> dict[str, float]:
        """Return exp of the mean negative log-likelihood; rows start without context, which costs them a few words."""
        h, c = map(hands.place, self.state(self.workload.batch_size))
        total, count = 0.0, 0
        for _, x, y in self._read("test"):
            logits, h, c = hands.predict(hands.place(x), h, c)
            total -= float(log_probability(hands.to_numpy(logits), y).sum())
            count += y.size
        return {"perplexity": float(np.exp(total / count))}

    def single(self, hands: Hands, calls: int) -> dict[str, list[float]]:
        """Time greedy generation. First: a prompt in, the first word out; then one word in, the next one out."""
        test, at = load_array(self.folder, "test"), 0
        seconds: list[float] = []
        first: list[float] = []
        while len(seconds) < calls:
            prompt = np.array(test[at : at + PROMPT])[None]
            at = (at + PROMPT) % (len(test) - PROMPT)
            zeros = self.state(1)
            start = time.perf_counter_ns()
            word, h, c = self._next(hands, prompt, *map(hands.place, zeros))
            first.append((time.perf_counter_ns() - start) / 1e9)
            for _ in range(min(GENERATED - 1, calls - len(seconds))):
                start = time.perf_counter_ns()
                word, h, c = self._next(hands, np.array([[word]]), h, c)
                seconds.append((time.perf_counter_ns() - start) / 1e9)
        return {"seconds": seconds, "first_seconds": first}

    @staticmethod
    def _next(hands: Hands, words: np.ndarray, h: Any, c: Any) -> tuple[int, Any, Any]:
        logits, h, c = hands.predict(hands.place(words), h, c)
        return int(hands.to_numpy(logits)[0, -1].argmax()), h, c

    def generate(self, hands: Hands, prompt: np.ndarray, *, count: int, k: int, rng: np.random.Generator) -> np.ndarray:
        """Write ``count`` words after ``prompt`` (1, P), drawn from the ``k`` most probable; k = 1 draws nothing."""
        h, c = map(hands.place, self.state(1))
        words, out = prompt, []
        for _ in range(count):
            logits, h, c = hands.predict(hands.place(words), h, c)
            out.append(top_k(hands.to_numpy(logits)[0, -1], k, rng))
            words = np.array([[out[-1]]])
        return np.array(out)

    def samples(self, hands: Hands) -> dict[str, str]:
        """Return what the model writes after a prompt, by k: the book's own where its words are known."""
        from benchmarks.data import words

        known = load_array(self.folder, "words")
        spelt = set(known.tolist())
        test = load_array(self.folder, "test")
        phrase = BOOK_PROMPT if set(BOOK_PROMPT.split()) <= spelt else words.decode(test[:PROMPT], known)
        prompt = words.encode(phrase, known)[None]
        out = {}
        for k in TOP_K:
            made = self.generate(hands, prompt, count=GENERATED, k=k, rng=np.random.default_rng(k))
            out[f"k = {k}"] = f"{phrase} | {words.decode(made, known)}"
        return out

    def offline(self, size: int) -> list[tuple[np.ndarray, ...]]:
        ids = load_array(self.folder, "test")
        shape = (size, self.text.steps)
        return [(np.resize(np.roll(ids, k), shape), *self.state(size)) for k in range(4)]


def log_probability(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the log soft-max of ``logits`` (..., V) at ``y`` (...)."""
    top = logits.max(-1)
    chosen = np.take_along_axis(logits, y[..., None], -1)[..., 0]
    out: np.ndarray = chosen - top - np.log(np.exp(logits - top[..., None]).sum(-1))
    return out


def top_k(logits: np.ndarray, k: int, rng: np.random.Generator) -> int:
    """Draw one of the ``k`` largest, with probability proportional to exp(logit); ties go to the lower id."""
    best = np.argsort(-logits, kind="stable")[:k]
    if k == 1:
        return int(best[0])
    weights = np.exp(logits[best].astype(np.float64) - float(logits[best[0]]))
    return int(rng.choice(best, p=weights / weights.sum()))
