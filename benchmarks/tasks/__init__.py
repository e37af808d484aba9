"""What the kinds of data ask of a worker: batches, inference and the metric. One module per kind; NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.tasks.images import ImagesTask
from benchmarks.tasks.inputs import Batch
from benchmarks.tasks.pairs import PairsTask
from benchmarks.tasks.text import TextTask
from benchmarks.workload import Pairs, Recipe, Text, Workload

Arrays = dict[str, np.ndarray]


class Hands(Protocol):
    """A program as a task sees it; arrays of the host go in, ``placed`` ones and results of calls too."""

    place: Callable[[np.ndarray], Any]
    to_numpy: Callable[[Any], np.ndarray]

    def predict(self, *placed: Any) -> Any: ...
    def forward(self, *arrays: np.ndarray) -> np.ndarray: ...
    def tensors(self) -> Arrays: ...


class Task(Protocol):
    """One workload's data in a folder of arrays, in the order of one seed."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the full batches of an epoch, in training order."""

    def forward_inputs(self, batch: Batch) -> tuple[np.ndarray, ...]:
        """Return what the model itself takes of a training batch."""

    def predict_inputs(self, batch: Batch) -> tuple[np.ndarray, ...]:
        """Return what evaluation takes of a training batch."""

    def evaluate(self, hands: Hands) -> dict[str, float]:
        """Return the metric on the whole test set, by its name and first; then further scores."""

    def samples(self, hands: Hands) -> dict[str, str]:
        """Return what the report shows of the trained model besides scores; empty where there is no more."""

    def single(self, hands: Hands, calls: int) -> dict[str, list[float]]:
        """Time ``calls`` single calls, host to host: ``seconds``, and ``first_seconds`` where they differ."""

    def offline(self, size: int) -> list[tuple[np.ndarray, ...]]:
        """Return a few different inputs of ``size`` rows."""


def task(workload: Workload, folder: Path, seed: int) -> Task:
    """Return the task of ``workload``, its arrays in ``folder``."""
    if isinstance(workload.dataset, Text):
        return TextTask(workload, folder, seed)
    if isinstance(workload.dataset, Pairs):
        return PairsTask(workload, folder, seed)
    return ImagesTask(workload, folder, seed)


def prepare(workload: Workload, recipe: Recipe, arrays: Arrays) -> Arrays:
    """Return the arrays as workers need them for ``recipe``."""
    return ImagesTask.prepare(workload, recipe, arrays) if recipe.augmentation else arrays


def unfit(workload: Workload) -> str:
    """Return why there is no batch of the workload's size, whatever the data, in a sentence; empty where there is."""
    around = 2 * workload.dataset.window if isinstance(workload.dataset, Pairs) else 1
    if workload.batch_size % around == 0:
        return ""
    return (
        f"{workload.key} takes batches of whole centres, {around} pairs each, and {workload.batch_size} is no multiple"
        "; choose another batch size"
    )


def too_short(workload: Workload, words: Mapping[str, int]) -> str:
    """Return which text, of so many ``words`` by split, fills no batch, in a sentence; empty when all do."""
    dataset = workload.dataset
    if not isinstance(dataset, (Text, Pairs)):
        return ""
    least = TextTask.least(workload) if isinstance(dataset, Text) else PairsTask.least(workload)
    for split, have in words.items():
        if have < least[split]:
            return (
                f"{workload.key}: the {split} text has {have:,} words and fills no batch, which takes "
                f"{least[split]:,}; give it more words"
            )
    return ""


def first(made: Task, count: int) -> list[Batch]:
    """Return the first ``count`` batches; small data sets go into the next epoch."""
    out: list[Batch] = []
    epoch = 0
    while len(out) < count:
        before = len(out)
        for batch in made.epoch(epoch):
            out.append(batch)
            if len(out) == count:
                break
        if len(out) == before:
            raise ValueError("the data do not fill one batch")
        epoch += 1
    return out


def epoch_digest(made: Task, epochs: int) -> str:
    """Return the digest that a faithful training of ``epochs`` epochs must report."""
    from benchmarks.tasks.inputs import OrderDigest

    digest = OrderDigest()
    for epoch in range(epochs):
        for batch in made.epoch(epoch):
            digest.add(batch.ids, batch.arrays)
    return digest.hexdigest()
