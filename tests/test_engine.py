"""The engine end to end on a NumPy toy: statuses, journal, resume, interruption, verify. No framework needed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from measured import measure

from benchmarks.schema.results import read
from benchmarks.verify.file import verify, verify_file
from benchmarks.workload import ROOT

TOYS = Path(__file__).parent / "toys"


def bench(*words, **kwargs):
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **kwargs)


def run(out, *words, variants="sound"):
    names = ",".join(f"toy/{v}" for v in variants.split(","))
    return bench(
        "run", "--impls", TOYS, "--workload", names, "--profile", "smoke", "--threads", 1, "--out", out, *words
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    out = tmp_path_factory.mktemp("sound") / "run"
    done = run(out, "--passes", 5, "--rounds", 3)
    return out, done


def test_a_sound_run_is_complete_and_verifies(sound):
    out, done = sound
    assert done.returncode == 0, done.stderr
    result = read(out / "result.json")
    (row,) = result.rows
    assert row.status == "ok"
    assert [len(launch.blocks) for launch in row.launches] == [3] * 5
    assert [launch.caches for launch in row.launches] == ["cold"] * 5  # NumPy compiles and keeps nothing
    assert row.certificate.status == "ok"
    assert row.certificate.worst.error < 1e-4
    (training,) = row.accuracy.trainings
    assert [p.epoch for p in training.curve] == [1, 2]
    assert result.complete
    assert result.data[0].optimum > 0.9
    assert list(verify(result)) == []
    assert "estimated time" in done.stderr
    assert bench("verify", out).returncode == 0


def test_results_hold_no_path_of_this_machine(sound):
    out, _ = sound
    text = (out / "result.json").read_text()
    assert str(ROOT) not in text
    assert str(Path.home()) not in text
    assert str(out) not in text


def test_failures_become_rows_and_the_run_goes_on(tmp_path):
    out = tmp_path / "run"
    done = run(out, variants="raises,dies,killed,memory,double_loss,hopeless,sound")
    assert done.returncode == 1
    result = read(out / "result.json")
    status = {row.variant: row.status for row in result.rows}
    assert status == {
        "raises": "failed",
        "dies": "crashed",
        "killed": "crashed",
        "memory": "out_of_memory",
        "double_loss": "parity_failed",
        "hopeless": "accuracy_failed",
        "sound": "ok",
    }
    reasons = {row.variant: row.reason for row in result.rows}
    assert "told to raise" in reasons["raises"]
    assert "exit code 7" in reasons["dies"]
    assert "SIGKILL" in reasons["killed"]
    (doubled,) = [row.certificate for row in result.rows if row.variant == "double_loss"]
    assert {t.check for t in doubled.tensors if not t.passed} >= {"update", "evaluation"}
    assert "outside 0.999" in reasons["hopeless"]
    (failed,) = [row for row in result.rows if row.variant == "raises"]
    assert any("ValueError" in line for line in failed.launches[0].log_tail)
    assert list(verify(result)) == []
    assert "crashed: toy/dies on numpy eager" in done.stderr


def test_a_pass_in_which_no_stack_gets_as_far_as_its_rounds_ends_nothing(tmp_path):
    folder = tmp_path / "impls" / "toy"
    shutil.copytree(TOYS / "toy", folder)
    code = (folder / "toy_numpy.py").read_text()
    (folder / "toy_numpy.py").write_text(code.replace("model.steps > 3", "model.steps > 0"))
    done = run(tmp_path / "run", "--impls", tmp_path / "impls", variants="raises,sound")
    assert "Traceback" not in done.stderr
    status = {row.variant: row.status for row in read(tmp_path / "run" / "result.json").rows}
    assert status == {"raises": "failed", "sound": "ok"}


def test_time_limit(tmp_path):
    out = tmp_path / "run"
    done = run(out, "--time-limit", 4, "--measure", "training", variants="hangs")
    assert done.returncode == 1
    (row,) = read(out / "result.json").rows
    assert row.status == "timeout"
    assert "longer than 4 s" in row.reason


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(p) for p in found.stdout.split()]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def start(out, *words, variants="slow"):
    names = ",".join(f"toy/{v}" for v in variants.split(","))
    command = [sys.executable, "-m", "benchmarks", "run", "--impls", str(TOYS), "--workload", names]
    command += ["--profile", "smoke", "--threads", "1", "--out", str(out), *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def journal(out):
    path = out / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interruption_keeps_what_was_measured_and_resume_redoes_only_the_rest(tmp_path):
    out = tmp_path / "run"
    process = start(out, "--passes", "3", "--rounds", "30", "--measure", "training")
    wait_for(lambda: [e for e in journal(out) if e["event"] == "block" and e["pass_index"] == 1])
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert all(gone(w) for w in workers)
    (row,) = read(out / "result.json").rows
    assert row.status == "interrupted"
    assert len(row.launches[0].blocks) == 30
    assert 1 <= len(row.launches[1].blocks) <= 30
    assert [v for v in verify_file(out) if "digest" in v] == []
    first = row.launches[0].blocks

    done = bench("run", "--resume", "--out", out)
    assert done.returncode == 0, done.stderr
    (row,) = read(out / "result.json").rows
    assert row.status == "ok"
    assert row.launches[0].blocks == first  # the finished launch was not done again
    assert [launch.attempt for launch in row.launches] == [1, 2, 1]
    assert list(verify_file(out)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_no_orphan_when_the_parent_is_killed(tmp_path):
    out = tmp_path / "run"
    process = start(out, "--rounds", "200", "--measure", "training")
    wait_for(lambda: [e for e in journal(out) if e["event"] == "block"])
    workers = children(process.pid)
    assert workers
    process.kill()
    process.communicate()
    wait_for(lambda: all(gone(w) for w in workers), seconds=10)
    done = bench("run", "--resume", "--out", out)
    assert done.returncode == 0, done.stderr


def test_killing_a_worker_mid_run_costs_only_its_row(tmp_path):
    out = tmp_path / "run"
    process = start(out, "--rounds", "200", "--measure", "training", variants="sound,slow")
    wait_for(lambda: [e for e in journal(out) if e["event"] == "block"])
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 1
    status = {row.variant: (row.status, row.reason) for row in read(out / "result.json").rows}
    assert status["sound"][0] == "crashed"  # the first to run
    assert "SIGKILL" in status["sound"][1]
    assert status["slow"][0] == "ok"


# -- bad requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--workload", "nonsense"], "--workload nonsense: not known"),
        (["--framework", "theano"], "--framework theano: not known"),
        (["--mode", "turbo"], "--mode turbo: not known"),
        (["--device", "tpu"], "--device tpu: not known"),
        (["--measure", "beauty"], "--measure beauty: not known"),
        (["--require", "torch"], "FRAMEWORK:MODE:DEVICE"),
        (["--env", "old"], "NAME=PYTHON"),
        (["--env", "old=/nowhere/python"], "no Python at"),
        (["--recipe", "book"], "has no recipe 'book'"),
        (["--threads", "100000"], "100000"),
        (["--budget", "soon"], "--budget takes a time such as 90s, 5m or 1.5h, got 'soon'"),
        (["--budget", "1s"], "--budget 1 s is too short"),
        (["--isolated", "--measure", "accuracy"], "--measure must name training too"),
        (["--batch-size", "500"], "does not go twice into the 600"),
        (["--resume", "--passes", "3"], "remove --impls, --passes, --profile"),
        (["--require", "numpy:turbo:cpu"], "no workload of this run has that stack"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path, words, says):
    done = bench("run", "--impls", TOYS, "--profile", "smoke", "--out", tmp_path / "run", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_existing_run_is_not_overwritten(sound):
    out, _ = sound
    done = run(out)
    assert done.returncode == 2
    assert "already holds a run" in done.stderr


def test_nothing_to_resume(tmp_path):
    done = bench("run", "--resume", "--out", tmp_path)
    assert done.returncode == 2
    assert "holds no run to resume" in done.stderr


def test_verify_names_every_violation(sound, tmp_path):
    out, _ = sound
    good = json.loads((out / "result.json").read_text())

    def violations(change):
        plain = json.loads(json.dumps(good))
        change(plain)
        path = tmp_path / "bad.json"
        path.write_text(json.dumps(plain))
        done = bench("verify", path)
        assert done.returncode == 1
        return done.stdout

    assert "digest does not match" in violations(lambda r: r["rows"][0]["launches"][0]["blocks"][0].update(seconds=1.0))
    assert "Input should be 'ok'" in violations(lambda r: r["rows"][0].update(status="great"))
    assert "declared[toy sound].hash: " in violations(lambda r: r["declared"][0]["declaration"].update(batch_size=1))
    assert "has rounds" in violations(lambda r: r["rows"][0]["launches"][0]["blocks"].pop())
    assert "without a parity certificate" in violations(lambda r: r["rows"][0].update(certificate=None))
    assert "has passes" in violations(lambda r: r["rows"][0]["launches"].pop())
    assert "implementation_hash" in violations(lambda r: r["rows"][0]["implementation"].update({"x.py": "0"}))
    assert "cannot be read" in bench("verify", tmp_path / "none.json").stdout


def test_another_batch_size_is_not_judged(tmp_path):
    out = tmp_path / "run"
    done = run(out, "--batch-size", 20, variants="hopeless")
    assert done.returncode == 0, done.stderr
    (row,) = read(out / "result.json").rows
    assert not row.accuracy.judged
    assert "batch size 50, not 20" in row.accuracy.reason


def test_a_second_interpreter_and_short_memory(tmp_path, monkeypatch):
    """Two stacks of one toy under two names; without memory for both they take turns, and the result says so."""
    from benchmarks.engine.select import make_plan

    plan = make_plan(
        command="test",
        workload=["toy/sound"],
        profile="smoke",
        threads=1,
        measure=["training"],
        impls=TOYS,
        env=[f"second={sys.executable}"],
    )
    for have, interleaved in ((10**12, True), (1, False)):
        monkeypatch.setattr("benchmarks.engine.passes.memory_available", lambda have=have: have)
        out = tmp_path / str(have)
        out.mkdir()
        result = measure(plan, out)
        assert {row.stack.interpreter for row in result.rows} == {"default", "second"}
        assert [row.status for row in result.rows] == ["ok", "ok"]
        assert {launch.interleaved for row in result.rows for launch in row.launches} == {interleaved}
        assert any("memory was short" in note for note in result.notes) is not interleaved
        assert {i.name for i in result.interpreters} == {"default", "second"}
        assert len(result.comparisons) == 1
        assert result.comparisons[0].verdict == "provisional"


def test_after_a_pass_the_whole_run_is_not_derived_again(tmp_path, monkeypatch):
    """Once a workload, and when the run has ended: as often whether there is one pass or four."""
    import benchmarks.engine.run as engine
    from benchmarks.engine.select import make_plan

    made, assemble = [], engine.assemble
    monkeypatch.setattr(engine, "assemble", lambda plan, journal: made.append(plan) or assemble(plan, journal))
    for passes in (1, 4):
        asked = {"workload": ["toy/sound", "toy/slow"], "profile": "smoke", "measure": ["training"], "rounds": 1}
        out = tmp_path / str(passes)
        out.mkdir()
        measure(make_plan(command="test", threads=1, impls=TOYS, passes=passes, **asked), out)
        assert len(made) <= 3
        made.clear()


def test_the_canary_is_launched_in_every_pass_and_owes_only_rounds(tmp_path):
    out = tmp_path / "run"
    done = run(out, "--passes", 2, "--canary", "--measure", "training,certificate,inference")
    assert done.returncode == 0, done.stderr
    result = read(out / "result.json")
    row, again = result.rows
    assert again.stack.key == row.stack.key + ":again"
    assert [len(r.launches) for r in (row, again)] == [2, 2]
    assert row.certificate is not None and row.launches[0].inference is not None
    assert again.certificate is None and again.launches[0].inference is None
    (comparison,) = result.comparisons
    assert comparison.canary and comparison.verdict == "provisional"
    assert result.rankings == []
    assert list(verify(result)) == []
