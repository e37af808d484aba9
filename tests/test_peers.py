"""Peers: how they are found, what follows from their step times, the page; and the command on a NumPy toy."""

import ast
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.errors import Problem
from benchmarks.peers import page, peers, read
from benchmarks.peers.record import Pass, Record, Row
from benchmarks.peers.record import read as read_record
from benchmarks.peers.worker import Side, differences
from benchmarks.schema.markdown import markers, renew
from benchmarks.schema.results import Interpreter, Machine, Stack
from benchmarks.workload import ROOT, discover

TOYS = Path(__file__).parent / "peers"
FILES = sorted((ROOT / "impls").glob("*/peer_*.py"))
MEASURED = sorted((ROOT / "results" / "speed").glob("*.json"))
CONTRACT = ["build", "optimizer", "loss", "train_step", "predict"]
FORBIDDEN = (".cuda(", ".to(", "tf.function", "tf.device", "torch.compile", "jit_compile", "time.", "seed")
ALLOWED = re.compile(r"\.to\(memory_format=")  # a layout, not a device
SUBJECT = {"peer_step_torch.py": "torch.compile"}  # the switch that a peer is about
MOST_LINES = 110


# -- files ---------------------------------------------------------------------------------------------------------


def test_every_file_belongs_to_a_workload():
    seen = [peer.path for found in discover() for peer in peers(found)]
    assert sorted(seen) == FILES
    assert {path.parent.name for path in FILES} == {"cifar10_resnet", "lstm_text", "mnist_cnn", "mnist_mlp", "word2vec"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_peer_is_plain_framework_code_after_a_named_source(path):
    text, peer = path.read_text("utf-8"), read(path)
    assert peer.address.startswith("https://")
    assert (path.parent / f"{path.parent.name}_{peer.framework}.py").exists()
    tree = ast.parse(text)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if name in CONTRACT] == CONTRACT
    assert re.search(r"^From the sources?\b", ast.get_docstring(tree), re.MULTILINE), "say what is the source's"
    code = ALLOWED.sub("", "\n".join(map(ast.unparse, tree.body[1:])))
    subject = SUBJECT.get(path.name)
    assert [word for word in FORBIDDEN if word in code] == ([subject] if subject else [])
    assert len(text.splitlines()) <= MOST_LINES


def test_every_framework_of_every_workload_has_a_peer():
    for found in discover():
        if mine := peers(found):
            assert {p.framework for p in mine} == {"torch", "tensorflow", "tensorlayerx"}, found.workload.key


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("peer_numpy.py", "", "peer_SOURCE_FRAMEWORK"),
        ("peer_x_nothing.py", "", "peer_SOURCE_FRAMEWORK"),
        ("peer_x_numpy.py", "SOURCE = ('a', 'b')\nMODES = ('eager',)\n", "DIFFERS"),
        ("peer_x_numpy.py", "SOURCE = 'ab'\nMODES = ('eager',)\nDIFFERS = ''\n", "SOURCE"),
        ("peer_x_numpy.py", "SOURCE = ('a', 'b')\nMODES = 'eager'\nDIFFERS = ''\n", "MODES"),
        ("peer_x_numpy.py", "SOURCE = ('a', 'b')\nMODES = ('xla',)\nDIFFERS = ''\n", "numpy has no mode xla"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, name, text, complaint):
    (tmp_path / name).write_text(text)
    with pytest.raises(Problem, match=complaint):
        read(tmp_path / name)


# -- what follows from step times ------------------------------------------------------------------------------------


def test_differences_of_moves():
    ours = {"a": np.array([3.0, 4.0]), "still": np.zeros(2), "moved": np.zeros(2), "bad": np.ones(1)}
    theirs = {"a": np.array([3.0, 4.5]), "still": np.zeros(2), "moved": np.ones(2), "bad": np.array([np.nan])}
    assert differences(ours, theirs) == {"a": pytest.approx(0.1), "still": 0.0, "moved": None, "bad": None}


class Slow:
    """A program whose steps take a known time by a clock of its own."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds, self.steps = 0, seconds, 0
        monkeypatch.setattr("benchmarks.peers.worker.time.perf_counter_ns", lambda: self.now)

    def synchronize(self):
        pass

    def train_step(self, number):
        self.steps, self.now = self.steps + 1, self.now + int(self.seconds * 1e9)
        return number


@pytest.mark.parametrize(("seconds", "block", "lead_in"), [(0.001, 500, 3), (0.2, 3, 3), (0.5, 3, 1), (3.0, 3, 1)])
def test_blocks_are_long_enough(monkeypatch, seconds, block, lead_in):
    program = Slow(monkeypatch, seconds)
    side = Side(program, program, [(1,), (2,)])
    side.warm_up(0.5)
    assert side.block == block
    before = program.steps
    assert side.timed(lambda call: {"seconds": call()})["seconds"] == pytest.approx(seconds * block)
    assert program.steps == before + lead_in + block


def row(*ratios, differs="", difference=1e-4, status="ok", rounds=2, foreign=0.0, **changes):
    def block(seconds):
        evidence = {"idle_worker_cpu_seconds": 0.0, "foreign_cpu_seconds": foreign}
        return {"seconds": seconds, "steps": 1, "evidence": evidence, "disturbed": foreign > 0}

    timed = [{"ours": block(0.01), "theirs": block(0.01 * r)} for r in ratios]
    passes = [
        Pass(index=i, status="ok", rounds=timed[i * rounds : (i + 1) * rounds], differences={"fc.weight": difference})
        for i in range(len(timed) // rounds)
    ]
    if status != "ok":
        passes.append(Pass(index=len(passes), status=status, reason="why"))
    words = {"workload": "toy", "peer": "other", "source": "A | source", "address": "https://example.org"}
    stack = Stack(framework="torch", mode="eager", device="cpu")
    return Row(**{**words, "stack": stack, "differs": differs, "tolerance": 1e-3, "passes": passes, **changes})


def test_the_ratio_is_the_mean_over_passes_of_the_median_over_rounds():
    r = row(1.0, 1.2, 1.1, 0.9, 5.0, 1.4, rounds=3)
    assert r.ratio == pytest.approx(math.sqrt(1.1 * 1.4))
    logs = np.log([1.1, 1.4])
    low, high = stats.t.interval(0.95, 1, logs.mean(), stats.sem(logs))
    assert r.interval == pytest.approx((math.exp(low), math.exp(high)))
    assert r.extremes == pytest.approx((0.9, 5.0))


def test_verdicts():
    assert row(1.10, 1.10, 1.11, 1.11, 1.12, 1.12).verdict == "ours faster"
    assert row(0.90, 0.90, 0.91, 0.91, 0.92, 0.92).verdict == "theirs faster"
    assert row(0.90, 0.90, 1.00, 1.00, 1.12, 1.12).verdict == "not told apart"
    assert row(0.90, 0.90).verdict == "one pass"
    assert row(0.90, 0.90).interval is None


def test_work_must_be_equal_or_the_difference_told():
    assert row(1.0, 1.0).reason == ""
    assert "not the same work" in row(1.0, 1.0, difference=0.002).reason
    assert "only theirs moves" in row(1.0, 1.0, difference=None).reason
    assert row(1.0, 1.0, difference=0.002, differs="It rounds.").reason == ""
    assert row(1.0, 1.0, status="failed").reason == "failed: why"
    assert row(unavailable="no such package").reason == "unavailable: no such package"
    assert row().reason == "not measured"


# -- the page --------------------------------------------------------------------------------------------------------


def record(*rows):
    machine = Machine(
        name="m", cpu="A CPU", physical_cores=2, logical_cores=2, governor=None, memory_bytes=1, system="Linux"
    )
    packages = {"torch": "2.0", "numpy": "2.1"}
    return Record(
        suite_version="0",
        started="2026-01-02T03:04:05+00:00",
        git_commit=None,
        git_dirty=None,
        machine=machine,
        interpreter=Interpreter(name="default", python="3.12", packages=packages),
        threads=2,
        block_seconds=0.5,
        passes=3,
        rounds=2,
        rows=list(rows),
    )


BEHIND = row(0.90, 0.90, 0.91, 0.91, differs="It pads elsewhere.", foreign=0.5)
ROWS = (BEHIND, row(1.2, 1.2, 1.21, 1.21), row(0.9, 0.9, 1.2, 1.2, differs="It pads elsewhere."))


def test_the_page_shows_every_row():
    text = page.markdown(record(*ROWS, row(unavailable="no such package")))
    assert text.startswith(
        "Of 3 comparisons ours is faster in 1, not told apart in 1, slower in 1 (toy, PyTorch eager,"
    )
    assert "| `toy` | PyTorch eager | [A \\| source](https://example.org) | 0.905 |" in text
    assert "| theirs faster | 1e-04 (1) |" in text
    assert text.count("1. It pads elsewhere.") == 1
    assert "| – | – | – | unavailable: no such package | – |" in text
    assert "torch 2.0; passes: 3" in text
    assert "numpy" not in text
    assert "Other work disturbed 4 of 12 rounds" in text


def test_the_page_in_the_tree_has_its_place_and_shows_the_newest_record():
    if not MEASURED:
        pytest.skip("no record is committed under results/speed yet")
    newest = MEASURED[-1]
    current = not renew(ROOT / "docs" / "SPEED.md", "peers", page.markdown(read_record(newest)), write=False)
    assert current, f"python -m benchmarks peers --from {newest} --write ..."


def test_every_peer_stands_in_what_was_compared():
    text = (ROOT / "docs" / "SPEED.md").read_text("utf-8")
    for path in FILES:
        assert read(path).address in text, path


# -- the command -----------------------------------------------------------------------------------------------------


def bench(*words):
    command = [sys.executable, "-m", "benchmarks", "peers", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    out = tmp_path_factory.mktemp("peers") / "new" / "record.json"
    words = ("--passes", 2, "--rounds", 2, "--seconds", 0.01, "--threads", 1)
    return out, bench("--impls", TOYS, *words, "--json", out)


def test_the_command_measures_and_judges(measured):
    path, done = measured
    assert done.returncode == 1, done.stderr  # two of the four are wrong
    found = read_record(path)
    by_name = {r.peer: r for r in found.rows}
    assert list(by_name) == ["half", "other", "raises", "same"]
    same, half, other, raises = (by_name[name] for name in ("same", "half", "other", "raises"))
    assert same.reason == other.reason == ""
    assert same.worst[1] == 0.0
    assert [len(p.rounds) for p in same.passes] == [2, 2]
    assert half.reason.startswith("failed: not the same work, and DIFFERS is empty: fc.")
    assert half.worst[1] == pytest.approx(0.5, abs=0.01)
    assert not other.same_work
    assert raises.reason == "failed: ValueError: the peer was told to raise"
    assert set(same.files) == {"toy_numpy.py", "peer_same_numpy.py"}
    assert found.disturbed()[1] == 2 * 2 * 3
    assert "8/8" in done.stderr
    assert str(TOYS) not in path.read_text()


def test_a_record_is_shown_and_written_again(measured, tmp_path):
    path, done = measured
    copy = tmp_path / "page.md"
    copy.write_text("".join(markers("peers")))
    again = bench("--from", path, "--write", copy)
    assert again.returncode == 1
    assert again.stdout == done.stdout
    assert page.markdown(read_record(path)) in copy.read_text()


def test_a_broken_off_record_is_finished_and_its_good_passes_stay(measured, tmp_path):
    """Resumed after passes were lost; the one that raises is tried again."""
    path, _ = measured
    whole = read_record(path)
    for r in whole.rows:
        del r.passes[1 if r.peer == "same" else 2 :]
    out = tmp_path / "record.json"
    whole.write(out)
    words = ("--impls", TOYS, "--passes", 2, "--rounds", 2, "--seconds", 0.01, "--threads", 1, "--json", out)
    done = bench(*words)
    assert "3/3" in done.stderr and "4/" not in done.stderr, done.stderr  # one of "same", two of "raises"
    before, after = ({r.peer: r for r in kept.rows} for kept in (whole, read_record(out)))
    assert after["same"].passes[0] == before["same"].passes[0]
    assert [p.index for p in after["same"].passes] == [0, 1]
    assert after["half"].passes == before["half"].passes
    refused = bench(*words[:-2], "--rounds", 4, "--json", out)
    assert refused.returncode == 2
    assert refused.stderr.strip() == "error: record.json holds a run with another rounds: give --json a new file"


def test_bad_requests_are_one_sentence(measured):
    path, _ = measured
    assert "--from measures nothing" in bench("--from", path, "--passes", 2).stderr
    done = bench("--impls", TOYS, "--stack", "torch:eager")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: no peer matches --workload and --stack"
