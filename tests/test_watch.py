"""Evidence of disturbance around calls that a part times inside its worker."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from benchmarks.experiments import watch
from benchmarks.experiments.watched import Call, counted, is_quiet, mostly_disturbed
from benchmarks.machine import disturbance

SESSION = SimpleNamespace(job={"threads": 1, "device": "cpu"})


@pytest.fixture
def stat(monkeypatch):
    """A machine whose other work is told by hand, in seconds of CPU; what this process uses is its own."""
    told = {"others": 0.0}
    real = disturbance.snapshot

    def snapshot(cpus=()):
        seen = vars(real()) | {"steal_seconds": 0.0, "throttled_seconds": None, "cpu_throttles": None}
        ours = seen["cpu_seconds"] + watch.relatives_cpu_seconds()
        return disturbance.Snapshot(**seen | {"busy_seconds": ours + told["others"]})

    monkeypatch.setattr(disturbance, "snapshot", snapshot)
    return told


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_other_work_is_seen_and_told(stat):
    def work():
        time.sleep(0.01)
        stat["others"] += 0.5

    seen = Call.model_validate(watch.watched(SESSION, lambda: timed(work)))
    assert seen.disturbed
    assert seen.foreign_cpu_seconds == pytest.approx(0.5, abs=0.05)
    quiet = Call.model_validate(watch.watched(SESSION, lambda: timed(lambda: time.sleep(0.01))))
    assert not quiet.disturbed


def test_a_quota_disturbs_without_foreign_work(stat, monkeypatch):
    own = disturbance.snapshot
    spent = iter((0.0, 1.0))
    monkeypatch.setattr(
        disturbance,
        "snapshot",
        lambda cpus=(): disturbance.Snapshot(**vars(own()) | {"throttled_seconds": next(spent)}),
    )
    assert watch.watched(SESSION, lambda: 0.1)["disturbed"]


@pytest.mark.parametrize("seen", [{"gpu_throttle_reasons": 0x40}, {"gpu_foreign_processes": 1}], ids=["heat", "other"])
def test_what_happens_on_the_gpu_disturbs(stat, monkeypatch, seen):
    job = SimpleNamespace(job={"threads": 1, "device": "cuda"})
    asked = []

    def evidence(earlier, *, own):
        asked.append((earlier, own))
        return seen

    monkeypatch.setattr(watch.gpu, "before", lambda: "before")
    monkeypatch.setattr(watch.gpu, "evidence", evidence)
    assert watch.watched(job, lambda: 0.1)["disturbed"]
    ((earlier, own),) = asked
    assert earlier == "before"
    assert own[0] == os.getpid(), "the timed one comes first"
    assert not watch.watched(SESSION, lambda: 0.1)["disturbed"], "a CPU's call asks no GPU"
    assert len(asked) == 1


def test_where_nothing_is_told_nothing_is_known(monkeypatch):
    real = disturbance.snapshot
    blind = {"busy_seconds": None, "steal_seconds": None, "throttled_seconds": None, "cpu_throttles": None}
    monkeypatch.setattr(disturbance, "snapshot", lambda cpus=(): disturbance.Snapshot(**vars(real()) | blind))
    assert watch.watched(SESSION, lambda: 0.1) == {"seconds": 0.1, "foreign_cpu_seconds": None, "disturbed": False}


def groups(*flags):
    return [(Call(seconds=1.0 + i, foreign_cpu_seconds=None, disturbed=f),) for i, f in enumerate(flags)]


def test_quiet_calls_count_unless_most_were_disturbed():
    half, most = groups(True, False), groups(True, True, False)
    assert not mostly_disturbed(half)
    assert counted(half) == half[1:]
    assert mostly_disturbed(most)
    assert counted(most) == most
    assert not is_quiet((*half[0], *half[1])), "a pair is quiet when both are"
