"""One framework's faults in one process: the framework is imported once, each reference computed once.

Run by ``python tests/mutations``; writes one JSON line per certificate.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import numpy as np

from benchmarks import data
from benchmarks.certificate import parity
from benchmarks.engine import certify
from benchmarks.frameworks.base import Conventions
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Certificate
from benchmarks.tasks import inputs
from benchmarks.worker.session import Session
from benchmarks.workload import DEFAULT_IMPLS, Images, Text, discover, load_module
from mutations.faults import Fault, catalogue

BATCH = 16
WORKLOADS = ("cifar10_resnet", "lstm_text", "mnist_cnn", "mnist_mlp", "mnist_mlp_ablation/batchnorm", "word2vec")
REPLIES: TextIO = sys.stdout
KINDS = {Images: (10 * BATCH + 5, 64), Text: (12 * BATCH * 20, 64 * 20)}  # examples for training and test


class Case(parity.Case):
    """Judged by one form of each convention; what the other forms would give is not asked."""

    @property
    def forms(self) -> list[str]:
        """Those for which it has tolerances already."""
        return list(self._tolerance)

    def _other_forms(self, conventions: Conventions) -> dict[str, float]:
        return {}


class Bench:
    """One workload's data, weights and reference, on which any number of programs are certified."""

    def __init__(self, key: str, framework: str, seed: int, scratch: Path) -> None:
        self.references = Path(os.environ["BOOKBENCH_REFERENCES"])
        found = next(f for f in discover() if f.workload.key == key)
        self.workload = replace(found.workload, batch_size=BATCH)
        self.framework, self.seed, self.scratch = framework, seed, scratch / f"{found.workload.name}-{seed}"
        train, test = KINDS.get(type(self.workload.dataset), (2_000, 500))
        loaded = data.load(
            self.workload.dataset, source="embedded", seed=seed, train_examples=train, test_examples=test
        )
        inputs.save_arrays(self.scratch, loaded.arrays)
        np.savez(self.scratch / "weights.npz", **inputs.initial_tensors(self.workload, seed))
        self._case: Case | None = None
        self.kept = Path()
        # As much of a run as the certificate asks of it.
        self.run: Any = SimpleNamespace(
            folder=self.scratch,
            inputs=self.scratch,
            options=SimpleNamespace(seed=seed),
            profile=PROFILES["smoke"],
            say=lambda text: None,
        )

    def arbiter(self, conventions: Conventions) -> parity.Arbiter:
        """As :func:`benchmarks.engine.certify.arbiter` makes it; kept for the other frameworks."""
        if self._case is None:
            plain = certify.certified(self.run, self.workload)
            kept = self.references / f"{self.scratch.name}-{plain.hash[:16]}.pickle"
            if kept.exists():
                self._case = pickle.loads(kept.read_bytes())
            else:
                batches = [batch.arrays for batch in certify.host_batches(self.run, self.workload)]
                self._case = Case(plain, inputs.initial_tensors(plain, self.seed), batches, seed=self.seed)
            self.kept = kept
        known = len(self._case.forms)
        found = self._case.arbiter(conventions)
        if len(self._case.forms) > known:
            self.kept.write_bytes(pickle.dumps(self._case, protocol=5))
        return found

    def certificate(self, folder: Path, mode: str, feed: Any = None) -> Certificate:
        """Of the implementation in ``folder``."""
        job = {
            "framework": self.framework,
            "mode": mode,
            "device": "cpu",
            "threads": int(os.environ["OMP_NUM_THREADS"]),
            "seed": self.seed,
            "folder": str(folder),
            "variant": self.workload.variant,
            "batch_size": BATCH,
            "inputs": str(self.scratch),
            "weights": str(self.scratch / "weights.npz"),
        }
        session = Session(job, event=lambda fields: None)
        if feed:
            feed(session)
        session.do_build()
        ref = self.arbiter(session.adapter.conventions)
        transplant, out = self.scratch / "transplant.npz", self.scratch / "found.npz"
        if not transplant.exists():
            np.savez(transplant, **{k: v.astype(np.float32) for k, v in ref.trace.final.items()})
        answer = session.do_certificate(steps=parity.STEPS, batch_size=BATCH, transplant=str(transplant), out=str(out))
        with np.load(out, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        return certify.judge(self.run, self.workload, ref, found, answer["order"])

    def fault(self, fault: Fault) -> dict[str, Any]:
        """How ``fault`` fared: caught, escaped, refused (at build), or broken where it should have run."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as made:
            original = fault.implementation
            folder = Path(made) / original.parent.name
            folder.mkdir()
            for path in (original.parent / "workload.py", *original.parent.glob(f"{folder.name}_{self.framework}*.py")):
                (folder / path.name).write_text(path.read_text())
            text = original.read_text()
            (folder / original.name).write_text(text if fault.module else fault.mutate(text))
            try:
                with mutated(fault, Path(made)):
                    certificate = self.certificate(folder, fault.mode, fault.feed)
            except Exception as error:
                traceback.print_exc()
                how, reason = ("refused" if fault.breaks else "broken"), f"{type(error).__name__}: {error}"
            else:
                how = "escaped" if certificate.status == "ok" else "broken" if fault.breaks else "caught"
                reason = certificate.reason
        return {"how": how, "reason": " ".join(reason.split())[:300]}


@contextmanager
def mutated(fault: Fault, folder: Path) -> Iterator[None]:
    """Meanwhile whoever imports the fault's module gets it with the fault in it; nothing where it has none."""
    if not fault.module:
        yield
        return
    name = f"benchmarks.frameworks.{fault.module}"
    sound, file = importlib.import_module(name), folder / fault.file.name
    file.write_text(fault.mutate(fault.file.read_text()))
    try:
        load_module(file, name)
        yield
    finally:
        sys.modules[name] = sound


def faults(framework: str, workload: str, name: str, scratch: Path) -> None:
    chosen = [f for f in catalogue(framework) if workload in ("", f.workload) and re.search(name, f.name)]
    for f in chosen:
        f.mutate(f.file.read_text())  # stale entries come out at once
    for key, group in groupby(chosen, key=lambda f: f.workload):
        bench = Bench(key, framework, 0, scratch)
        of_key = list(group)
        for mode in sorted({"eager", *(f.mode for f in of_key)}):  # what is caught must be the fault, not the mode
            start = time.perf_counter()
            made = bench.certificate(DEFAULT_IMPLS / key.split("/")[0], mode)
            how = "sound" if made.status == "ok" else "alarm"
            tell(fault="no fault", workload=key, mode=mode, escapes="", start=start, how=how, reason=made.reason)
        for f in of_key:
            start = time.perf_counter()
            outcome = bench.fault(f)
            tell(fault=f.name, workload=key, mode=f.mode, escapes=f.escapes, start=start, **outcome)


def sound(framework: str, pairs: list[str], scratch: Path) -> None:
    """Certificates of the programs as they are; each of ``pairs`` is workload:seed."""
    for pair in pairs:
        start = time.perf_counter()
        key, seed = pair.split(":")
        made = Bench(key, framework, int(seed), scratch).certificate(DEFAULT_IMPLS / key.split("/")[0], "eager")
        how = "sound" if made.status == "ok" else "alarm"
        tell(fault=f"seed {seed}", workload=key, mode="eager", escapes="", start=start, how=how, reason=made.reason)


def tell(*, start: float, **fields: Any) -> None:
    print(json.dumps(fields | {"seconds": round(time.perf_counter() - start, 1)}), file=REPLIES, flush=True)


def main() -> None:
    global REPLIES
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--workload", default="")
    parser.add_argument("--fault", default="")
    parser.add_argument("--sound", nargs="*")
    words = parser.parse_args()
    REPLIES = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever frameworks print is no answer
    if words.sound is not None:
        sound(words.framework, words.sound, words.scratch)
    else:
        faults(words.framework, words.workload, words.fault, words.scratch)
    sys.stderr.flush()
    os._exit(0)  # skips the frameworks' slow tear-down


if __name__ == "__main__":
    from mutations import campaign  # under its own name: references are pickled

    campaign.main()
