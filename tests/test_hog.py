"""The hog experiment: its reading of blocks, and one tiny run of it on NumPy toys."""

import dataclasses
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from result_factory import make

from benchmarks.engine.worker_process import WorkerProcess
from benchmarks.errors import Problem
from benchmarks.machine.computer import cpu_budget
from benchmarks.protocol.profiles import PROFILES
from benchmarks.selfcheck import hog

TOYS = Path(__file__).parent / "toys"


def two(*, hogged=(), ratio=1.2, passes=5):
    """Two stacks over passes of four rounds: the second takes ``ratio`` times as long, much less where hogged."""
    rows = []
    for base, level in zip(make(passes=passes, interrupted=False).rows[:2], (1.0, ratio), strict=True):
        launches = []
        for la in base.launches:
            wobble = 1 + 0.002 * ((la.pass_index * (2 + (level != 1))) % 5)
            planned = [(i, None, i in hogged) for i in range(4)]
            repeats = [(4 + k, i, False) for k, i in enumerate(hogged)]
            blocks = [
                la.blocks[0].model_copy(
                    update={
                        "round": number,
                        "repeats": repeated,
                        "disturbed": spoilt,
                        "round_disturbed": spoilt,
                        "steps": 1,
                        "seconds": wobble * (6.0 / level**2 if spoilt else level),
                    }
                )
                for number, repeated, spoilt in planned + repeats
            ]
            launches.append(la.model_copy(update={"blocks": blocks}))
        rows.append(base.model_copy(update={"launches": launches}))
    return rows


def test_blinded_rows_are_those_of_a_run_without_detection():
    quiet, spoilt = two(), two(hogged=(1, 2, 3))
    truth, seeing, blind = hog.verdict(quiet), hog.verdict(spoilt), hog.verdict(hog.blinded(spoilt))
    assert truth.verdict == "faster"
    assert seeing.ratio == pytest.approx(truth.ratio, rel=0.01)
    assert blind.verdict == "slower"
    assert hog.contradicts(blind, truth)
    assert not hog.contradicts(truth, truth)
    assert [len(la.blocks) for la in hog.blinded(spoilt)[0].launches] == [4] * 5
    assert hog.blinded(spoilt)[0].disturbed_passes() == set()


class Measured:
    """Stands in for a run: gives the rows of each of the three measurements in turn."""

    def __init__(self, *measurements):
        self.left = list(measurements)

    def __call__(self, ctx):
        return SimpleNamespace(rows=self.left.pop(0))


def spoil_a_pass(rows):
    """The first pass stays disturbed: the others still decide."""
    out = []
    for row in rows:
        first = row.launches[0]
        blocks = [b.model_copy(update={"disturbed": True, "round_disturbed": True}) for b in first.blocks]
        out.append(
            row.model_copy(update={"launches": [first.model_copy(update={"blocks": blocks}), *row.launches[1:]]})
        )
    return out


@pytest.mark.parametrize(
    ("beside", "code", "told"),
    [
        (lambda: two(hogged=(1, 2, 3)), 0, "withheld: faster without the disturbed rounds, slower with them"),
        (lambda: two(), hog.NOTHING_SHOWN, "agrees"),
        (lambda: two(ratio=0.8), 1, "WRONG"),
        (lambda: spoil_a_pass(two(ratio=0.8, passes=6)), 1, "WRONG"),  # a verdict is published, whatever was left out
    ],
)
def test_what_a_run_publishes_decides(tiny, monkeypatch, capsys, beside, code, told):
    monkeypatch.setattr(hog, "run", Measured(two(), beside(), beside()))
    assert hog.run_hog(**tiny, env=[f"other={sys.executable}"]) == code
    seen = [line for line in capsys.readouterr().out.splitlines() if "with detection" in line]
    assert len(seen) == 2 and all(told in line for line in seen)


def test_intervals_that_do_not_meet_contradict_each_other():
    truth = hog.verdict(two())
    farther = truth.model_copy(update={"ratio": 0.5, "low": 0.45, "high": 0.55})
    assert hog.contradicts(farther, truth)
    assert not hog.contradicts(truth.model_copy(update={"verdict": "undecided", "low": 0.8, "high": 1.1}), truth)
    assert not hog.contradicts(truth.model_copy(update={"verdict": "provisional", "low": None, "high": None}), truth)


def test_the_process_keeps_to_one_of_the_workers_cpus():
    cpus = sorted(os.sched_getaffinity(0))[-2:]
    with hog.Hog(cpus) as one:
        for _ in range(2):
            one.busy = True
            assert os.sched_getaffinity(one._process.pid) == {cpus[0]}
            one.busy = False


def test_the_process_is_busy_only_while_told_to_be():
    with hog.Hog() as one:
        assert not one.busy
        one.busy = True
        pid = one._process.pid
        one.busy = True
        assert one._process.pid == pid
        one.busy = False
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        one.busy = True
        pid = one._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def tiny(monkeypatch):
    """Smoke amounts; the evidence is whether the hog runs, whatever else this machine does."""
    monkeypatch.setitem(PROFILES, "smoke", dataclasses.replace(PROFILES["smoke"], repeats=1.0))
    running = []
    setter, ask = hog.Hog.busy.fset, WorkerProcess.ask

    def busy(self, wanted):
        setter(self, wanted)
        running[:] = [wanted]

    def evident(self, command, **words):
        answer = ask(self, command, **words)
        if command == "block":
            answer["evidence"] = {"idle_worker_cpu_seconds": 0.0, "cpu_throttles": int(running[-1])}
        return answer

    monkeypatch.setattr(hog.Hog, "busy", property(hog.Hog.busy.fget, busy))
    monkeypatch.setattr(WorkerProcess, "ask", evident)
    begin = hog.Hog.__init__

    def bound(self, affinity=()):
        assert affinity and list(affinity) == cpu_budget(1)[1], "the workers' CPUs"
        begin(self, affinity)

    monkeypatch.setattr(hog.Hog, "__init__", bound)
    words = {"workload": "toy/sound", "stacks": ["numpy:eager"], "passes": 1, "rounds": 4, "threads": 1}
    return {**words, "impls": TOYS, "profile": "smoke", "say": lambda text: None}


def test_a_tiny_experiment(tiny, capsys):
    assert hog.run_hog(**tiny, env=[f"other={sys.executable}"]) == hog.NOTHING_SHOWN
    quiet, *lines = capsys.readouterr().out.splitlines()[1:]
    assert quiet.startswith("nobody beside")
    assert [line.split(",")[0].strip() for line in lines[:4]] == [
        "hog in 3 of 4 rounds",
        "hog in 3 of 4 rounds",
        "hog throughout",
        "hog throughout",
    ]
    assert lines[1].endswith("withheld: provisional; 3 rounds repeated")
    assert lines[3].endswith("withheld: provisional; 4 rounds repeated")
    assert lines[4].startswith("shows nothing: the neighbour misled nobody")  # one pass decides nothing


def test_it_needs_two_stacks(tiny):
    with pytest.raises(Problem, match="hog compares two stacks"):
        hog.run_hog(**tiny)
