"""Inside the worker: epochs from each feed, in turns, each with training and without."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import experiments, tasks
from benchmarks.errors import Unavailable
from benchmarks.experiments.pipeline.proof import Proof, whole_batches
from benchmarks.tasks import inputs
from benchmarks.worker.evidence import counted
from benchmarks.worker.session import Session
from benchmarks.workload import Images, Workload

LEAST = 4  # steps of an epoch
PILOT = 8  # steps by which the slowest feed is found
Arrays = dict[str, np.ndarray]
Epoch = Callable[[], Iterator[tuple[Any, ...]]]


@dataclass
class Timed:
    """A feed and what it took. ``epoch`` gives the batches of one epoch, placed; None: they lie there already.
    ``enlarged``: images and labels from which it cuts its samples.
    """

    name: str
    kind: str
    written: str
    epoch: Epoch | None
    enlarged: tuple[np.ndarray, np.ndarray] | None = None
    first_seconds: float = 0.0
    epochs: list[dict[str, Any]] = field(default_factory=list)
    loading: list[dict[str, Any]] = field(default_factory=list)
    batches: int = 0
    proof: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("epoch", "enlarged", "proof")} | self.proof


@dataclass
class Once:
    """One pass over a feed, as it was just timed."""

    seconds: float = 0.0
    start_seconds: float = 0.0
    batches: int = 0


def answer(session: Session, *, framework: str, seconds: float, most: int | None, epochs: int) -> dict[str, Any]:
    """``seconds``: what the slowest feed may take for an epoch; ``most`` steps of it, None: all."""
    module, workload = experiments.of_framework(framework, "pipeline"), session.workload
    session.do_build()
    if session.together > 1:
        raise Unavailable(f"{session.mode} takes {session.together} batches in a call, a loader brings one at a time")
    arrays = session.arrays()
    whole = workload.steps(len(arrays[_training(workload)]))
    session.steps(2)
    with tempfile.TemporaryDirectory() as folder:
        once = _slowest(session, module, arrays, min(PILOT, whole), Path(folder) / "pilot")
        steps = max(1, min(whole, most or whole, max(LEAST, int(seconds / once))))
        feeds, augmentation = _feeds(session, module, arrays, steps, Path(folder) / "epoch")
        _time(session, feeds, steps, epochs)
    facts = {"batch_size": workload.batch_size, "items": workload.items, "steps": steps, "epoch_steps": whole}
    told = {"limit_seconds": seconds, "augmentation": augmentation, "feeds": [feed.told() for feed in feeds]}
    return facts | told


def _training(workload: Workload) -> str:
    return "train_x" if isinstance(workload.dataset, Images) else "train"


def _feeds(session: Session, module: Any, arrays: Arrays, steps: int, folder: Path) -> tuple[list[Timed], str | None]:
    """Every feed of the first ``steps`` batches, and what is done to their samples."""
    workload, place = session.workload, session.adapter.place
    kept, augmentation = cut(workload, arrays, steps)
    inputs.save_arrays(folder, kept)
    shared = tasks.task(workload, folder, session.seed)

    def numpy_feed() -> Iterator[tuple[Any, ...]]:
        for batch in shared.epoch(0):
            yield tuple(place(array) for array in batch.arrays)

    enlarged = (kept["train_x"], kept["train_y"]) if augmentation else None
    feeds = [
        Timed("data resident", "resident", "batches that lie on the device, in turns", None),
        Timed("shared NumPy feed", "shared", "the engine's own, the same for every framework", numpy_feed, enlarged),
    ]
    own = module.loaders(session.adapter, workload, kept, augmentation is not None)
    feeds += [Timed(name, "own", written, epoch, enlarged) for name, (written, epoch) in own.items()]
    return feeds, augmentation


def _slowest(session: Session, module: Any, arrays: Arrays, steps: int, folder: Path) -> float:
    """Seconds per step from the slowest feed, its second epoch of ``steps``."""
    feeds, _ = _feeds(session, module, arrays, steps, folder)
    taken = []
    for feed in feeds:
        _train(session, feed, steps)
        taken.append(_train(session, feed, steps).seconds)
    return max(taken) / steps


def _time(session: Session, feeds: list[Timed], steps: int, epochs: int) -> None:
    for feed in feeds:
        first = _train(session, feed, steps)
        feed.first_seconds, feed.batches = first.seconds, first.batches
        if feed.epoch is not None:
            feed.proof = prove(session, feed.epoch(), feed.enlarged)
    for number in range(epochs):
        for i in range(len(feeds)):
            feed = feeds[(i + number) % len(feeds)]  # no feed always follows the same one
            feed.epochs.append(_watched(session, partial(_train, session, feed, steps)))
            if feed.epoch is not None:
                feed.loading.append(_watched(session, partial(_pass, session, feed.epoch, lambda *batch: None)))


def cut(workload: Workload, arrays: Arrays, steps: int) -> tuple[Arrays, str | None]:
    """The training arrays of ``steps`` batches, or of as many as there are, as loaders start from them.

    Where a recipe of the workload augments, images are enlarged bytes whatever the run's own recipe does.
    """
    kept = whole_batches(workload, arrays, min(steps, workload.steps(len(arrays[_training(workload)]))))
    recipe = next((r for r in workload.recipes if r.augmentation), None)
    if recipe is None or not isinstance(workload.dataset, Images):
        return kept, None
    enlarged = kept if kept["train_x"].dtype == np.uint8 else tasks.prepare(workload, recipe, kept)
    return enlarged, "enlarged to 40 × 40 beforehand; cropped to 32 × 32 and mirrored at random in the loader"


def _watched(session: Session, run: Callable[[], Once]) -> dict[str, Any]:
    done = Once()

    def timed() -> float:
        nonlocal done
        done = run()
        return done.seconds

    return {**counted(session, timed), "start_seconds": done.start_seconds}


def _train(session: Session, feed: Timed, steps: int) -> Once:
    """An epoch with its steps."""
    if feed.epoch is None:
        return Once(session.steps(steps), 0.0, steps)
    return _pass(session, feed.epoch, session.program.train_step)


def _pass(session: Session, epoch: Epoch, work: Callable[..., Any]) -> Once:
    """An epoch with ``work`` on each batch, on the clock from the asking for the first batch on."""
    done = Once()
    session.adapter.synchronize()
    start = time.perf_counter_ns()
    for batch in epoch():
        if not done.batches:
            done.start_seconds = (time.perf_counter_ns() - start) / 1e9
        work(*batch)
        done.batches += 1
    session.adapter.synchronize()
    done.seconds = (time.perf_counter_ns() - start) / 1e9
    return done


def prove(
    session: Session, batches: Iterator[tuple[Any, ...]], enlarged: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, Any]:
    """What an epoch brought; see :class:`benchmarks.experiments.pipeline.proof.Proof`."""
    proof = Proof(session.workload, enlarged)
    for batch in batches:
        proof.add([session.adapter.to_numpy(handle) for handle in batch])
    return proof.told()
