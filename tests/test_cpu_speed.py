"""The fixed loop between blocks: what it reads, and that it leaves no trace in the process."""

import os

import pytest

from benchmarks.machine import cpu_speed
from benchmarks.schema.samples import Evidence
from reports.facts import cpu_speeds

LINUX = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no thread to a CPU")


@LINUX
def test_the_loop_takes_time_and_the_process_keeps_its_cpus():
    before = os.sched_getaffinity(0)
    seconds = cpu_speed.slowest(sorted(before))
    assert seconds is not None
    assert 1e-5 < seconds < 1.0
    assert os.sched_getaffinity(0) == before


@LINUX
def test_the_slowest_cpu_counts_and_at_most_four_are_looked_at(monkeypatch):
    seen = []
    monkeypatch.setattr(cpu_speed, "_on", lambda cpu: seen.append(cpu) or cpu / 100)
    assert cpu_speed.slowest(range(10)) == 0.09
    assert seen == [0, 3, 6, 9]
    seen.clear()
    assert cpu_speed.slowest([4, 5]) == 0.05
    assert seen == [4, 5]


@LINUX
def test_a_cpu_that_was_taken_away_is_no_error():
    before = os.sched_getaffinity(0)
    assert cpu_speed.slowest([max(before) + 4096]) is None
    assert os.sched_getaffinity(0) == before


def test_without_cpus_to_choose_nothing_is_said():
    assert cpu_speed.slowest([]) is None


def evidence(*loop):
    seconds = {"foreign_cpu_seconds": 0.0, "idle_worker_cpu_seconds": 0.0, "steal_seconds": 0.0}
    return Evidence(
        **seconds, pressure_seconds=None, involuntary_switches=None, loop_seconds=tuple(loop) if loop else None
    )


def test_the_report_tells_of_unsteady_cpus_only():
    assert cpu_speeds([evidence(), evidence()]) == ""
    assert cpu_speeds([evidence(1.0, 1.1), evidence(1.2, 1.0)]) == ""
    told = cpu_speeds([evidence(1.0, 1.0), evidence(1.0, 2.0), evidence(1.5, 1.0)])
    assert "beside 2 of 3 blocks" in told
    assert "less than 80 %" in told
    assert "down to 50 %" in told
