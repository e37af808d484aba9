"""The parts break_even, time_to_accuracy and energy end to end: on a NumPy toy, and on PyTorch where it is there."""

import subprocess
import sys
from pathlib import Path

import pytest
from frameworks import need

from benchmarks.experiments import typed
from benchmarks.experiments.break_even.curves import derive
from benchmarks.machine.energy_counters import rapl
from benchmarks.schema.results import read
from benchmarks.verify.file import verify
from benchmarks.workload import ROOT

TOYS = ["--impls", str(Path(__file__).parent / "toys"), "--threads", "1"]
ALL = "break_even,time_to_accuracy,energy"


def bench(out, *words, measure=ALL):
    command = [sys.executable, "-m", "benchmarks", "run", "--profile", "smoke", "--measure", measure]
    return subprocess.run(
        [*command, *words, "--out", str(out)], cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False
    )


def answers(result, part, variant="sound"):
    return [a for a in result.answers if (a.part, a.variant) == (part, variant)]


def test_on_a_toy(tmp_path):
    done = bench(tmp_path, *TOYS, "--workload", "toy/sound,toy/hopeless,toy/raises", "--price-per-hour", "2")
    result = read(tmp_path / "result.json")
    assert done.returncode == 1, "one of them raises"
    assert list(verify(result)) == []
    assert result.options.price_per_hour == 2
    (answer,) = answers(result, "break_even")
    assert (answer.status, answer.reason) == ("unavailable", "nothing is compiled in this mode")
    (answer,) = answers(result, "time_to_accuracy")
    assert typed(answer).count_reached == 1
    assert typed(answer).validation_examples == 60
    (answer,) = answers(result, "time_to_accuracy", "hopeless")
    assert typed(answer).count_reached == 0
    assert [p.steps for p in typed(answer).trainings[0].points][-1] == typed(answer).steps == 2 * (540 // 50)
    assert {a.status for a in answers(result, "time_to_accuracy", "raises")} == {"failed"}
    (answer,) = answers(result, "energy")
    assert answer.status == ("ok" if rapl()[0] else "unavailable")


def test_another_batch_size_has_no_target(tmp_path):
    done = bench(tmp_path, *TOYS, "--workload", "toy/sound", "--batch-size", "20", measure="time_to_accuracy")
    assert done.returncode == 0, done.stderr
    (answer,) = read(tmp_path / "result.json").answers
    assert (answer.status, answer.reason) == ("unavailable", "the target holds for batches of 50")


@pytest.mark.slow
@pytest.mark.framework
def test_pytorch_compiles_cold_and_warm(tmp_path):
    need("torch")
    where = ["--workload", "mnist_mlp_ablation/linear", "--stack", "torch:eager,torch:compile"]
    done = bench(tmp_path, *where, measure="break_even")
    assert done.returncode == 0, done.stderr
    result = read(tmp_path / "result.json")
    assert list(verify(result)) == []
    by_mode = {a.stack.split(":")[1]: a for a in result.answers}
    if "compile" not in by_mode:
        pytest.skip(result.row("mnist_mlp_ablation", "linear", "torch:compile:cpu:default").reason)
    cold, warm = typed(by_mode["compile"]).launches
    assert cold.cached_files == 0
    assert warm.cached_files > 0, "compiled kernels were kept"
    assert cold.compiled_graphs == warm.compiled_graphs == 1
    assert {b.caches for b in derive(result.answers, {r.stack.key: r.stack for r in result.rows})} == {"cold", "warm"}


@pytest.mark.slow
@pytest.mark.framework
def test_one_mode_of_a_framework_trains_to_its_target(tmp_path):
    need("torch")
    where = ["--workload", "mnist_mlp_ablation/batchnorm", "--framework", "torch", "--recipe", "quick"]
    done = bench(tmp_path, *where, measure="time_to_accuracy")
    assert done.returncode == 0, done.stderr
    result = read(tmp_path / "result.json")
    assert list(verify(result)) == []
    by_mode = {a.stack.split(":")[1]: a for a in result.answers}
    assert by_mode["compile"].reason == "one mode of each framework trains, here eager"
    assert typed(by_mode["eager"]).count_reached == 1
