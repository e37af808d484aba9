"""What a fault is, and the catalogue: implementation faults per framework, feed faults for all. NumPy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.tasks.inputs import Batch
from benchmarks.workload import DEFAULT_IMPLS, ROOT, base_mode, is_tuned

FRAMEWORKS = ("torch", "tensorflow", "tensorlayerx")
COMPILERS = ("compile", "xla")  # modes that take a quarter of a minute to build
DEAREST = "cifar10_resnet"
Change = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mistake: texts replaced in the implementation file, or a patch of the worker's session.

    ``module``: the texts are those of ``benchmarks/frameworks/MODULE.py``, which the implementation imports.
    ``breaks``: the program must refuse to be built, which the contract sees. ``escapes``: why no certificate can
    notice; such a fault stays in the catalogue and is reported.
    """

    name: str
    workload: str
    framework: str
    changes: tuple[Change, ...] = ()
    feed: Callable[[Any], None] | None = None
    mode: str = "eager"
    module: str = ""
    breaks: bool = False
    escapes: str = ""

    def mutate(self, text: str) -> str:
        """``text`` with the fault in it; every text to be replaced must be there."""
        for old, new in self.changes:
            if old not in text:
                raise LookupError(f"{self.framework}: {self.workload}: {self.name}: no longer in the file: {old!r}")
            text = text.replace(old, new)
        return text

    @property
    def file(self) -> Path:
        """The one with the mistake in it."""
        return ROOT / "benchmarks" / "frameworks" / f"{self.module}.py" if self.module else self.implementation

    @property
    def implementation(self) -> Path:
        """The file that the mode runs."""
        name = self.workload.split("/")[0]
        return DEFAULT_IMPLS / name / f"{name}_{self.framework}{'_tuned' if is_tuned(self.mode) else ''}.py"


class Maker(Protocol):
    def __call__(self, workload: str, name: str, *changes: Change, **more: Any) -> Fault: ...


def maker(framework: str) -> Maker:
    """Short hand for one framework's faults."""

    def fault(workload: str, name: str, *changes: Change, **more: Any) -> Fault:
        return Fault(name=name, workload=workload, framework=framework, changes=changes, **more)

    return fault


# -- feeds -----------------------------------------------------------------------------------------


def _epochs(change: Callable[[list[Batch]], list[Batch]]) -> Callable[[Any], None]:
    """A session whose epochs are ``change`` of the real ones."""

    def patch(session: Any) -> None:
        made = session.task

        def task(workload: Any) -> Any:
            out = made(workload)
            epoch = out.epoch

            def changed(number: int) -> Iterator[Batch]:
                yield from change(list(epoch(number)))

            out.epoch = changed
            return out

        session.task = task

    return patch


def _placed(change: Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]) -> Callable[[Any], None]:
    """A session that puts ``change`` of a batch on the device."""

    def patch(session: Any) -> None:
        place = session.place

        def changed(arrays: tuple[np.ndarray, ...]) -> Any:
            batch = len(arrays) > 1 and arrays[1].dtype.kind == "i"  # not the inputs of evaluation
            return place(change(arrays) if batch else arrays)

        session.place = changed

    return patch


def _same_labels_moved(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return (*arrays[:1], np.ascontiguousarray(np.roll(arrays[1], 1, 0)), *arrays[2:])


FEEDS: dict[str, Callable[[Any], None]] = {
    "last batch of an epoch dropped": _epochs(lambda batches: batches[:-1]),
    "first batch fed twice": _epochs(lambda batches: [batches[0], batches[0], *batches[2:]]),
    "batches in another order": _epochs(lambda batches: batches[::-1]),
    "labels shuffled": _placed(_same_labels_moved),
    "pixels through float16": _placed(lambda a: (a[0].astype(np.float16).astype(np.float32), *a[1:])),
    "text's targets not moved on": _placed(lambda a: (a[0], a[0])),
}


def feeds(framework: str) -> list[Fault]:
    def fault(workload: str, name: str) -> Fault:
        return Fault(name=name, workload=workload, framework=framework, feed=FEEDS[name])

    out = [fault("mnist_mlp", "last batch of an epoch dropped"), fault("mnist_mlp", "labels shuffled")]
    own = {
        "torch": [("mnist_cnn", "pixels through float16"), ("lstm_text", "text's targets not moved on")],
        "tensorflow": [("mnist_mlp", "first batch fed twice"), ("lstm_text", "batches in another order")],
        "tensorlayerx": [("mnist_cnn", "first batch fed twice"), ("word2vec", "batches in another order")],
    }
    return out + [fault(*pair) for pair in own[framework]]


def catalogue(framework: str) -> list[Fault]:
    """All faults of ``framework``, workload by workload."""
    from mutations import faults_tensorflow, faults_tensorlayerx, faults_torch

    modules = {"torch": faults_torch, "tensorflow": faults_tensorflow, "tensorlayerx": faults_tensorlayerx}
    return sorted([*modules[framework].FAULTS, *feeds(framework)], key=lambda f: f.workload)


def one_of_each_kind() -> list[Fault]:
    """Of every kind, which is a name, one fault in one framework, spread over the frameworks; none that escapes.

    Where there is a choice it is neither of a compiler nor of the largest model. What only a compiler runs is left out.
    """
    kinds: dict[str, list[Fault]] = {}
    for framework in FRAMEWORKS:
        for fault in catalogue(framework):
            if not fault.escapes and base_mode(fault.mode) not in COMPILERS:
                kinds.setdefault(fault.name, []).append(fault)
    chosen: list[Fault] = []
    for same in sorted(kinds.values(), key=len):  # those without a choice first
        count = Counter(fault.framework for fault in chosen)
        chosen.append(min(same, key=lambda f: (f.workload == DEAREST, count[f.framework])))
    return sorted(chosen, key=lambda f: f.workload)
