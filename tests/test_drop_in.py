"""A framework that is only dropped into a folder is listed, run, certified and reported: nothing else knows it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.schema.results import read
from benchmarks.workload import ROOT

MODES = """
from benchmarks.frameworks.modes import Mode
LABEL, REQUIRES = "Dropped In", ("numpy",)
MODES = {
    "plain": Mode("plain", "as it comes", usual=True),
    "fast": Mode("fast (said to be)", "compiled in name only", compiles="plain"),
    "barred": Mode("barred", "not for everyone", excluded_by="NOT_BARRED"),
    "most": Mode("most", "only where asked for", tuned=True, twin_of="plain"),
}
"""
ADAPTER = """
from benchmarks.frameworks import numpy_adapter
from benchmarks.frameworks.dropped_helper import GRAPHS

class Adapter(numpy_adapter.Adapter):
    def __init__(self, *, mode, **words):
        super().__init__(mode="eager", **words)
        self.mode = mode

    def used(self, program):
        return {"compiled_graphs": GRAPHS.get(self.mode)}
"""
HELPER = 'GRAPHS = {"fast": 0}\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dropped")
    (folder / "frameworks").mkdir()
    for name, text in (("modes", MODES), ("adapter", ADAPTER), ("helper", HELPER)):
        (folder / "frameworks" / f"dropped_{name}.py").write_text(text)
    toy = folder / "impls" / "toy"
    shutil.copytree(Path(__file__).parent / "toys" / "toy", toy)
    text = (toy / "toy_numpy.py").read_text("utf-8")
    (toy / "toy_dropped.py").write_text(f'{text}\n\nNOT_BARRED = "it is a toy"\n')
    return folder


def bench(place: Path, module: str, *words: object) -> str:
    env = os.environ | {"BOOKBENCH_FRAMEWORKS": str(place / "frameworks"), "XDG_CACHE_HOME": str(place / "cache")}
    command = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(place: Path) -> str:
    """The summary of a run in the two modes that can run."""
    sizes = ["--profile", "smoke", "--threads", 1, "--passes", 2, "--rounds", 2]
    chosen = ["--impls", place / "impls", "--workload", "toy/sound", "--framework", "dropped,numpy"]
    return bench(place, "benchmarks", "run", *chosen, *sizes, "--out", place / "run")


def test_it_is_listed_with_what_its_implementation_excludes(place: Path) -> None:
    rows = json.loads(bench(place, "benchmarks", "list", "--impls", place / "impls", "--json"))
    mine = [r for r in rows if (r["framework"], r["variant"], r["device"]) == ("dropped", "sound", "cpu")]
    assert {r["mode"]: (r["reason"], r["tuned"], r["scope"]) for r in mine} == {
        "plain": ("", False, "as it comes"),
        "fast": ("", False, "compiled in name only"),
        "barred": ("toy_dropped.py does not run in this mode: it is a toy", False, "not for everyone"),
        "most": ("", True, "only where asked for"),
    }


def test_it_is_run_and_certified(place: Path, told: str) -> None:
    result = read(place / "run" / "result.json")
    rows = {row.stack.mode: row for row in result.rows if row.stack.framework == "dropped" and not row.stack.replica}
    assert {mode: row.status for mode, row in rows.items()} == {"plain": "ok", "fast": "ok", "barred": "unavailable"}
    assert rows["plain"].certificate is not None and rows["plain"].certificate.status == "ok"
    hashed = {"dropped_adapter.py", "dropped_helper.py", "toy_dropped.py", "numpy_adapter.py", "base.py"}
    assert hashed <= rows["plain"].implementation.keys()
    assert (rows["fast"].stack.known.framework, rows["fast"].stack.known.compiles) == ("Dropped In", "plain")
    assert "dropped fast = plain: it compiled nothing, and is not ranked" in told
    bench(place, "benchmarks", "verify", place / "run")


def test_it_is_reported_from_the_result_alone(place: Path, told: str) -> None:
    report = [sys.executable, "-m", "reports", str(place / "run"), "--out", str(place / "page.html")]
    subprocess.run(report, cwd=ROOT, check=True, capture_output=True)
    text = re.sub(r"<[^>]+>|\s+", " ", (place / "page.html").read_text("utf-8"))
    assert "Dropped In plain" in text
    assert "Dropped In fast (said to be) = plain" in text
    assert "compiled nothing: it is plain launched once more, and not ranked" in text
    assert "NumPy eager" in text
