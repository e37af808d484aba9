"""Every implementation and peer does the products that are declared and no others, or stands in a table with a reason.

A framework runs in a subprocess of its own: this very file, started as a program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from frameworks import ALL, need

ROOT = Path(__file__).resolve().parent.parent
MODES = {
    "torch": ("eager",),  # compiled modes run the same model
    "tensorflow": ("eager", "graph", "xla"),
    "tensorlayerx": ("eager", "graph"),  # TrainOneStep's twin is eager
}
FAST = ("torch",)  # without the marker slow: the others trace every file
BATCH = 4  # of images at most; sizes of others are the declared ones

UNAVAILABLE = {("word2vec_tensorflow", "xla")}  # XLA lacks its sparse Adagrad; the tuned file writes one

INPUT = "TensorFlow's gradient of a convolution computes the input's too; eager mode runs it, a graph leaves it out"
SUMMED = "the norm is over rows summed by word, and the dense gradient is that sum"
TORCH_DENSE = "torch.nn.Embedding's gradient is dense unless sparse=True, which the clipping would have to sum first"
BY_PRODUCT = (
    "XLA would sort to find repeated ids, so their rows are summed by a product with a matrix of zeros and ones"
)
KERAS_ADAGRAD = "Keras's Adagrad takes the root of its whole accumulator; DIFFERS says that its work is not ours"

# File, mode, kind, subject; and why it is so.
KNOWN = {
    ("*_tensorflow", "eager", "multiply-adds", "conv1"): INPUT,
    ("*_tensorlayerx", "eager", "multiply-adds", "conv1"): INPUT,
    ("lstm_text_torch*", "eager", "table", "embedding.weight"): TORCH_DENSE,
    ("peer_examples_torch", "eager", "table", "embedding.weight"): TORCH_DENSE,
    ("lstm_text_tensorflow*", "*", "table", "embedding.weight"): SUMMED,
    ("lstm_text_tensorflow_tuned", "xla", "undeclared", "MatMul"): BY_PRODUCT,
    ("lstm_text_tensorlayerx*", "*", "table", "embedding.weight"): SUMMED,
    ("peer_keras_tensorflow", "*", "table", "embedding.weight"): SUMMED,
    ("peer_unroll_tensorflow", "*", "table", "embedding.weight"): SUMMED,
    ("peer_keras_tensorflow", "graph", "table", "embedding.weight, nce.weight"): KERAS_ADAGRAD,
    ("peer_tensorlayer_tensorlayerx", "eager", "table", "embedding.weight, nce.weight"): KERAS_ADAGRAD,
    ("peer_dense_torch", "eager", "table", "embedding.weight, nce.weight"): "dense gradients are what it shows",
    ("word2vec_tensorflow_tuned", "xla", "undeclared", "MatMul"): BY_PRODUCT,
}


def files(framework: str) -> list[tuple[Any, Path, tuple[str, ...]]]:
    """Each variant's documented file, its tuned one and its peers, and the modes in which to look at them."""
    from benchmarks.peers import peers
    from benchmarks.workload import base_mode, discover
    from benchmarks.workload.literals import literals

    out = []
    for found in discover():
        documented, offered = found.implementation(framework), MODES[framework]
        if documented.exists():
            out.append((found, documented, tuple(m for m in offered if (documented.stem, m) not in UNAVAILABLE)))
        tuned = documented.with_name(f"{documented.stem}_tuned.py")
        if tuned.exists():
            out.append((found, tuned, tuple(m for m in offered if m in literals(tuned, "MODES")["MODES"])))
        for peer in peers(found):
            if peer.framework == framework:
                modes = tuple(m for m in offered if m in map(base_mode, peer.modes))
                out.append((found, peer.path, modes or offered[:1]))  # torch.compile's: its eager twin
    return out


CASES = [(framework, *case) for framework in ALL for case in files(framework)]


def work(framework: str, out: Path) -> None:
    """The subprocess: a line of JSON for each file and mode in ``out``."""
    import dataclasses
    import importlib

    from small import batches

    from benchmarks import experiments
    from benchmarks.workload import Images, load_module, operations

    module = importlib.import_module(f"benchmarks.frameworks.{framework}_adapter")
    listing = experiments.of_framework(framework, "operations", room="experiments.profile")
    with out.open("w") as lines:
        for mode in MODES[framework]:
            adapter = module.Adapter(mode=mode, device="cpu", threads=1, seed=0)
            for found, path, modes in files(framework):
                if mode not in modes:
                    continue
                w = found.workload
                size = min(w.batch_size, BATCH) if isinstance(w.dataset, Images) else w.batch_size
                w = dataclasses.replace(w, batch_size=size)
                sys.path.insert(0, str(found.folder))  # a tuned file imports from the documented one beside it
                batch = [adapter.place(array) for array in batches(w, 1)[0]]
                done = listing.operators(adapter, load_module(path, f"listed_{path.stem}"), w, batch)
                flags = [dataclasses.asdict(flag) for flag in operations.compare(w, done)]
                case = {"case": name(found, path), "mode": mode, "operators": len(done), "flags": flags}
                print(json.dumps(case), file=lines, flush=True)


def name(found: Any, path: Path) -> str:
    return f"{found.workload.key}:{path.stem}"


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """Framework -> its answers, worked out when first asked for."""
    done: dict[str, list[dict[str, Any]]] = {}

    def of(framework: str) -> list[dict[str, Any]]:
        if framework not in done:
            done[framework] = run(framework, tmp_path_factory.mktemp(framework))
        return done[framework]

    return of


def run(framework: str, scratch: Path) -> list[dict[str, Any]]:
    from benchmarks.engine.environment import worker_environment
    from benchmarks.schema.results import Stack

    stack = Stack(framework=framework, mode="eager", device="cpu")
    (scratch / "home").mkdir()
    environment = worker_environment(stack, threads=1, scratch=scratch / "home", caches=scratch / "caches")
    command = [sys.executable, __file__, framework, str(scratch / "answers")]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [json.loads(line) for line in (scratch / "answers").read_text().splitlines()]


def known(stem: str, mode: str, flag: dict[str, str]) -> tuple[str, ...] | None:
    """The entry of the table that speaks of ``flag``."""
    asked = (stem, mode, flag["kind"], flag["subject"])
    return next((key for key in KNOWN if all(fnmatch(a, k) for a, k in zip(asked, key, strict=True))), None)


@pytest.mark.framework
@pytest.mark.parametrize(
    ("framework", "found", "path", "modes"),
    [pytest.param(*case, marks=() if case[0] in FAST else pytest.mark.slow) for case in CASES],
    ids=[f"{name(found, path)}" for _, found, path, _ in CASES],
)
def test_a_step_holds_what_is_declared(listed, framework, found, path, modes):
    need(framework)
    answers = [a for a in listed(framework) if a["case"] == name(found, path)]
    assert {a["mode"] for a in answers} == set(modes)
    assert all(a["operators"] > 20 for a in answers)
    unknown = [(a["mode"], flag["sentence"]) for a in answers for flag in a["flags"]
               if known(path.stem, a["mode"], flag) is None]  # fmt: skip
    assert unknown == []


@pytest.mark.framework
@pytest.mark.parametrize("framework", [pytest.param(f, marks=() if f in FAST else pytest.mark.slow) for f in ALL])
def test_no_reason_stands_for_what_no_longer_happens(listed, framework):
    need(framework)
    used = {known(a["case"].split(":")[1], a["mode"], flag) for a in listed(framework) for flag in a["flags"]}
    stale = {key for key in KNOWN if f"_{framework}" in key[0]} - used
    assert not stale, f"remove from the table: {stale}"


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
