"""One framework's faults in one process: the framework is imported once, each reference computed once.

Run by ``python tests/mutations``; writes one JSON line per certificate.
"""

from __future__ import annotations

import argparse
import hashlib
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
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from benchmarks import data
from benchmarks.certificate import parity
from benchmarks.certificate.judge import Fed, judge
from benchmarks.frameworks.base import Conventions
from benchmarks.schema.results import Certificate
from benchmarks.tasks import inputs
from benchmarks.worker import certificate
from benchmarks.worker.session import Session
from benchmarks.workload import DEFAULT_IMPLS, ROOT, Images, Text, discover, load_module
from benchmarks.workload.sources import hashes, walk
from mutations.faults import Fault, catalogue, one_of_each_kind

BATCH = 16
SMALLER = {"cifar10_resnet/resnet18": 2}  # at 16 its float64 reference takes minutes
WORKLOADS = ("cifar10_resnet", "lstm_text", "mnist_cnn", "mnist_mlp", "mnist_mlp_ablation/batchnorm", "word2vec")
DOCUMENTED = {"torch": "eager", "tensorflow": "graph", "tensorlayerx": "graph"}  # as timed first
REPLIES: TextIO = sys.stdout
EXAMPLES = {Images: (10 * BATCH + 5, 64), Text: (12 * BATCH * 20, 64 * 20)}  # examples for training and test


class Caught(Exception):
    """A check has failed: the rest of the certificate need not be computed."""


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
        self.workload = replace(found.workload, batch_size=SMALLER.get(key, BATCH))
        self.framework, self.seed, self.scratch = framework, seed, scratch / f"{key.replace('/', '-')}-{seed}"
        train, test = EXAMPLES.get(type(self.workload.dataset), (2_000, 500))
        loaded = data.load(
            self.workload.dataset, source="embedded", seed=seed, train_examples=train, test_examples=test
        )
        inputs.save_arrays(self.scratch, loaded.arrays)
        np.savez(self.scratch / "weights.npz", **inputs.initial_tensors(self.workload, seed))
        self._case: Case | None = None
        self.kept = Path()
        self.fed = Fed(self.workload, self.scratch, seed, self.workload.batch_size)

    def arbiter(self, conventions: Conventions) -> parity.Arbiter:
        """As :mod:`benchmarks.engine.certify` makes it; kept for the other frameworks."""
        if self._case is None:
            plain = self.fed.certified
            kept = self.references / f"{self.scratch.name}-{plain.hash[:16]}-{made_by()}.pickle"
            if kept.exists():
                self._case = pickle.loads(kept.read_bytes())
            else:
                self._case = Case(plain, self.fed.tensors(plain), self.fed.batches, seed=self.seed)
            self.kept = kept
        known = len(self._case.forms)
        found = self._case.arbiter(conventions)
        if len(self._case.forms) > known:
            part = self.kept.with_suffix(f".{os.getpid()}")
            part.write_bytes(pickle.dumps(self._case, protocol=5))
            part.replace(self.kept)  # others may be reading it
            for old in set(self.references.glob(f"{self.scratch.name}-*.pickle")) - {self.kept}:
                old.unlink(missing_ok=True)
        return found

    def certificate(self, folder: Path, mode: str, feed: Any = None, *, first: bool = False) -> Certificate:
        """Of the implementation in ``folder``; with ``first`` raise :class:`Caught` where a check fails."""
        job = {
            "framework": self.framework,
            "mode": mode,
            "device": "cpu",
            "threads": int(os.environ["OMP_NUM_THREADS"]),
            "seed": self.seed,
            "folder": str(folder),
            "variant": self.workload.variant,
            "batch_size": self.workload.batch_size,
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
        if first:
            watch(session, ref)
        words = {"steps": parity.STEPS, "batch_size": self.workload.batch_size}
        answer = certificate.answer(session, **words, transplant=str(transplant), out=str(out))
        with np.load(out, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        return judge(self.fed, ref, found, answer["order"])

    def fault(self, fault: Fault, *, first: bool) -> dict[str, Any]:
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
                    certificate = self.certificate(folder, fault.mode, fault.feed, first=first)
            except Caught as check:
                how, reason = ("broken" if fault.breaks else "caught"), str(check)
            except Exception as error:
                traceback.print_exc()
                how, reason = ("refused" if fault.breaks else "broken"), f"{type(error).__name__}: {error}"
            else:
                how = "escaped" if certificate.status == "ok" else "broken" if fault.breaks else "caught"
                reason = certificate.reason
        return {"how": how, "reason": " ".join(reason.split())[:300]}


def made_by() -> str:
    """A hash of what computes a reference and draws its batches: one that another version made is not read."""
    folders = [ROOT / "benchmarks" / room for room in ("certificate", "tasks", "data")]
    files = walk([path for folder in folders for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"])
    code = hashes([*files, ROOT / "benchmarks" / "layers.py"])
    return hashlib.sha256(f"{sorted(code.items())} {np.__version__}".encode()).hexdigest()[:16]


def watch(session: Session, ref: parity.Arbiter) -> None:
    """Let the program that is built next be judged while it is asked, value by value."""
    build, size = session.adapter.build, parity.sizes(ref.trace.values)

    def judge(check: str, seen: dict[str, Any]) -> None:
        for name, value in seen.items():
            error = parity.error(value, ref.trace.values[check][name], size[check][name])
            limit = ref.tolerance[check][name]
            if error is None or error > limit:
                raise Caught(f"{check} of {name}: error {error}, tolerance {limit:.1e}")

    def watched(*words: Any) -> Any:
        session.adapter.build = build
        program = build(*words)
        forward, gradients = program.forward, program.gradients
        step, tensors = program.train_step, program.get_tensors
        losses = iter(range(1, parity.STEPS + 1))

        def checked_forward(*arrays: Any) -> Any:
            out = forward(*arrays)
            judge("forward", {"logits": out})
            return out

        def checked_gradients(*arrays: Any) -> Any:
            loss, found = gradients(*arrays)
            judge("gradient", found)
            return loss, found

        def checked_step(*arrays: Any) -> Any:
            out = step(*arrays)
            judge("loss", {f"loss {next(losses)}": session.adapter.to_numpy(out)})
            return out

        def checked_tensors() -> Any:
            out = tensors()
            for check, moved in parity.changes(ref.workload, ref.initial, out).items():
                judge(check, moved)
            return out

        program.forward, program.gradients = checked_forward, checked_gradients
        program.train_step, program.get_tensors = checked_step, checked_tensors
        return program

    session.adapter.build = watched


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


def faults(framework: str, words: argparse.Namespace) -> None:
    known = [f for f in one_of_each_kind() if f.framework == framework] if words.kinds else catalogue(framework)
    chosen = [f for f in known if words.workload in ("", f.workload) and re.search(words.fault, f.name)]
    for f in chosen:
        f.mutate(f.file.read_text())  # stale entries come out at once
    keys = sorted({f.workload for f in chosen} | ({f.workload.key for f in discover()} if words.every else set()))
    for key in keys:
        bench = Bench(key, framework, 0, words.scratch)
        of_key = [f for f in chosen if f.workload == key]
        modes = {f.mode for f in of_key}  # what is caught must be the fault, not the mode
        if words.every and not modes & {"eager", DOCUMENTED[framework]}:
            modes.add(DOCUMENTED[framework])
        for mode in sorted(modes):
            start = time.perf_counter()
            made = bench.certificate(DEFAULT_IMPLS / key.split("/")[0], mode)
            how = "sound" if made.status == "ok" else "alarm"
            tell(fault="no fault", workload=key, mode=mode, escapes="", start=start, how=how, reason=made.reason)
        for f in of_key:
            start = time.perf_counter()
            outcome = bench.fault(f, first=words.first)
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
    for flag in ("--kinds", "--every", "--first"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--sound", nargs="*")
    words = parser.parse_args()
    REPLIES = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever frameworks print is no answer
    if words.sound is not None:
        sound(words.framework, words.sound, words.scratch)
    else:
        faults(words.framework, words)
    sys.stderr.flush()
    os._exit(0)  # skips the frameworks' slow tear-down


if __name__ == "__main__":
    from mutations import campaign  # under its own name: references are pickled

    campaign.main()
