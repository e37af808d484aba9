"""What NVML says around a block, by a fake NVML: other processes, heat, and a library that tells less."""

import sys
from types import SimpleNamespace

import pytest

from benchmarks.machine import gpu
from benchmarks.protocol.disturbed import is_disturbed

WORKER, OTHER_WORKER, STRANGER = 100, 101, 900


class NVML:
    """The names that are used of NVML."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU, NVML_PERF_POLICY_THERMAL = 1, 0, 1

    class NVMLError(Exception):
        pass

    def __init__(self):
        self.processes, self.heat = [WORKER, OTHER_WORKER], 5_000_000_000

    def nvmlDeviceGetClockInfo(self, handle, kind):
        return 1700

    def nvmlDeviceGetTemperature(self, handle, sensor):
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        return 0

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid) for pid in self.processes]

    def nvmlDeviceGetViolationStatus(self, handle, policy):
        assert policy == self.NVML_PERF_POLICY_THERMAL
        return SimpleNamespace(referenceTime=9, violationTime=self.heat)


@pytest.fixture
def nvml(monkeypatch):
    fake = NVML()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(gpu, "handle", object)
    return fake


def around(nvml, **changes):
    """Evidence of a block during which ``changes`` happened."""
    earlier = gpu.before()
    for name, value in changes.items():
        setattr(nvml, name, value)
    return gpu.evidence(earlier, own=[WORKER, OTHER_WORKER])


def disturbed(evidence):
    return is_disturbed(evidence, 0.5, cpus=2)


def test_a_quiet_gpu(nvml):
    found = around(nvml)
    assert found == {
        "gpu_clock_mhz": 1700, "gpu_throttle_reasons": 0, "gpu_foreign_processes": 0, "gpu_throttled_seconds": 0.0
    }  # fmt: skip
    assert not disturbed(found)


@pytest.mark.parametrize("there", ["before", "after", "both"])
def test_another_process_on_the_gpu_disturbs(nvml, there):
    ours, with_it = [WORKER, OTHER_WORKER], [WORKER, STRANGER]
    nvml.processes = ours if there == "after" else with_it
    found = around(nvml, processes=ours if there == "before" else with_it)
    assert found["gpu_foreign_processes"] == 1
    assert disturbed(found)


def test_heat_within_the_block_disturbs_though_it_is_over_at_its_end(nvml):
    found = around(nvml, heat=5_020_000_000)
    assert found["gpu_throttled_seconds"] == pytest.approx(0.02)
    assert found["gpu_throttle_reasons"] == 0
    assert disturbed(found)


@pytest.mark.parametrize("seen", [[], [STRANGER]])
def test_where_process_ids_are_not_ours_nothing_is_said_of_others(nvml, seen):
    """Containers: NVML lists none, or by the numbers they have outside."""
    nvml.processes = seen
    found = around(nvml)
    assert "gpu_foreign_processes" not in found
    assert not disturbed(found)


def test_a_library_or_gpu_that_tells_less_leaves_fields_out(nvml, monkeypatch):
    def refuse(self, *anything):
        raise self.NVMLError("Not Supported")

    monkeypatch.setattr(NVML, "nvmlDeviceGetViolationStatus", refuse)
    monkeypatch.delattr(NVML, "nvmlDeviceGetComputeRunningProcesses")
    assert around(nvml) == {"gpu_clock_mhz": 1700, "gpu_throttle_reasons": 0}


def test_of_two_stretches_what_either_saw_counts():
    one = {"gpu_clock_mhz": 1, "gpu_throttle_reasons": 1, "gpu_foreign_processes": 2, "gpu_throttled_seconds": 0.5}
    two = {"gpu_clock_mhz": 2, "gpu_throttle_reasons": 8, "gpu_foreign_processes": 0, "gpu_throttled_seconds": 0.25}
    together = {
        "gpu_clock_mhz": 2,
        "gpu_throttle_reasons": 9,
        "gpu_foreign_processes": 2,
        "gpu_throttled_seconds": 0.75,
    }
    assert gpu.both(one, two) == together
    assert gpu.both({}, one) == gpu.both(one, {}) == one


def test_without_nvml_there_is_no_evidence(monkeypatch):
    monkeypatch.setattr(gpu, "handle", lambda: None)
    assert gpu.evidence(gpu.before(), own=[WORKER]) == {}
