"""Machine facts, and the CPU budget on machines that are not this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from drop_in import ADAPTER, MODES, dropped
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.commands import doctor
from benchmarks.engine.availability import Availability
from benchmarks.errors import Problem
from benchmarks.machine import computer, gpu_check
from benchmarks.machine.cgroup import cpu_quota
from benchmarks.machine.computer import cpu_budget, parse_cpus


def test_passport_of_this_machine() -> None:
    facts = computer.machine()
    assert facts.memory_bytes > 0
    assert facts.cpu
    assert facts.system
    assert facts.name == computer.label(facts.cpu, facts.physical_cores, [g["name"] for g in facts.gpus])
    assert 0 < computer.memory_available() <= facts.memory_bytes


@pytest.mark.parametrize(
    ("cpu", "cores", "gpus", "expected"),
    [
        ("AMD EPYC", 2, [], "amd-epyc-2c"),
        ("AMD EPYC 9654 96-Core Processor", 96, ["NVIDIA H200"], "amd-epyc-9654-96c-h200"),
        ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", 6, [], "intel-core-i7-9750h-6c"),
        ("AMD Ryzen 7 5800X 8-Core Processor", 8, ["NVIDIA GeForce RTX 4090"] * 2, "amd-ryzen-7-5800x-8c-2x-rtx-4090"),
        ("Apple M2", None, [], "apple-m2"),
        ("", None, [], "machine"),
    ],
)
def test_label_says_what_the_machine_is(cpu: str, cores: int | None, gpus: list[str], expected: str) -> None:
    assert computer.label(cpu, cores, gpus) == expected


def test_virtualised_is_read_from_the_flags() -> None:
    assert computer._virtualised("flags\t\t: fpu vme hypervisor\n") is True
    assert computer._virtualised("flags\t\t: fpu vme\n") is False
    assert computer._virtualised("Features\t: fp asimd\n") is None


def test_governor(tmp_path: Path) -> None:
    assert computer.governor(tmp_path) is None
    for cpu, value in enumerate(["powersave", "performance", "powersave"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(value + "\n")
    assert computer.governor(tmp_path) == "performance, powersave"


def test_interpreter_names_what_matters_and_what_is_asked_for() -> None:
    plain = computer.interpreter("default")
    assert "numpy" in plain.packages
    assert "pytest" not in plain.packages
    assert "pytest" in computer.interpreter("default", sys.executable, also=["PyTest"]).packages


def test_git_state(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    assert computer.git_state(tmp_path) == (None, None)
    git("init")
    (tmp_path / "a").write_text("1")
    assert computer.git_state(tmp_path) == (None, True)
    git("add", "a")
    git("commit", "-m", "one")
    commit, dirty = computer.git_state(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "a").write_text("2")
    assert computer.git_state(tmp_path) == (commit, True)
    (tmp_path / "copy").mkdir()  # a tree unpacked inside another project does not borrow its commit
    assert computer.git_state(tmp_path / "copy") == (None, None)


def test_no_gpu_is_told_in_one_sentence_before_anything_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-I", gpu_check.__file__],  # as tox does: nothing of the suite can be imported
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "No GPU benchmark here: CUDA_VISIBLE_DEVICES hides every GPU.\n"


# -- doctor -----------------------------------------------------------------------------------------


def test_doctor_names_a_process_that_disturbs() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        name = psutil.Process(child.pid).name()
        try:
            found = list(doctor.disturbances(0.5))
        finally:
            child.kill()
    assert [line for line in found if line.startswith(f"{name} uses ")]


def test_doctor_lists_every_stack_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    availability = Availability(cache=tmp_path / "probes.json")
    monkeypatch.setattr(availability, "_probed", lambda framework, mode, device: dict.fromkeys(framework.modes, ""))
    monkeypatch.setattr(doctor, "missing_gpu", lambda: "there is no GPU")
    console = Console(file=io.StringIO(), width=200)
    with dropped(tmp_path, odd_modes=MODES.replace('"numpy"', '"no-such [package]"'), odd_adapter=ADAPTER):
        console.print(doctor.stacks_table(availability))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.count("no-such [package] is not installed: pip install no-such [package]") == 2
    assert "cuda: there is no GPU" in text


# -- CPU budget ---------------------------------------------------------------------------------------


def system(folder: Path, *, nodes: list[str], siblings: dict[int, str]) -> Path:
    for number, cpus in enumerate(nodes):
        node = folder / f"sys/devices/system/node/node{number}"
        node.mkdir(parents=True)
        (node / "cpulist").write_text(cpus + "\n")
    for cpu, text in siblings.items():
        topology = folder / f"sys/devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(text + "\n")
    return folder


@pytest.fixture
def two_nodes(tmp_path: Path) -> Path:
    """Two nodes of four cores with two logical CPUs each, numbered as Linux does: 0-3 and 8-11, 4-7 and 12-15."""
    pairs = {cpu: f"{cpu % 8},{cpu % 8 + 8}" for cpu in range(16)}
    return system(tmp_path, nodes=["0-3,8-11", "4-7,12-15"], siblings=pairs)


def test_default_is_one_cpu_of_each_core_of_one_node(two_nodes: Path) -> None:
    assert cpu_budget(allowed=range(16), system=two_nodes) == (4, [0, 1, 2, 3])


def test_the_node_with_most_allowed_cores_is_taken(two_nodes: Path) -> None:
    assert cpu_budget(allowed=[0, 8, 12, 13, 6], system=two_nodes) == (3, [6, 12, 13])


def test_more_threads_go_to_other_cores_then_to_second_logical_cpus(two_nodes: Path) -> None:
    assert cpu_budget(2, allowed=range(16), system=two_nodes) == (2, [0, 1])
    assert cpu_budget(6, allowed=range(16), system=two_nodes) == (6, [0, 1, 2, 3, 4, 5])
    assert cpu_budget(9, allowed=range(16), system=two_nodes) == (9, [0, 1, 2, 3, 4, 5, 6, 7, 8])


def test_more_threads_than_cpus_is_an_error(two_nodes: Path) -> None:
    with pytest.raises(Problem, match="--threads 5 asks for more than the 4 CPUs"):
        cpu_budget(5, allowed=range(4), system=two_nodes)


@given(allowed=st.sets(st.integers(0, 63), min_size=1), threads=st.none() | st.integers(1, 64))
def test_without_topology_every_allowed_cpu_is_a_core(allowed: set[int], threads: int | None) -> None:
    nowhere = Path("no such folder")
    if threads is not None and threads > len(allowed):
        with pytest.raises(Problem):
            cpu_budget(threads, allowed=allowed, system=nowhere)
        return
    count, affinity = cpu_budget(threads, allowed=allowed, system=nowhere)
    assert count == len(affinity) == (threads or len(allowed))
    assert set(affinity) <= allowed
    assert affinity == sorted(set(affinity))


def test_budget_of_this_machine_can_be_bound() -> None:
    threads, affinity = cpu_budget()
    assert threads >= 1
    if sys.platform == "linux":
        assert len(affinity) == threads
        assert set(affinity) <= os.sched_getaffinity(0)


def test_default_stays_within_a_container_quota(two_nodes: Path) -> None:
    (two_nodes / "proc/self").mkdir(parents=True)
    (two_nodes / "proc/self/cgroup").write_text("0::/slice/job\n")
    group = two_nodes / "sys/fs/cgroup/slice/job"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("max 100000\n")
    assert cpu_quota(two_nodes) is None
    (group.parent / "cpu.max").write_text("250000 100000\n")
    assert cpu_quota(two_nodes) == 2.5
    assert cpu_budget(allowed=range(16), system=two_nodes) == (2, [0, 1])
    assert cpu_budget(4, allowed=range(16), system=two_nodes) == (4, [0, 1, 2, 3])  # asked for, so given


def test_quota_of_old_control_groups(tmp_path: Path) -> None:
    folder = tmp_path / "sys/fs/cgroup/cpu"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(tmp_path) is None
    (folder / "cpu.cfs_quota_us").write_text("50000\n")
    assert cpu_quota(tmp_path) == 0.5
    assert cpu_budget(allowed=range(4), system=tmp_path) == (1, [0])


@given(st.sets(st.integers(0, 5000)))
def test_cpu_lists_are_read_back(cpus: set[int]) -> None:
    assert parse_cpus(",".join(map(str, sorted(cpus))) + "\n") == cpus


def test_cpu_list_with_ranges() -> None:
    assert parse_cpus("0-3,8,10-11\n") == {0, 1, 2, 3, 8, 10, 11}
    assert parse_cpus("\n") == set()
