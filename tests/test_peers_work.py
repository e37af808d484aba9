"""Every peer beside ours on a small batch: it builds, its tensors are found, it steps, and its work is as it says.

A framework runs in a subprocess of its own: this very file, started as a program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from frameworks import ALL, need

ROOT = Path(__file__).resolve().parent.parent
BATCH = {"word2vec": 16}  # others: 4
# TensorFlow 1's optimisers make their variables at the first trace, so graphs are tried; compiling takes too long.
FAST = ("torch",)  # without the marker slow
MODES = {"torch": "eager", "tensorflow": "graph", "tensorlayerx": "eager"}


def known(framework: str) -> list[Any]:
    from benchmarks.peers import peers
    from benchmarks.workload import discover

    return [(found, peer) for found in discover() for peer in peers(found) if peer.framework == framework]


CASES = [(framework, found, peer) for framework in ALL for found, peer in known(framework)]


def work(framework: str, scratch: Path) -> None:
    """The subprocess: one comparison of each peer, a line of JSON each in ``scratch``/answers."""
    import dataclasses

    import numpy as np

    from benchmarks import data
    from benchmarks.peers import worker
    from benchmarks.tasks import inputs
    from benchmarks.worker.session import Session

    lines = []
    for found, peer in known(framework):
        w = dataclasses.replace(found.workload, batch_size=BATCH.get(found.workload.name, 4))
        folder = scratch / w.name
        if not folder.exists():
            loaded = data.load(w.dataset, source="embedded", seed=0, train_examples=40 * w.batch_size, test_examples=64)
            inputs.save_arrays(folder, loaded.arrays)
            np.savez(folder / "weights.npz", **inputs.initial_tensors(w, 0))
        job = {"framework": framework, "mode": MODES[framework], "device": "cpu", "threads": 1, "seed": 0}
        job |= {"folder": str(found.folder), "variant": w.variant, "batch_size": w.batch_size}
        job |= {"inputs": str(folder), "weights": str(folder / "weights.npz")}
        session = Session(job, event=lambda fields: None)
        answer = worker.answer(session, path=str(peer.path), rounds=2, seconds=0.001, first=0)
        lines.append(json.dumps({"peer": f"{w.name}/{peer.path.name}", **answer}))
    (scratch / "answers").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Framework -> peer -> its comparison, worked out when first asked for."""
    done: dict[str, dict[str, Any]] = {}

    def of(framework: str) -> dict[str, Any]:
        if framework not in done:
            done[framework] = run(framework, tmp_path_factory.mktemp(framework))
        return done[framework]

    return of


def run(framework: str, scratch: Path) -> dict[str, Any]:
    from benchmarks.engine.environment import worker_environment
    from benchmarks.schema.results import Stack

    stack = Stack(framework=framework, mode=MODES[framework], device="cpu")
    environment = worker_environment(stack, threads=1, scratch=scratch / "home", caches=scratch / "caches")
    environment["TORCHDYNAMO_DISABLE"] = "1"  # a peer that compiles itself does the same work without
    (scratch / "home").mkdir()
    command = [sys.executable, __file__, framework, str(scratch)]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = (scratch / "answers").read_text().splitlines()
    return {answer.pop("peer"): answer for answer in map(json.loads, lines)}


@pytest.mark.framework
@pytest.mark.parametrize(
    ("framework", "found", "peer"),
    [pytest.param(*case, marks=() if case[0] in FAST else pytest.mark.slow) for case in CASES],
    ids=[f"{f.workload.name}-{p.path.stem}" for _, f, p in CASES],
)
def test_a_peer_does_the_work_it_says(answers, framework, found, peer):
    from benchmarks.peers.record import TOLERANCE, TOLERANCE_AMPLIFYING

    need(framework)
    answer = answers(framework)[f"{found.workload.name}/{peer.path.name}"]
    assert len(answer["rounds"]) == 2
    assert all(r[side]["seconds"] > 0 for r in answer["rounds"] for side in ("ours", "theirs"))
    assert set(answer["differences"]) == {t.name for t in found.workload.tensors}
    assert None not in answer["differences"].values()
    tolerance = TOLERANCE_AMPLIFYING if found.workload.certificate_optimiser else TOLERANCE
    if not peer.differs:
        assert max(answer["differences"].values()) <= tolerance


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
