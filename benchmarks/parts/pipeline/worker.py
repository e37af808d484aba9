"""Inside the worker: epochs from each feed, in turns, each with training and without."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, parts, tasks
from benchmarks.session import Session
from benchmarks.workload import Images, Pairs, Text, Workload

LEAST = 4  # steps of an epoch
Arrays = dict[str, np.ndarray]


@dataclass
class Timed:
    """A feed and what it took. ``epoch`` gives the batches of one epoch, placed; None: they lie there already."""

    name: str
    kind: str
    written: str
    epoch: Callable[[], Iterator[tuple[Any, ...]]] | None
    first_seconds: float = 0.0
    epoch_seconds: list[float] = field(default_factory=list)
    loading_seconds: list[float] = field(default_factory=list)
    batches: int = 0
    columns: list[dict[str, Any]] = field(default_factory=list)


def answer(session: Session, *, framework: str, seconds: float, most: int, epochs: int) -> dict[str, Any]:
    module, workload = parts.of_framework(framework, "pipeline"), session.workload
    session.do_build()
    session.steps(2 * session.together)
    once = session.steps(2 * session.together) / (2 * session.together)
    arrays, augmentation = cut(workload, session.arrays(), min(most, max(LEAST, round(seconds / once))))
    steps = workload.steps(len(arrays["train_x" if isinstance(workload.dataset, Images) else "train"]))
    folder = Path(tempfile.mkdtemp())
    inputs.save_arrays(folder, arrays)
    shared = tasks.task(workload, folder, session.seed)
    place = session.adapter.place

    def numpy_feed() -> Iterator[tuple[Any, ...]]:
        for batch in shared.epoch(0):
            yield tuple(place(array) for array in batch.arrays)

    feeds = [
        Timed("data resident", "resident", "batches that lie on the device, in turns", None),
        Timed("shared NumPy feed", "shared", "the engine's own, the same for every framework", numpy_feed),
    ]
    own = module.loaders(session.adapter, workload, arrays, augmentation is not None)
    feeds += [Timed(name, "own", written, epoch) for name, (written, epoch) in own.items()]
    for feed in feeds:
        feed.first_seconds, feed.batches = _train(session, feed, steps)
        if feed.epoch is not None:
            feed.columns = _columns(session, feed.epoch())
    for number in range(epochs):
        for i in range(len(feeds)):
            feed = feeds[(i + number) % len(feeds)]  # no feed always follows the same one
            feed.epoch_seconds.append(_train(session, feed, steps)[0])
            if feed.epoch is not None:
                feed.loading_seconds.append(_load(session, feed.epoch))
    told = [{k: v for k, v in vars(feed).items() if k != "epoch"} for feed in feeds]
    facts = {"batch_size": workload.batch_size, "items": workload.items, "steps": steps}
    return {**facts, "augmentation": augmentation, "feeds": told}


def cut(workload: Workload, arrays: Arrays, steps: int) -> tuple[Arrays, str | None]:
    """The training arrays of ``steps`` batches, or of as many as there are, as loaders start from them.

    Where a recipe of the workload augments, images are enlarged bytes whatever the run's own recipe does.
    """
    dataset, batch = workload.dataset, workload.batch_size
    if isinstance(dataset, Text):
        steps = min(steps, workload.steps(len(arrays["train"])))
        return {"train": arrays["train"][: batch * (steps * dataset.steps + 1)]}, None
    if isinstance(dataset, Pairs):
        around = 2 * dataset.window
        return {"train": arrays["train"][: around + -(-steps * batch // around)]}, None
    kept = {name: arrays[name][: steps * batch] for name in ("train_x", "train_y")}
    recipe = next((r for r in workload.recipes if r.augmentation), None)
    if recipe is None:
        return kept, None
    enlarged = kept if kept["train_x"].dtype == np.uint8 else tasks.prepare(workload, recipe, kept)
    return enlarged, "enlarged to 40 × 40 beforehand; cropped to 32 × 32 and mirrored at random in the loader"


def _train(session: Session, feed: Timed, steps: int) -> tuple[float, int]:
    """Wall seconds of an epoch with its steps, and its batches."""
    if feed.epoch is None:
        return session.steps(steps), steps
    step, count = session.program.train_step, 0
    session.adapter.synchronize()
    start = time.perf_counter_ns()
    for batch in feed.epoch():
        step(*batch)
        count += 1
    session.adapter.synchronize()
    return (time.perf_counter_ns() - start) / 1e9, count


def _load(session: Session, epoch: Callable[[], Iterator[tuple[Any, ...]]]) -> float:
    session.adapter.synchronize()
    start = time.perf_counter_ns()
    for _ in epoch():
        pass
    session.adapter.synchronize()
    return (time.perf_counter_ns() - start) / 1e9


def _columns(session: Session, batches: Iterator[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Shape, kind, mean and deviation of each array over an epoch."""
    shapes: list[tuple[list[int], str]] = []
    sums: list[np.ndarray] = []
    for batch in batches:
        arrays = [session.adapter.to_numpy(handle) for handle in batch]
        shapes = [(list(a.shape), str(a.dtype)) for a in arrays]
        sums.append(np.array([[a.mean(dtype=np.float64), np.square(a, dtype=np.float64).mean()] for a in arrays]))
    means = np.mean(sums, axis=0)
    return [
        {"shape": shape, "dtype": kind, "mean": mean, "deviation": max(0.0, square - mean**2) ** 0.5}
        for (shape, kind), (mean, square) in zip(shapes, means.tolist(), strict=True)
    ]
