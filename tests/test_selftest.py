"""The self-test itself: its simulated machine, its trials, its bank of launches, and that it can fail."""

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.commands import selftest as cli
from benchmarks.commands.cli import main
from benchmarks.engine.plan import combined_hash, implementation_files
from benchmarks.errors import Problem
from benchmarks.machine.computer import machine
from benchmarks.selftest import simulated, trials
from benchmarks.selftest.bank import Bank, BankBlock, BankLaunch, differences, read
from benchmarks.selftest.checks import Check
from benchmarks.workload import ROOT, discover

TOYS = ROOT / "tests" / "toys"


def test_a_check_passes_within_its_bounds_only():
    shares = [Check(part="p", what="w", count=n, trials=100, low=0.94, high=0.96).passed for n in (93, 94, 96, 97)]
    assert shares == [False, True, True, False]
    assert Check(part="p", what="w", count=1, trials=1, low=0.9).bound == "≥ 90%"
    assert Check(part="p", what="w", count=1, trials=1, high=0.05).bound == "≤ 5%"
    assert Check(part="p", what="w", count=1, trials=1).bound == "told only"


STILL = simulated.Machine(launch=0, block=0, drift=0, between=0, spikes=0, steps=0)


def test_a_machine_without_nuisance_gives_the_truth():
    logs = STILL.medians([0.0, 0.5, -1.0], passes=4, runs=3, rng=np.random.default_rng(0))
    assert logs.shape == (3, 4, 3)
    assert np.allclose(logs, [0.0, 0.5, -1.0])


@pytest.mark.parametrize("shared", ["drift", "between"])
def test_what_all_stacks_share_is_paired_away(shared):
    machine = replace(STILL, **{shared: 0.2})
    logs = machine.medians([0.0, 0.0], passes=50, runs=20, rng=np.random.default_rng(0))
    assert np.abs(logs[..., 0] - logs[..., 1]).max() < 0.2 * logs.std() + 0.05


@pytest.mark.parametrize("own", [{"launch": 0.02}, {"block": 0.1}, {"spikes": 0.5}, {"steps": 1.0, "step": 0.1}])
def test_every_nuisance_moves_the_medians(own):
    logs = replace(STILL, **own).medians([0.0, 0.0], passes=50, runs=20, rng=np.random.default_rng(0))
    assert (logs[..., 0] - logs[..., 1]).std() > 0.01


def test_blocks_of_a_launch_are_correlated_as_declared():
    machine = replace(STILL, block=0.04, autocorrelation=0.8, rounds=1)
    alone = machine.medians([0.0], passes=400, runs=10, rng=np.random.default_rng(0)).std()
    ten = replace(machine, rounds=9).medians([0.0], passes=400, runs=10, rng=np.random.default_rng(0)).std()
    independent = replace(machine, rounds=9, autocorrelation=0.0)
    free = independent.medians([0.0], passes=400, runs=10, rng=np.random.default_rng(0)).std()
    assert alone == pytest.approx(0.04, rel=0.05)
    assert free < 0.5 * alone < ten < alone


def test_false_verdicts_are_counted_by_kind():
    bound = simulated.BOUND
    means = np.array([[0.1, -0.1, 0.0, 0.0]])
    family = simulated.Family(
        rejected=np.array([[True, True, False, False]]),
        low=np.array([[0.05, -0.15, -0.01, -0.3]]),
        high=np.array([[0.15, -0.05, 0.01, 0.3]]),
        level=np.full((1, 4), 0.05),
    )
    assert simulated.false_verdicts(family, means, np.array([0.1, -0.1, 0.0, 0.2])).tolist() == [[False] * 4]
    assert simulated.false_verdicts(family, means, np.array([0.0, 0.1, 2 * bound, 0.0])).tolist() == [
        [True, True, True, False]
    ]


def test_the_simulation_fails_where_intervals_are_too_short(monkeypatch):
    rng = np.random.default_rng(0)
    assert simulated.coverage(simulated.Machine(), "two", runs=3000, passes=5, rng=rng).passed
    monkeypatch.setattr(simulated, "t_half", partial(simulated.t_half, confidence=0.9))
    assert not simulated.coverage(simulated.Machine(), "two", runs=3000, passes=5, rng=rng).passed


def test_the_simulation_fails_where_pairs_are_judged_each_for_itself(monkeypatch):
    def reports():
        return simulated.reports(
            simulated.Machine(), [0.0] * 8, "equal", runs=400, passes=5, rng=np.random.default_rng(0)
        )

    assert all(check.passed for check in reports())
    alone = simulated.holm

    def each(means, errors, degrees):
        return alone(means, errors, degrees, error=0.05 * means.shape[-1])

    monkeypatch.setattr(simulated, "holm", each)
    assert not any(check.passed for check in reports())


def test_a_run_of_all_simulations_is_reproducible():
    first, again = (simulated.run_simulations(runs=100, seed=3) for _ in range(2))
    assert first == again
    assert len(first) > 30
    assert {c.trials for c in first} == {100, 400}


# -- bank -----------------------------------------------------------------------------------------


def block(seconds, *, slow, disturbed=False):
    return BankBlock(
        seconds=seconds * (21 if slow else 20), steps=21 if slow else 20, counted=20, cpu_seconds=1.0,
        evidence={"idle_worker_cpu_seconds": 0.0, "throttled_seconds": 9.0 * disturbed}, disturbed=disturbed,
    )  # fmt: skip


def bank(count=36, *, spread=0.01, slower=1.0, step=0.01):
    """``slower``: how long a step of slow blocks really takes; 20 / 21 hides the slow-down."""
    rng = np.random.default_rng(1)
    launches = []
    for _ in range(count):
        level = step * math.exp(rng.normal() * spread)
        blocks = [block(level * (slower if i % 2 else 1.0), slow=bool(i % 2)) for i in range(4)]
        launches.append(BankLaunch(started="2026-01-01T00:00:00+00:00", seconds=4.0, blocks=blocks))
    return Bank(
        machine="m", threads=1, workload="w", declaration_hash="d", stack="a:b:cpu:default", implementation_hash="i",
        batch_size=8, versions={}, git_commit=None, unit=20, beside=4, launches=launches,
    )  # fmt: skip


def test_slow_blocks_claim_fewer_steps():
    launch = bank(1, spread=0.0).launches[0]
    assert launch.step_seconds(slow=False) == pytest.approx(0.01)
    assert launch.step_seconds(slow=True) == pytest.approx(0.0105)


def test_disturbed_blocks_count_only_where_nothing_is_quiet():
    blocks = [block(1.0, slow=False), block(9.0, slow=False, disturbed=True), block(2.0, slow=True, disturbed=True)]
    launch = BankLaunch(started="", seconds=1.0, blocks=blocks)
    assert launch.step_seconds(slow=False) == pytest.approx(1.0)
    assert launch.step_seconds(slow=True) == pytest.approx(2.1)


def test_trials_find_what_is_there_and_nothing_else():
    same, slow = trials.run_trials(bank(), trials=100, seed=0)
    assert same.passed and slow.passed
    assert "36 launches varying by" in same.detail
    assert "wanted more" not in same.detail


def test_trials_that_want_more_passes_than_the_bank_has_are_told():
    same, _ = trials.run_trials(bank(spread=0.05), trials=100, seed=0)
    share = int(same.detail.split("; ")[-1].split("%")[0])
    assert 50 < share <= 100
    assert same.detail.endswith("% of trials wanted more than the bank has")


def test_trials_fail_on_a_slow_down_that_is_not_there():
    same, slow = trials.run_trials(bank(slower=20 / 21), trials=100, seed=0)
    assert same.passed
    assert not slow.passed
    assert slow.count <= 10


def test_the_sides_of_a_trial_share_no_launch(monkeypatch):
    sides = []
    monkeypatch.setattr(trials, "trial", lambda first, second: sides.append((first, second)) or ("undecided", 5, False))
    trials.run_trials(bank(), trials=20, seed=0)
    same = sides[::2]
    assert len(same) == 20
    for first, second in same:
        assert len(set(first)) == len(set(second)) >= 17
        assert not set(first) & set(second)
    assert len({tuple(first) for first, _ in same}) == 20  # drawn afresh


def test_a_pass_of_a_trial_is_two_launches_that_lay_side_by_side():
    rng = np.random.default_rng(0)
    drawn = [trials.pairs_of_passes(32, 4, rng) for _ in range(50)]
    for pairs in drawn:
        assert (pairs[:, 0] // 4 == pairs[:, 1] // 4).all()
        assert sorted(pairs.ravel()) == list(range(32))
        assert len(set(pairs[:8, 0] // 4)) == 8  # every pass of the bank before any comes again
    assert len({tuple(pairs[0]) for pairs in drawn}) > 10


def test_launches_are_compared_within_their_pass():
    """A machine that is 20 % slower in one pass than in the next hides nothing and invents nothing."""
    still = bank(40, spread=0.005)
    rng = np.random.default_rng(2)
    moved = []
    for start in range(0, 40, 4):
        factor = math.exp(rng.normal() * 0.2)
        for launch in still.launches[start : start + 4]:
            blocks = [b.model_copy(update={"seconds": b.seconds * factor}) for b in launch.blocks]
            moved.append(launch.model_copy(update={"blocks": blocks}))
    same, slow = trials.run_trials(still.model_copy(update={"launches": moved}), trials=400, seed=0)
    assert same.passed and slow.passed


def test_a_small_bank_is_refused():
    with pytest.raises(Problem, match="holds 31 launches; trials need 32"):
        trials.run_trials(bank(31), trials=10, seed=0)


def command(*words):
    return CliRunner().invoke(main, ["selftest", *map(str, words)])


def test_the_command_judges_banks_and_writes_figures(tmp_path):
    (tmp_path / "good.json").write_text(bank().model_dump_json())
    done = command("--banks", tmp_path, "--runs", 100, "--trials", 50, "--json", tmp_path / "out")
    figures = json.loads((tmp_path / "out").read_text())
    bad = [c["what"] for c in figures["checks"] if not c["passed"]]
    assert done.exit_code == (1 if bad else 0)  # a hundred runs may miss a bound by chance
    assert [c["what"] for c in figures["checks"] if c["part"] == "bank"] == [
        "w on a:b: the same stack called different",
        "w on a:b: a 5 % slow-down found",
    ]
    assert "Do the verdicts keep their promises?" in done.output

    (tmp_path / "good.json").write_text(bank(slower=20 / 21).model_dump_json())
    done = command("--banks", tmp_path, "--runs", 100, "--trials", 50)
    assert done.exit_code == 1
    assert "FAILED" in done.output


def test_the_suites_own_banks_must_be_of_three_workloads(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "FOLDER", tmp_path)

    def done(*workloads):
        for i, name in enumerate(workloads):
            (tmp_path / f"{i}.json").write_text(bank().model_copy(update={"workload": name}).model_dump_json())
        checks = [Check(part="p", what="w", count=1, trials=1)]
        monkeypatch.setattr(trials, "run_trials", lambda *words, **more: checks)
        monkeypatch.setattr(simulated, "run_simulations", lambda **words: checks)
        out = CliRunner().invoke(main, ["selftest", "--banks", str(tmp_path)])
        return out.exit_code, out.output

    code, said = done("a", "b/one", "b/two")
    assert code == 1
    assert "Banks of 2 of the 3 different workloads that the claim needs (a, b)" in said
    assert "none failed" in said
    assert "is not in this tree" in said
    code, said = done("a", "b/one", "c")
    assert code == 0 and "Banks of" not in said


def test_a_mark_against_the_evidence_is_refused(tmp_path):
    path = tmp_path / "bank.json"
    one = bank(4)
    path.write_text(one.model_dump_json())
    assert read(path) == one
    wrong = [one.launches[0].blocks[0].model_copy(update={"disturbed": True}), *one.launches[0].blocks[1:]]
    launches = [one.launches[0].model_copy(update={"blocks": wrong}), *one.launches[1:]]
    path.write_text(one.model_copy(update={"launches": launches}).model_dump_json())
    with pytest.raises(Problem, match="launch 1 has a block that is marked against its own evidence"):
        read(path)
    path.write_text(one.model_copy(update={"launches": one.launches[:3]}).model_dump_json())
    with pytest.raises(Problem, match="3 launches are no whole passes of 4"):
        read(path)


def test_what_a_bank_was_measured_with_is_compared():
    here = machine()
    (sound,) = [f for f in discover(TOYS) if f.workload.key == "toy/sound"]
    now = bank(1).model_copy(
        update={
            "machine": f"{here.name}, {here.cpu}",
            "workload": "toy/sound",
            "stack": "numpy:eager:cpu:default",
            "declaration_hash": sound.workload.hash,
            "implementation_hash": combined_hash(implementation_files(sound, "numpy")),
        }
    )
    assert differences(now, here, impls=TOYS) == []
    for change, says in [
        ({"machine": "other, 386"}, "measured on other, 386"),
        ({"declaration_hash": "d"}, "the declaration of its workload has changed"),
        ({"implementation_hash": "i"}, "the files of its stack have changed"),
        ({"workload": "none"}, "is not in this tree"),
    ]:
        (said,) = differences(now.model_copy(update=change), here, impls=TOYS)
        assert says in said


def test_the_command_needs_a_bank(tmp_path):
    done = command("--banks", tmp_path, "--runs", 100)
    assert done.exit_code == 2
    assert "holds no bank of launches" in done.output
    (tmp_path / "broken.json").write_text("{")
    done = command("--banks", tmp_path, "--runs", 100)
    assert done.exit_code == 2
    assert "is no bank of launches" in done.output


def test_a_bank_is_measured_in_fresh_processes_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.selftest.bank.BLOCK_SECONDS", 0.005)
    monkeypatch.setattr("benchmarks.selftest.bank.WARM", {"floor_seconds": 0.0, "ceiling_seconds": 0.0, "windows": 1})
    words = ["bank", "--workload", "toy/sound", "--stack", "numpy:eager", "--impls", TOYS, "--threads", 1]
    words += ["--out", tmp_path, "--blocks", 4]
    done = command(*words, "--launches", 1)
    assert done.exit_code == 0, done.output
    path = next(tmp_path.glob("*-toy-sound.json"))
    one = read(path)
    assert len(one.launches) == one.beside == 4  # whole passes
    assert command(*words, "--launches", 5).exit_code == 0
    two = read(path)
    assert two.launches[:4] == one.launches
    assert len(two.launches) == 8
    for index, launch in enumerate(two.launches):
        slow = [b.counted < b.steps for b in launch.blocks if not b.disturbed]
        assert {b.counted for b in launch.blocks} == {two.unit}
        assert {b.steps for b in launch.blocks} == {two.unit, two.unit * 21 // 20}
        if len(slow) == 4 and len(launch.blocks) == 4:
            assert slow == [bool((i + index) % 2) for i in range(4)]
    assert len({len(launch.blocks) for launch in two.launches[:4]}) == 1  # a round is measured again for all
    path.write_text(two.model_copy(update={"batch_size": 1}).model_dump_json())
    refused = command(*words, "--launches", 9)
    assert refused.exit_code == 2
    assert "holds launches of something else" in refused.output


def test_a_bank_is_of_one_stack(tmp_path):
    done = command("bank", "--workload", "toy", "--stack", "numpy:eager", "--impls", TOYS, "--out", tmp_path)
    assert done.exit_code == 2
    assert "a bank is of one stack" in done.output
