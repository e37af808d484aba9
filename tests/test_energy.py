"""Energy counters on a fake sysfs and a fake NVML; windows, what verify objects to, the report, and cost."""

import os
import re
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_factory import make

from benchmarks.errors import Unavailable
from benchmarks.experiments.energy.measure import missing
from benchmarks.experiments.energy.schema import Value, check, words
from benchmarks.experiments.energy.worker import _beside, answer, window
from benchmarks.machine import gpu
from benchmarks.machine.energy_counters import Counter, Meter, counters, rapl
from benchmarks.schema.measurements import Answer
from reports import cost
from reports.ranking import rank
from reports.render import html
from reports.work import gather

RANGE = 262_143_328_850
SESSION = SimpleNamespace(job={"threads": 2, "device": "cpu"})
QUIET = {"foreign_cpu_seconds": 0.1, "disturbed": False, "other_gpu_processes": None}


def zone(folder, name, label, energy=1_000_000, count=RANGE):
    path = folder / name
    path.mkdir(parents=True)
    (path / "name").write_text(f"{label}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{count}\n")
    return path / "energy_uj"


class NVML:
    """The two names that are used of NVML."""

    class NVMLError(Exception):
        pass

    def __init__(self, millijoules=None):
        self.millijoules = millijoules

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if self.millijoules is None:
            raise self.NVMLError("Not Supported")
        return self.millijoules


@pytest.fixture
def powercap(tmp_path):
    """Two packages with what counts within them, and the platform that counts them again."""
    zone(tmp_path, "intel-rapl:0", "package-0")
    zone(tmp_path, "intel-rapl:0:0", "core")
    zone(tmp_path, "intel-rapl:0:1", "dram")
    zone(tmp_path, "intel-rapl:1", "package-1")
    zone(tmp_path, "intel-rapl:2", "psys")
    zone(tmp_path, "intel-rapl-mmio:0", "package-0")
    return tmp_path


def test_packages_and_their_memory_are_counted_once(powercap):
    found, why = rapl(powercap)
    assert [c.name for c in found] == ["package-0", "dram of package 0", "package-1"]
    assert why == ""
    meter = Meter(found)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("3500000")
    (powercap / "intel-rapl:0:0" / "energy_uj").write_text("9000000")
    assert meter.read() == pytest.approx({"package-0": 2.5, "dram of package 0": 0.0, "package-1": 0.0})
    assert sum(meter.read().values()) == 0, "a reading begins where the last one ended"


@given(st.integers(0, RANGE - 1), st.integers(0, RANGE - 1))
def test_a_full_counter_starts_again_at_nothing(before, spent):
    counter = Counter(name="package-0", raw=lambda: 0, unit=1e-6, range=RANGE)
    assert counter.joules(before, (before + spent) % RANGE) == pytest.approx(spent * 1e-6)


def test_a_counter_without_a_range_must_not_go_back():
    counter = Counter(name="GPU", raw=lambda: 0, unit=1e-3, range=None)
    assert counter.joules(2000, 5000) == 3.0
    with pytest.raises(ValueError, match="backwards"):
        counter.joules(5000, 2000)


def test_no_counter_is_unavailable_and_never_nothing(tmp_path):
    with pytest.raises(Unavailable, match=r"energy counters: .* not available here"):
        counters("cpu", powercap=tmp_path)
    with pytest.raises(Unavailable, match="Not Supported"):
        counters("cuda", powercap=tmp_path, nvml=NVML(), gpu=object())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_counter_that_may_not_be_read_is_said(powercap):
    (powercap / "intel-rapl:1" / "energy_uj").chmod(0)
    found, why = rapl(powercap)
    assert found == []
    assert "PermissionError" in why


def test_half_a_processor_is_not_counted(powercap):
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    with pytest.raises(Unavailable, match="may not be read"):
        counters("cpu", powercap=powercap)


def test_a_gpu_is_counted_in_millijoules_beside_the_processor(powercap):
    nvml = NVML(7000)
    found = counters("cuda", powercap=powercap, nvml=nvml, gpu=object())
    assert found[0].name == "GPU"
    meter = Meter(found)
    nvml.millijoules = 9500
    assert meter.read()["GPU"] == 2.5


def test_a_window_reads_until_it_is_long_enough(powercap):
    energy = powercap / "intel-rapl:0" / "energy_uj"
    done = []

    def work():
        done.append(1)
        energy.write_text(str(int(energy.read_text()) + 2_000_000))

    seen = window(SESSION, Meter(rapl(powercap)[0]), 0.02, work)
    assert len(seen["readings"]) == len(done) >= 1
    assert sum(r["seconds"] for r in seen["readings"]) >= 0.02
    assert sum(r["joules"]["package-0"] for r in seen["readings"]) == pytest.approx(2.0 * len(done))


def test_steps_that_go_together_are_taken_together(monkeypatch, powercap):
    taken = []

    class Several:
        """A session whose mode takes eight steps in a call."""

        job, together = SESSION.job, 8
        workload = SimpleNamespace(batch_size=4, items=1)

        def do_build(self):
            pass

        def whole_calls(self, steps):
            return -(-steps // 8) * 8

        def steps(self, count):
            taken.append(count)
            return 0.001 * count

    monkeypatch.setattr("benchmarks.experiments.energy.worker.counters", lambda device: rapl(powercap)[0])
    found = answer(Several(), window_seconds=0.02, device="cpu")
    assert len(taken) >= 3
    assert all(count % 8 == 0 for count in taken)
    assert found["steps"] % 8 == 0


class Processes:
    """NVML with a list of processes for each kind of use."""

    class NVMLError(Exception):
        pass

    def __init__(self, compute, graphics):
        self.lists = {"Compute": compute, "Graphics": graphics}

    def __getattr__(self, name):
        found = self.lists[name.removeprefix("nvmlDeviceGet").removesuffix("RunningProcesses")]

        def read(handle):
            if found is None:
                raise self.NVMLError("Not Supported")
            return [SimpleNamespace(pid=pid) for pid in found]

        return read


@pytest.mark.parametrize(
    ("compute", "graphics", "seen", "beside"),
    [
        ([1], [], 1, 0),
        ([1, 2], [2, 3], 3, 2),
        ([], [], None, None),  # a container that hides them, as this process is one
        ([1, 2], None, None, None),
    ],
)
def test_processes_on_a_gpu_are_counted_where_they_are_told(monkeypatch, compute, graphics, seen, beside):
    monkeypatch.setattr(gpu, "handle", object)
    monkeypatch.setitem(sys.modules, "pynvml", Processes(compute, graphics))
    assert gpu.processes() == seen
    assert _beside(SimpleNamespace(job={"device": "cuda"})) == beside
    assert _beside(SESSION) is None
    monkeypatch.setattr(gpu, "handle", lambda: None)
    assert gpu.processes() is None


def value(idle=10.0, load=25.0, seconds=31.0, steps=310, name="package-0", **more):
    def reading(watts):
        return {"seconds": seconds / 2, "joules": {name: watts * seconds / 2}}

    windows = {
        word: {"readings": [reading(watts)] * 2, **QUIET, **more.get(f"{word}_window", {})}
        for word, watts in (("idle", idle), ("load", load))
    }
    return Value(batch_size=100, items=1, steps=steps, **windows)


def with_answers(price=None, **values):
    base = make(interrupted=False)
    place = {"part": "energy", "workload": "mnist_mlp", "variant": "default"}
    answers = [Answer(**place, stack=key, status="ok", value=v.model_dump()) for key, v in values.items()]
    reason = "energy counters: the system shows no RAPL counter of the processor, so not available here"
    answers.append(Answer(**place, stack="tensorflow:eager:cpu:default", status="unavailable", reason=reason))
    options = base.options.model_copy(update={"measure": [*base.options.measure, "energy"], "price_per_hour": price})
    return base.model_copy(update={"answers": answers, "options": options})


def test_gross_and_net_of_idle():
    found = value()
    assert found.gross == pytest.approx(25.0)  # 31 s at 25 W for 31,000 samples
    assert found.net == pytest.approx(15.0)
    assert not found.short
    assert words(found) == "25 J per 1,000 samples, 15 J beyond idle (25 W training, 10 W idle; package-0)"
    assert "too short" in words(value(seconds=1.0))


def test_the_report_shows_idle_power_and_what_is_not_available():
    result = with_answers(**{"torch:eager:cpu:default": value(), "torch:compile:cpu:default": value(load=20.0)})
    text = re.sub(r"<[^>]+>|\s+", " ", html([result]))
    assert "takes 20.0 J in PyTorch compile to 25.0 J in PyTorch eager" in text
    assert "idle, the counted parts draw 10.0 W" in text
    assert "no RAPL counter of the processor, so not available here" in text
    only = re.sub(r"<[^>]+>|\s+", " ", html([with_answers()]))
    assert "No answer for TensorFlow eager: energy counters" in only


def test_a_disturbed_window_is_told_in_sentence_and_table():
    lost = value(load=5.0, load_window={"foreign_cpu_seconds": 12.0, "disturbed": True})
    crowded = value(idle_window={"other_gpu_processes": 2})
    alone = value(load=20.0)
    assert words(lost).endswith("; disturbed: not this stack's energy alone")
    assert lost.foreign
    assert crowded.foreign
    assert not alone.foreign
    values = {"torch:eager:cpu:default": lost, "torch:compile:cpu:default": alone}
    text = re.sub(r"<[^>]+>|\s+", " ", html([with_answers(**values)])).replace("&#39;", "'")
    assert "takes 20.0 J in PyTorch compile; idle" in text, "the least is not that of a disturbed stack"
    assert "Disturbed, not the stack's energy alone: PyTorch eager (5.00 J)." in text
    assert "12.0 s of others' CPU time in the training window of 31.0 s" in text
    only = re.sub(r"<[^>]+>|\s+", " ", html([with_answers(**{"torch:eager:cpu:default": crowded})]))
    assert "takes" not in only.split("Energy")[1].split("Disturbed")[0]
    assert "2 other processes on the GPU in the idle window" in only


def test_verify_objects():
    def violations(found, stack="torch:eager:cpu:default"):
        result = with_answers(**{stack: found})
        return " ".join(check(result, result.answers[0]))

    assert violations(value()) == ""
    assert "shorter than" in violations(value(seconds=5.0))
    assert "did not move" in violations(value(idle=0.0))
    assert "backwards" in violations(value(load=-1.0))
    assert "processes on a GPU" in violations(value(idle_window={"other_gpu_processes": 0}))
    assert "its counters are" in violations(value(name="GPU"))
    assert "its counters are" in violations(value(), "torch:eager:cuda:default")


def test_where_nothing_counts_no_process_is_started(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "benchmarks.experiments.energy.measure.counters", lambda device: counters(device, powercap=tmp_path)
    )
    assert "not available here" in missing("cpu")


def test_a_price_turns_seconds_into_cost_and_no_price_into_none():
    without, priced = with_answers(), with_answers(price=7.2)
    assert all(cost.sections(work) == [] for work in gather([without]))
    work = gather([priced])[0]
    (section,) = cost.sections(work)
    row = rank(work).ranked[0]
    million = 1e6 / row.samples_per_second() / 3600 * 7.2
    assert section.tables[0][1].rows[0][1].sort == pytest.approx(1e6 / row.samples_per_second())
    assert f"{million:.3g}" in section.sentence
    assert cost.of(None, 7.2) is None
    assert "Cost" not in html([without])
    assert "At 7.20 an hour" in html([priced])
