"""Trainings across changes of the learning rate, in some modes of a framework: started as a program by test_schedule.

``python schedule_probe.py FRAMEWORK MODE,MODE FOLDER`` writes ``FOLDER/MODE/seen.npz``. Epochs, rates and optimisers
are those of ``Session.epochs``, programs those of the implementation files; two of the files are trained with smaller
tables, everything else in them as it is.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

from small import LANGUAGE, SKIPGRAM  # noqa: E402  of this folder

from benchmarks.frameworks.base import Program  # noqa: E402
from benchmarks.frameworks.discovery import is_written  # noqa: E402
from benchmarks.layers import Embedding  # noqa: E402
from benchmarks.tasks import inputs  # noqa: E402
from benchmarks.worker.session import Session  # noqa: E402
from benchmarks.workload import (  # noqa: E402
    DEFAULT_IMPLS,
    SGD,
    Adam,
    Decay,
    Found,
    Optimiser,
    Workload,
    base_mode,
    load,
)

EPOCHS, STEPS, SEED = 3, 3, 5
HALVED, ANEW = Decay(factor=0.5), Decay(factor=0.5, fresh=True)  # at every epoch
# Epsilon far above rounding: Adam divides by the root of squared gradients, some of which are rounding only.
ADAM = Adam(learning_rate=1e-3, beta2=0.9, epsilon=1e-3)


def _declared(key: str, optimiser: Optimiser) -> Workload:
    name, _, variant = key.partition("/")
    found = load(DEFAULT_IMPLS / name, variant or "default").workload.without_dropout()
    return dataclasses.replace(found, batch_size=16, optimiser=optimiser, decay=HALVED)


def _language() -> Workload:
    """As the implementation has it, words have as many columns as the LSTM has units."""
    layers = tuple(dataclasses.replace(x, columns=6) if isinstance(x, Embedding) else x for x in LANGUAGE.layers)
    return dataclasses.replace(LANGUAGE, layers=layers, parameter_count=66 + 24 * (6 + 6 + 1) + 77, decay=HALVED)


CASES = {
    "sgd": _declared("mnist_mlp_ablation/relu", SGD(learning_rate=0.5)),
    "clipped_sgd": _language(),
    "adam": _declared("mnist_mlp", ADAM),
    "fresh_adam": dataclasses.replace(_declared("mnist_mlp", ADAM), decay=ANEW),
    "adagrad": dataclasses.replace(SKIPGRAM, decay=HALVED),
}
# Case -> the folder whose files it is trained with, and what is replaced in them.
SHRUNK = {
    "clipped_sgd": ("lstm_text", {"10_000": "11", "200": "6", "(800": "(24", "((20,)": "((5,)"}),
    "adagrad": ("word2vec", {"50_000": "30", "128": "4"}),
}


def arrays(workload: Workload) -> dict[str, np.ndarray]:
    """Training data of :data:`STEPS` batches."""
    rng, d = np.random.default_rng(17), workload.dataset
    if workload.name == LANGUAGE.name:
        return {"train": rng.integers(0, LANGUAGE.dataset.vocabulary, workload.batch_size * (STEPS * d.shape[0] + 1))}
    if workload.name == SKIPGRAM.name:
        return {"train": rng.integers(0, SKIPGRAM.dataset.vocabulary, STEPS * workload.batch_size // 2 + 2)}
    count = STEPS * workload.batch_size
    return {"train_x": rng.random((count, *d.shape), np.float32), "train_y": rng.integers(0, 10, count)}


def lay_out(case: str, framework: str, folder: Path) -> dict[str, str]:
    """Declaration, implementation, weights and data of ``case`` in ``folder``; the paths as a job names them."""
    workload, (source, changes) = CASES[case], SHRUNK.get(case, (CASES[case].name, {}))
    own = folder / workload.name
    own.mkdir(parents=True)
    (own / "workload.py").write_text(f"from schedule_probe import CASES\n\nWORKLOADS = (CASES[{case!r}],)\n")
    for path in (DEFAULT_IMPLS / source).glob(f"{source}_{framework}*.py"):
        text = path.read_text().replace(f"{source}_{framework}", f"{workload.name}_{framework}")
        for old, new in changes.items():
            text = text.replace(old, new)
        (own / path.name.replace(source, workload.name)).write_text(text)
    inputs.save_arrays(folder / "inputs", arrays(workload))
    np.savez(folder / "weights.npz", **inputs.initial_tensors(workload, SEED))
    return {"folder": str(own), "inputs": str(folder / "inputs"), "weights": str(folder / "weights.npz")}


def runs(case: str, framework: str, mode: str) -> str:
    """The mode that ``case`` is trained in; empty where no implementation runs in it.

    XLA has no Adagrad on rows but that of the tuned implementation.
    """
    source = SHRUNK.get(case, (CASES[case].name, {}))[0]
    mode = "xla-tuned" if (case, framework, mode) == ("adagrad", "tensorflow", "xla") else mode
    place = Found(workload=dataclasses.replace(CASES[case], name=source), folder=DEFAULT_IMPLS / source)
    return mode if is_written(place, framework, mode) else ""


def rate_kept(session: Session) -> None:
    """Fault: the adapter's ``set_learning_rate`` does nothing."""
    build = session.adapter.build

    def deaf(*words: Any) -> Any:
        program = build(*words)
        program.set_learning_rate = lambda rate: None
        return program

    session.adapter.build = deaf


def moments_kept(session: Session) -> None:
    """Fault: no new optimiser where the declaration wants one."""

    def change(program: Program, workload: Workload, rate: float) -> Program:
        program.set_learning_rate(rate)
        return program

    session._change_rate = change


def moments_lost(session: Session) -> None:
    """Fault: a new optimiser where the declaration wants the old one at another rate."""
    sound = session._change_rate

    def change(program: Program, workload: Workload, rate: float) -> Program:
        return sound(program, dataclasses.replace(workload, decay=ANEW), rate)

    session._change_rate = change


FAULTS: dict[str, Callable[[Session], None]] = {
    "sgd": rate_kept,
    "clipped_sgd": rate_kept,
    "adam": moments_lost,
    "fresh_adam": moments_kept,
    "adagrad": rate_kept,
}


def compilations(program: Any, mode: str) -> int:
    """Traces of the program's step; with torch.compile, graphs made so far in this process."""
    if base_mode(mode) == "compile":
        return int(sys.modules["torch"]._dynamo.utils.counters["stats"]["unique_graphs"])
    return int(getattr(program.train_step, "experimental_get_tracing_count", lambda: 0)())


def train(session: Session, mode: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors after each epoch as ``epoch/tensor``; how often was compiled, and how many programs are alive."""
    out: dict[str, np.ndarray] = {}
    alive, compiled, programs = [], [], []
    epochs = session.epochs(session.fresh(session.workload), session.workload, EPOCHS)
    for epoch, (program, batches) in enumerate(epochs):
        for _, placed in batches:
            program.train_step(*placed)
        out |= {f"{epoch}/{name}": value for name, value in program.get_tensors().items()}
        if not any(known() is program for known in programs):
            programs.append(weakref.ref(program))
        gc.collect()
        alive.append(sum(known() is not None for known in programs))
        compiled.append(compilations(program, mode))
    return out, {"alive": alive, "programs": len(programs), "compiled": compiled}


def main(framework: str, mode: str, folder: Path) -> None:
    found: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for case in CASES:
        if not (run_in := runs(case, framework, mode)):
            continue
        paths = lay_out(case, framework, folder / case)
        job = {"framework": framework, "mode": run_in, "device": "cpu", "threads": 1, "seed": SEED, **paths}
        job |= {"variant": CASES[case].variant, "batch_size": CASES[case].batch_size}
        for fault in (None, FAULTS[case]):
            session = Session(job, event=lambda fields: None)
            if fault:
                fault(session)
            seen, told = train(session, mode)
            kind = "fault" if fault else "sound"
            found |= {f"{case}/{kind}/{name}": value for name, value in seen.items()}
            facts[f"{case}/{kind}"] = told
        facts["conventions"] = dataclasses.asdict(session.adapter.conventions)
    np.savez(folder / "seen.npz", facts=json.dumps(facts), **found)


if __name__ == "__main__":
    for each in sys.argv[2].split(","):
        main(sys.argv[1], each, Path(sys.argv[3]) / each)
    sys.exit()
