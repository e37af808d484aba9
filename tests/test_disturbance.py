"""Evidence of disturbance: the parsers, the rule, and the real counters of this machine."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.machine import cgroup, counters
from benchmarks.protocol.disturbed import DISTURBED_SHARE, MOST_CPU, RESOLUTION_SECONDS, is_disturbed

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux counters")
counts = st.integers(min_value=0, max_value=10**12)


@given(fields=st.lists(counts, min_size=10, max_size=10))
def test_busy_leaves_out_idle_iowait_steal_and_guests(fields: list[int]) -> None:
    text = f"cpu  {' '.join(map(str, fields))}\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n"
    busy, steal, cpus = counters.parse_stat(text)
    assert cpus == 1
    user, nice, system, _, _, irq, softirq, stolen, _, _ = fields
    tick = 1 / os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 0.01
    assert busy == pytest.approx((user + nice + system + irq + softirq) * tick)
    assert steal == pytest.approx(stolen * tick)


@pytest.mark.parametrize("text", ["", "intr 1 2 3\n", "cpu 1 2\n", "cpu0 1 2 3 4 5 6 7 8 9 10\n"])
def test_a_strange_stat_file_gives_none(text: str) -> None:
    assert counters.parse_stat(text) == (None, None, None)


def stat(*busy: int) -> str:
    """/proc/stat of so many CPUs, each with its ticks of user time, and half as many of steal."""
    lines = [f"cpu{i} {b} 0 0 9 0 0 0 {b // 2} 0 0" for i, b in enumerate(busy)]
    return "\n".join([f"cpu  {sum(busy)} 0 0 99 0 0 0 {sum(b // 2 for b in busy)} 0 0", *lines, "", "ctxt 5"])


@pytest.mark.parametrize(
    ("cpus", "busy", "looked_at"),
    [((), 1110, 4), ((1, 2), 110, 2), ({0}, 1000, 1), (range(4), 1110, 4), ((2, 4), 1110, 4)],
)
def test_only_the_cpus_asked_for_are_looked_at(cpus: Collection[int], busy: int, looked_at: int) -> None:
    """Of all, of some, and of all where one is not shown: a container may number its CPUs anew."""
    found = counters.parse_stat(stat(1000, 100, 10, 0), cpus)
    tick = 1 / os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 0.01
    assert found == (pytest.approx(busy * tick), pytest.approx(busy * tick / 2), looked_at)


def test_counters_of_different_cpus_are_not_subtracted(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter([stat(5, 5, 5), stat(9, 9)])
    monkeypatch.setattr(counters, "read", lambda path: next(texts) if path == "/proc/stat" else "")
    found = counters.difference(counters.snapshot(), counters.snapshot())
    assert (found["busy_seconds"], found["steal_seconds"], found["stat_cpus"]) == (None, None, None)


def test_kernels_before_steal_was_counted() -> None:
    assert counters.parse_stat("cpu 100 0 0 7 7 0 0\n")[1] == 0


@given(some=counts, full=counts)
def test_pressure_is_the_total_of_some(some: int, full: int) -> None:
    text = f"some avg10=0.74 avg60=0.64 avg300=0.60 total={some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"
    assert counters.parse_pressure(text) == some / 1e6


def test_no_pressure_file() -> None:
    assert counters.parse_pressure("") is None


seconds = st.floats(min_value=0, max_value=1e6)
maybe = st.none() | seconds


@st.composite
def snapshots(draw: st.DrawFn) -> counters.Snapshot:
    return counters.Snapshot(
        busy_seconds=draw(maybe),
        steal_seconds=draw(maybe),
        stat_cpus=4,
        pressure_seconds=draw(maybe),
        throttled_seconds=draw(maybe),
        cpu_throttles=draw(st.none() | counts),
        cpu_seconds=draw(seconds),
        involuntary_switches=draw(st.none() | counts),
    )


@given(a=snapshots(), b=snapshots())
def test_difference_knows_only_what_both_know(a: counters.Snapshot, b: counters.Snapshot) -> None:
    gap = counters.difference(a, b)
    assert set(gap) == set(vars(a))
    for name, value in gap.items():
        before, after = getattr(a, name), getattr(b, name)
        if name == "stat_cpus":
            assert value == before == after
            continue
        assert value == (None if before is None or after is None else after - before)


def judge(
    foreign: float | None, steal: float | None = 0.0, wall: float = 0.5, cpus: int = 2, **more: float | None
) -> bool:
    return is_disturbed({"foreign_cpu_seconds": foreign, "steal_seconds": steal, **more}, wall, cpus=cpus)


@given(foreign=maybe, steal=maybe, wall=st.floats(min_value=1e-3, max_value=1e4), cpus=st.integers(1, 512))
def test_more_foreign_cpu_never_calms_a_block(
    foreign: float | None, steal: float | None, wall: float, cpus: int
) -> None:
    judged, more = (judge(f, steal, wall, cpus) for f in (foreign, (foreign or 0) + 1))
    assert more >= judged
    taken = (foreign or 0) + (steal or 0)
    if taken < RESOLUTION_SECONDS or taken < 0.99 * min(MOST_CPU, DISTURBED_SHARE * cpus) * wall:
        assert not judged


@given(wall=st.floats(min_value=0.5, max_value=1e4), cpus=st.integers(1, 128))
def test_one_busy_cpu_is_seen_beside_any_number_and_what_is_rounded_off_is_not(wall: float, cpus: int) -> None:
    """Also where it gets half a CPU, because a thread of the stack wants the other half: up to 64 CPUs."""
    assert judge(wall, 0.0, wall, cpus)
    assert cpus > 64 or judge(wall / 2, 0.0, wall, cpus)
    assert not judge(0.02 * math.sqrt(cpus / 2), 0.0, wall, cpus)


def test_the_rule_by_example() -> None:
    assert not judge(0.05)  # exactly 5 % of two CPUs for half a second
    assert judge(0.06)
    assert judge(0.02, steal=0.04)
    assert not judge(0.02, wall=0.1, cpus=1)  # above 5 %, but below what the counters resolve
    assert not judge(-0.01)  # own CPU may exceed the busy time by a rounding
    assert not judge(None, None)


def test_quota_heat_and_power_brake_count_and_what_a_program_does_itself_does_not() -> None:
    assert judge(0.0, throttled_seconds=0.06)
    assert not judge(0.0, throttled_seconds=0.04)
    assert judge(0.03, throttled_seconds=0.03)  # what is taken adds up
    assert judge(0.0, cpu_throttles=1)
    assert not judge(0.0, cpu_throttles=0)
    for thermal in (0x08, 0x20, 0x40, 0x80):
        assert judge(0.0, gpu_throttle_reasons=thermal | 0x01)
    for own in (0x01, 0x02, 0x04, 0x10, 0x100):  # idle, clocks set, power cap, sync boost, display
        assert not judge(0.0, gpu_throttle_reasons=own)
    assert not judge(0.0, throttled_seconds=None, cpu_throttles=None, gpu_throttle_reasons=None)


def test_the_longest_throttled_time_of_nested_groups() -> None:
    inner = "usage_usec 9\nnr_throttled 2\nthrottled_usec 1500000\n"
    assert counters.parse_throttled([inner, "throttled_usec 2500000\n", "usage_usec 5\n"]) == 2.5
    assert counters.parse_throttled([]) is None
    assert counters.parse_throttled(["usage_usec 5\n"]) is None


def test_only_groups_with_a_quota_are_read(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup/a/b"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    (group / "cpu.max").write_text("max 100000\n")
    (group.parent / "cpu.max").write_text("150000 100000\n")
    assert cgroup.quota_statistics(tmp_path) == [group.parent / "cpu.stat"]
    (group / "memory.events").write_text("oom 9\noom_kill 3\n")
    assert cgroup.oom_kills(tmp_path) == 3


def _spin(cpu_seconds: float) -> None:
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        pass


@linux
def test_snapshot_sees_this_process_work() -> None:
    before = counters.snapshot()
    _spin(0.2)
    gap = counters.difference(before, counters.snapshot())
    assert gap["cpu_seconds"] >= 0.2
    assert gap["busy_seconds"] is not None and gap["busy_seconds"] > 0
    assert gap["steal_seconds"] is not None and gap["steal_seconds"] >= 0
    assert gap["involuntary_switches"] is not None and gap["involuntary_switches"] >= 0


@linux
def test_process_cpu_seconds_of_another_process_and_its_ended_threads() -> None:
    code = (
        "import threading, time\n"
        "def spin():\n"
        "    end = time.thread_time() + 0.3\n"
        "    while time.thread_time() < end: pass\n"
        "thread = threading.Thread(target=spin); thread.start(); thread.join()\n"
        "print('done', flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        used = counters.process_cpu_seconds(child.pid)
        assert used is not None and used >= 0.3
        child.communicate("\n")
    assert counters.process_cpu_seconds(child.pid) is None


@linux
def test_process_cpu_seconds_of_this_process_agrees_with_its_own_clock() -> None:
    low = time.process_time()
    asked = counters.process_cpu_seconds(os.getpid())
    assert asked is not None
    assert low <= asked <= time.process_time()


def test_nothing_is_read_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "read", lambda path: "")
    monkeypatch.setattr(sys, "platform", "darwin")
    seen = counters.snapshot()
    assert (seen.busy_seconds, seen.steal_seconds, seen.pressure_seconds) == (None, None, None)
    assert counters.process_cpu_seconds(os.getpid()) is None
