"""Visits to the museum that really measure, tiny: on NumPy toys, and the fastest exhibits on frameworks."""

from pathlib import Path

import psutil
import pytest
from frameworks import need

from benchmarks import museum
from benchmarks.machine.computer import cpu_budget
from benchmarks.museum import Place
from benchmarks.museum.schema import NOT_VISITED
from benchmarks.museum.visit import visit
from benchmarks.selfcheck.hog import Hog

TOYS = Path(__file__).parent / "toys"
LINEAR = "mnist_mlp_ablation/linear"


def silent(text):
    pass


def moved(monkeypatch, places):
    """Let exhibits be shown elsewhere, as smoke."""

    def go(say=silent, **words):
        for name, where in places.items():
            monkeypatch.setattr(museum.exhibit(name), "PLACES", tuple(where))
        found = visit(only=list(places), profile="smoke", threads=1, command="museum", say=say, **words)
        assert [e.name for e in found.exhibits] == sorted(places)
        return {e.name: e.cases for e in found.exhibits}

    return go


def test_exhibits_that_need_no_framework_of_their_own(monkeypatch):
    names = ("data_copy", "forward_only", "hog", "loss_read_each_step", "no_synchronise", "no_warm_up", "same_batch")
    toy = Place("toy/sound", "numpy:eager", judged=True)
    said = []
    found = moved(monkeypatch, {n: [toy] for n in (*names, "best_of_n")})(said.append, impls=TOYS)
    (refused,) = found.pop("no_synchronise")
    assert (refused.status, refused.reason) == ("unavailable", "museum is not written for numpy")
    for name, (case,) in found.items():
        assert case.status == "ok", (name, case.reason)
        assert case.batch_size == 50 and case.stack == "numpy:eager:cpu"
        assert len(case.right) == (1 if name == "no_warm_up" else 2)
    (forward,) = found["forward_only"]
    assert forward.sound.status == "ok"
    assert forward.faulty.status == "parity_failed" and "update" in forward.faulty.failed
    (best,) = found["best_of_n"]
    assert all(w.seconds == min(one) for w, one in zip(best.wrong, best.single_steps, strict=True))
    assert any(line.startswith("[8/8] ") for line in said)


def test_a_failure_is_kept_and_the_next_case_gets_a_worker_of_its_own(monkeypatch):
    places = [Place(f"toy/{way}", "numpy:eager") for way in ("raises", "dies", "sound")]
    found = moved(monkeypatch, {"data_copy": places, "loss_read_each_step": places[:1]})(impls=TOYS)
    raised, died, sound = found["data_copy"]
    assert (raised.status, raised.reason) == ("failed", "ValueError: the toy was told to raise")
    assert any("the toy was told to raise" in line for line in raised.log_tail)
    assert (died.status, died.reason) == ("crashed", "the worker died with exit code 7 during museum")
    assert sound.status == "ok"
    assert found["loss_read_each_step"][0].status == "failed"  # and not crashed, as on a dead worker


def test_nothing_is_begun_when_the_time_is_over(monkeypatch):
    """The clock jumps by an hour while the first case of three is looked at."""
    now, toy = [0.0], Place("toy/sound", "numpy:eager")
    monkeypatch.setattr("benchmarks.museum.visit.monotonic", lambda: now[0])

    def late(text):
        now[0] += 3600.0 if text.startswith("[1/") else 0.0

    places = {"data_copy": [toy], "loss_read_each_step": [toy], "same_batch": [toy]}
    monkeypatch.setattr(museum.exhibit("loss_read_each_step"), "look", lambda room: pytest.fail("begun too late"))
    found = moved(monkeypatch, places)(late, impls=TOYS, minutes=30)
    assert found["data_copy"][0].status == "ok"
    for name in ("loss_read_each_step", "same_batch"):
        (left,) = found[name]
        assert (left.status, left.reason, left.stack) == ("unavailable", NOT_VISITED, "numpy:eager:cpu")


def test_the_hog_gets_the_cpus_of_the_workers(monkeypatch):
    seen, begin = [], Hog.__init__

    def bound(self, affinity=()):
        seen.append(list(affinity))
        begin(self, affinity)

    monkeypatch.setattr(Hog, "__init__", bound)
    found = moved(monkeypatch, {"hog": [Place("toy/sound", "numpy:eager")]})(impls=TOYS)
    assert found["hog"][0].status == "ok"
    assert seen == [cpu_budget(1)[1]] and seen[0]


def test_an_interrupt_leaves_no_process_behind(monkeypatch):
    def interrupted(text):
        if text.startswith("[2/"):
            raise KeyboardInterrupt

    toy = Place("toy/sound", "numpy:eager")
    with pytest.raises(KeyboardInterrupt):
        moved(monkeypatch, {"data_copy": [toy], "hog": [toy]})(interrupted, impls=TOYS)
    left = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert left == []


@pytest.mark.framework
def test_soft_max_twice_in_torch_learns_worse_and_is_caught(monkeypatch):
    need("torch")
    here = Place(LINEAR, "torch:eager", judged=True, trained=True)
    precise = Place(LINEAR, "torch:eager", "bfloat16 autocast", judged=True)
    found = moved(monkeypatch, {"double_softmax": [here], "evaluation_mode": [here], "precision": [precise]})()
    for (case,) in found.values():
        assert case.status == "ok", case.reason
        assert case.sound.status == "ok"
    (twice,), (bits,) = found["double_softmax"], found["precision"]
    assert {"loss", "gradient"} <= set(twice.faulty.failed)
    assert twice.scores.seeds == [0] and twice.scores.right != twice.scores.wrong
    assert "forward" in bits.faulty.failed
    (mode,) = found["evaluation_mode"]  # a network without dropout and batch norm has nothing to lose
    assert mode.faulty.status == "ok" and mode.scores.right == mode.scores.wrong


@pytest.mark.slow
@pytest.mark.framework
def test_without_synchronising_tensorflow_looks_faster_than_it_is(monkeypatch):
    need("tensorflow")
    here = Place(LINEAR, "tensorflow:graph")
    found = moved(monkeypatch, {"eager_for_compiled": [here], "no_synchronise": [here]})()
    for (case,) in found.values():
        assert case.status == "ok", case.reason
    (case,) = found["no_synchronise"]
    assert [s.steps for s in case.right] == [s.steps for s in case.wrong]
