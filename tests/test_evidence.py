"""One rule of evidence for everything that is timed: whose work counts, on which CPUs, and that the mark follows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from part_answers import result, violations
from test_part_sweep_batch import value as sweep

from benchmarks.analysis.evidence import contradictions, contradicts, samples
from benchmarks.commands.selftest import FOLDER as BANKS
from benchmarks.engine import rounds
from benchmarks.engine.timed_block import timed_block
from benchmarks.engine.worker_process import WorkerError
from benchmarks.experiments import read_result, timing, typed
from benchmarks.experiments.energy import worker as energy
from benchmarks.experiments.limits import worker as limits
from benchmarks.experiments.loops import worker as loops
from benchmarks.experiments.pipeline import worker as pipeline
from benchmarks.experiments.pipeline.schema import Epoch
from benchmarks.experiments.quiet import counted as counted_groups
from benchmarks.experiments.quiet import is_quiet, mostly_disturbed
from benchmarks.machine import counters
from benchmarks.museum import hall, inside
from benchmarks.museum.schema import Claimed
from benchmarks.museum.schema import read as read_visit
from benchmarks.peers import worker as peers
from benchmarks.peers.record import Round
from benchmarks.peers.record import read as read_record
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.measurements import Answer
from benchmarks.schema.samples import Block, Call
from benchmarks.selftest import bank
from benchmarks.worker import evidence
from benchmarks.worker.evidence import Watch, counted
from benchmarks.worker.session import Session
from benchmarks.workload import ROOT

MINE, ELSEWHERE, IDLE = 5, 40, 1234  # a CPU of the stack, another one, and the process id of an idle worker


NAMED = {"row": "r", "pass_index": 0, "attempt": 1, "solo": False}


class Machine:
    """64 CPUs, of which the stack has 4 and 5. While something is timed, half a second of CPU is used on one of them.

    ``by``: the process id of who uses it; None: somebody who is not of the run.
    """

    def __init__(self, monkeypatch):
        self.ticks, self.spent, self.cpu, self.by = [1000] * 64, {}, None, None
        self.job = {"threads": 2, "device": "cpu", "affinity": [4, MINE]}
        self.adapter = SimpleNamespace(synchronize=lambda: None)
        monkeypatch.setattr(counters, "read", lambda path: self.stat() if path == "/proc/stat" else "")
        monkeypatch.setattr(counters, "process_cpu_seconds", lambda pid: self.spent.get(pid, 0.0))
        monkeypatch.setattr(evidence, "descendants", lambda of=None: iter(()))

    def stat(self):
        together = f"cpu {sum(self.ticks)} 0 0 99 0 0 0 0 0 0"
        return "\n".join([together, *(f"cpu{i} {ticks} 0 0 9 0 0 0 0 0 0" for i, ticks in enumerate(self.ticks))])

    def work(self, *anything):
        if self.cpu is not None:
            self.ticks[self.cpu] += 50
            self.spent[self.by] = self.spent.get(self.by, 0.0) + 0.5
        return 1e-9

    # -- as a session

    steps = work

    def whole_calls(self, count):
        return count

    # -- as a launch

    process, timeout, step_seconds, named = SimpleNamespace(pid=77), 1.0, 1.0, NAMED

    def ask(self, command, **words):
        if command == "block":
            return Session.do_block(self, **words)
        warm = {"settled": True, "window_seconds": [1.0], "window_steps": 1}
        return {"lead_in": {"steps": 3}, "warm_up": warm}.get(command, {})


def in_a_round(machine):
    kept = []
    ctx = SimpleNamespace(profile=PROFILES["smoke"], journal=SimpleNamespace(add=kept.append))
    timed, idle = launches(machine)
    rounds._Rounds(ctx, 0, [timed, idle])._block(timed, [idle], 0, 0, None)
    return kept[0].block


def launches(machine):
    """The timed one, and one that should be idle."""
    return [machine, SimpleNamespace(process=SimpleNamespace(pid=IDLE))]


def alone(machine):
    ctx = SimpleNamespace(profile=PROFILES["smoke"])
    return Block.model_validate(timing.time_steps(ctx, machine, blocks=1)["blocks"][0])


def in_a_bank(machine):
    return bank._block(launches(machine), 0, 20, slow=True)


def in_the_museum(machine):
    room = hall.Room.__new__(hall.Room)
    room._launch, *room._others = launches(machine)
    room._built = True
    return Claimed.model_validate(room.block(3))


def beside_a_peer(machine):
    side = peers.Side(machine.adapter, SimpleNamespace(train_step=machine.work), [(1,)])
    side.once = 1e-6
    return Round.model_validate(peers._round([side, side], 0, lambda call: counted(machine, call))).ours


def in_a_window(machine):
    machine.job["others"] = [IDLE]
    seen = energy.window(machine, SimpleNamespace(read=lambda: {"package": 1.0}), 1e-9, machine.work)
    assert seen.pop("readings")
    return Call.model_validate({k: v for k, v in seen.items() if k != "other_gpu_processes"} | {"seconds": 1e-9})


def one_of(kind, call):
    def place(machine):
        machine.job["others"] = [IDLE]
        return kind.model_validate(call(machine))

    return place


BESIDE_OTHERS = {
    "round": in_a_round,
    "bank": in_a_bank,
    "museum, block": in_the_museum,
    "museum, inside": one_of(Claimed, lambda m: inside.sample(m, m.work, 3)),
    "call": one_of(Call, lambda m: counted(m, m.work)),
    "loops": one_of(Call, lambda m: loops._in_turns(m, {"bare": m.work}, 1, 1)["bare"][0]),
    "limits": one_of(Call, lambda m: limits.repeated(m.work, m, 1, 1e-9)[1][0]),
    "pipeline": one_of(Epoch, lambda m: pipeline._watched(m, lambda: pipeline.Once(m.work()))),
    "window": in_a_window,
}
PLACES = BESIDE_OTHERS | {"alone": alone, "peer": beside_a_peer}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_neighbour_on_the_runs_cpus_marks_and_one_elsewhere_does_not(place, monkeypatch):
    machine = Machine(monkeypatch)
    for cpu, disturbed in ((None, False), (ELSEWHERE, False), (MINE, True)):
        machine.cpu = cpu
        found = place(machine)
        assert (found.disturbed, found.evidence.stat_cpus, found.evidence.cpus) == (disturbed, 2, 2), cpu
        assert (found.evidence.foreign_cpu_seconds > 0.4) == disturbed
        assert not contradicts(found, cpus=2)
        assert contradicts(found.model_copy(update={"disturbed": not disturbed}), cpus=2), "verify sees the drift"


@pytest.mark.parametrize("place", BESIDE_OTHERS.values(), ids=BESIDE_OTHERS)
@pytest.mark.parametrize("by", [IDLE, os.getppid()], ids=["idle worker", "engine"])
def test_the_runs_own_processes_are_nobodys_neighbours(place, by, monkeypatch):
    machine = Machine(monkeypatch)
    machine.cpu, machine.by = MINE, by
    found = place(machine)
    assert found.evidence.foreign_cpu_seconds < 0.03 and not found.disturbed
    assert (found.evidence.idle_worker_cpu_seconds > 0.4) == (by == IDLE)


# -- the clock ---------------------------------------------------------------------------------------------


def of_job(**words):
    return SimpleNamespace(job={"threads": 2, "device": "cpu"} | words)


def test_it_counts_only_while_it_runs_and_children_as_our_own():
    if counters.snapshot().busy_seconds is None:
        pytest.skip("this system does not count the CPU time of others")
    clock = Watch(of_job())
    clock.start()
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    clock.stop()
    child = clock._sums["family"]
    assert child >= 0.45
    subprocess.run([sys.executable, "-c", burn], check=True)
    clock.start()
    clock.stop()
    assert clock._sums["family"] < child + 0.4, "the second child ran while the clock stood still"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); input()"
    before = evidence.family_cpu_seconds()
    running = subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while evidence.family_cpu_seconds() < before + 0.4 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert evidence.family_cpu_seconds() >= before + 0.4, "also of a grandchild, while its parent lives"
    finally:
        running.kill()
        running.communicate()


def test_what_may_be_taken_is_a_share_of_all_its_stretches(monkeypatch):
    machine = Machine(monkeypatch)
    now = [0.0]
    monkeypatch.setattr(evidence.time, "perf_counter", lambda: now[0])
    clock = Watch(machine)
    for seconds, cpu in ((3.0, MINE), (3.0, None)):
        machine.cpu = cpu
        clock.start()
        machine.work()
        now[0] += seconds
        clock.stop()
        now[0] += 100.0
        found = clock.sample()
        assert found["disturbed"] == (clock.seconds < 5.0), "half a second of 3, then of 6, at a tenth of a CPU"
    assert found["evidence"]["wall_seconds"] == 6.0


@pytest.mark.parametrize("seen", [{"gpu_throttle_reasons": 0x40}, {"gpu_foreign_processes": 1}], ids=["heat", "other"])
def test_what_happens_on_the_gpu_marks(monkeypatch, seen):
    asked = []

    def told(earlier, *, own):
        asked.append((earlier, own))
        return seen

    monkeypatch.setattr(evidence.gpu, "before", lambda: "before")
    monkeypatch.setattr(evidence.gpu, "evidence", told)
    assert counted(of_job(device="cuda", others=[IDLE]), lambda: 0.1)["disturbed"]
    ((earlier, own),) = asked
    assert earlier == "before"
    assert own[0] == os.getpid(), "the timed one comes first"
    assert {os.getppid(), IDLE} <= set(own)
    machine = Machine(monkeypatch)
    assert not counted(machine, machine.work)["disturbed"], "a CPU's call asks no GPU"
    assert len(asked) == 1


def test_where_the_workers_python_has_no_nvml_the_parent_looks(monkeypatch):
    """The worker's own evidence has nothing of the GPU here: there is none."""
    machine = Machine(monkeypatch)
    machine.job["device"] = "cuda"
    monkeypatch.setattr("benchmarks.engine.timed_block.gpu.before", lambda: "before")
    told = iter([{}, {"gpu_foreign_processes": 1}])
    monkeypatch.setattr("benchmarks.engine.timed_block.gpu.evidence", lambda earlier, *, own: next(told))
    found = timed_block(machine, steps=1, lead_in=1)
    assert found.disturbed and found.evidence.gpu_foreign_processes == 1


def test_where_nothing_is_told_nothing_is_known(monkeypatch):
    monkeypatch.setattr(counters, "read", lambda path: "")
    found = Call.model_validate(counted(of_job(), lambda: 1e-9))
    assert (found.evidence.foreign_cpu_seconds, found.evidence.steal_seconds, found.disturbed) == (None, None, False)


def test_a_block_that_is_not_as_declared_fails_its_launch(monkeypatch):
    machine = Machine(monkeypatch)
    ask = machine.ask
    machine.ask = lambda command, **words: {k: v for k, v in ask(command, **words).items() if k != "seconds"}
    with pytest.raises(WorkerError, match="not as declared: seconds: Field required"):
        timed_block(machine, steps=1, lead_in=1)


# -- what verify sees ----------------------------------------------------------------------------------------


def call(disturbed=False, **evident):
    return Call(seconds=1.0, evidence={"idle_worker_cpu_seconds": 0.0, **evident}, disturbed=disturbed)


def test_a_sample_cannot_loosen_its_own_rule():
    assert not contradicts(call(foreign_cpu_seconds=0.04, cpus=2, wall_seconds=1.0), cpus=2)
    assert contradicts(call(foreign_cpu_seconds=0.04, cpus=9, wall_seconds=1.0), cpus=2)
    assert contradicts(call(foreign_cpu_seconds=0.04, cpus=2, wall_seconds=0.5), cpus=2)
    assert contradicts(call(foreign_cpu_seconds=0.4, cpus=2, wall_seconds=1.0), cpus=2)


def test_samples_of_before_are_read_and_checked_as_far_as_they_can_be():
    old = {"seconds": 1.0, "foreign_cpu_seconds": 0.5, "disturbed": True}
    found = Call.model_validate(old)
    assert found.evidence.foreign_cpu_seconds == 0.5
    assert not contradicts(found, cpus=2)
    assert contradicts(Call.model_validate(old | {"disturbed": False}), cpus=2)
    marked = Call.model_validate(old | {"foreign_cpu_seconds": 0.0})
    assert not contradicts(marked, cpus=2), "what marked it was not kept"


def test_samples_are_found_wherever_they_lie_with_the_cpus_of_their_stack():
    def count(threads):
        launch = {
            "launch": 0,
            "settled": True,
            "blocks": [{**call(True, foreign_cpu_seconds=0.06).model_dump(), "steps": 1}],
        }
        return {"threads": threads, "status": "ok", "launches": [launch]}

    value = typed(Answer(part="sweep_threads", workload="w", variant="v", stack="s", status="ok", value={
        "batch_size": 1, "counts": [count(1), count(2)]
    }))  # fmt: skip
    assert [cpus for _, cpus in samples(value, 4)] == [1, 2]
    assert contradictions(value, cpus=4) == 1, "of two threads others may take more"


@pytest.mark.parametrize("path", sorted(ROOT.glob("results/**/*.json")), ids=lambda path: path.stem)
def test_committed_samples_are_marked_as_their_evidence_says(path):
    kind = path.parent.name
    if kind == "museum":
        assert len(list(samples(read_visit(path), 2))) > 100
    elif kind == "selftest":
        assert len(list(samples(bank.read(path), 2))) > 100
    elif kind == "speed":
        assert len(list(samples(read_record(path), 2))) > 100
    elif kind in ("results", "earlier", "parts"):
        result = read_result(path)
        answers = [typed(answer) for answer in result.answers if answer.value is not None]
        assert contradictions([result.rows, result.isolated, answers], cpus=result.options.threads) == 0


@pytest.mark.parametrize("path", sorted(BANKS.glob("*.json")), ids=lambda path: path.stem)
def test_the_banks_of_the_selftest_are_read(path):
    assert bank.read(path).launches


def test_verify_recomputes_the_marks_of_answers():
    made = result("sweep_batch", {"torch:eager:cpu": sweep(1e-3, 1e-5) | {"unit": "samples"}})
    assert violations(made) == []
    made.answers[0].value["points"][0]["blocks"][1]["foreign_cpu_seconds"] = 9.0
    assert any("1 of its samples are marked against their own evidence" in v for v in violations(made))


# -- which samples count ------------------------------------------------------------------------------------


def groups(*flags):
    return [(call(flag),) for flag in flags]


def test_quiet_calls_count_unless_most_were_disturbed():
    half, most = groups(True, False), groups(True, True, False)
    assert not mostly_disturbed(half)
    assert counted_groups(half) == half[1:]
    assert mostly_disturbed(most)
    assert counted_groups(most) == most
    assert not is_quiet((*half[0], *half[1])), "a pair is quiet when both are"
