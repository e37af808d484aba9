"""What the preceding stack leaves behind: found where it is, not where it is not."""

import numpy as np
import pytest
from result_factory import make, stack

from benchmarks.analysis.carry_over import Timed, carry_over, timed
from benchmarks.analysis.carry_over import test as tested
from benchmarks.engine.orders import round_orders


def simulate(seed, *, stacks=5, passes=4, rounds=10, effect=0.0, shared=0.0, unequal=1.0, lasting=0.0):
    """Blocks with persistent launch levels and noise of 2 %, ``unequal`` times as much on every other stack.

    ``effect`` falls on blocks after stack 0, ``shared`` is the noise that all blocks of a round have in common,
    ``lasting`` the correlation of a stack's blocks in neighbouring rounds.
    """
    rng, blocks = np.random.default_rng(seed), []
    for index in range(passes):
        levels, before = rng.normal(0, 0.02, stacks), None
        kept = rng.normal(0, 1, stacks) if lasting else np.zeros(stacks)
        for number, order in enumerate(round_orders(stacks, rounds, seed=seed, workload="w", pass_index=index)):
            common = rng.normal(0, 1) * shared
            for i in order:
                if lasting:
                    kept[i] = lasting * kept[i] + np.sqrt(1 - lasting**2) * rng.normal()
                noise = 0.02 * (kept[i] if lasting else rng.standard_t(4)) * (unequal if i % 2 else 1)
                log = -4 + i + levels[i] + common + noise + (effect if before == 0 else 0)
                if before is not None:
                    blocks.append(Timed(f"s{i}", index, number, f"s{before}", log))
                before = i
    return blocks


@pytest.mark.parametrize(("unequal", "shared"), [(1.0, 0.0), (4.0, 0.0), (1.0, 0.02)])
def test_false_alarms_are_one_in_twenty_or_fewer(unequal, shared):
    """400 sets without carry-over: 5 % and two standard errors; noise that rounds share makes alarms fewer."""
    alarms = np.mean([tested(simulate(i, unequal=unequal, shared=shared))[0] <= 0.05 for i in range(400)])
    assert alarms <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    if not shared:
        assert alarms >= 0.05 - 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("lasting", "low", "high"), [(0.5, 0.03, 0.1), (0.9, 0.1, 0.2)])
def test_noise_that_lasts_from_round_to_round_raises_false_alarms(lasting, low, high):
    """The test assumes independent blocks, and its docstring says what happens where they are not; 200 sets."""
    assert low <= np.mean([tested(simulate(i, lasting=lasting))[0] <= 0.05 for i in range(200)]) <= high


def test_an_effect_of_two_deviations_is_found_and_measured():
    found = [tested(simulate(i, effect=0.04)) for i in range(40)]
    assert np.mean([p <= 0.05 for p, _ in found]) >= 0.95
    assert all(max(effects, key=effects.get) == "s0" for _, effects in found)
    apart = [effects["s0"] - np.mean([v for k, v in effects.items() if k != "s0"]) for _, effects in found]
    assert np.mean(apart) == pytest.approx(0.04, abs=0.004)
    assert all(abs(sum(effects.values())) < 1e-9 for _, effects in found)


def test_what_the_design_cannot_tell_is_not_tested():
    assert tested([]) is None
    assert tested(simulate(0, stacks=2)) is None
    assert tested(simulate(0, stacks=3, passes=1, rounds=2)) is None


def rows(*, disturbed=(), interleaved=True):
    """Three stacks, one pass of six rounds in fixed order."""
    base = make(interrupted=False).rows[0]
    out = []
    for position, mode in enumerate(("eager", "compile", "graph")):
        la, rng = base.launches[0], np.random.default_rng(position)
        blocks = [
            la.blocks[0].model_copy(
                update={
                    "round": i,
                    "position": position,
                    "seconds": float(np.exp(rng.normal(0, 0.02))),
                    "steps": 1,
                    "round_disturbed": i in disturbed,
                }
            )
            for i in range(6)
        ]
        launch = la.model_copy(update={"blocks": blocks, "interleaved": interleaved})
        out.append(base.model_copy(update={"stack": stack("torch", mode), "launches": [launch]}))
    return out


def test_blocks_are_paired_with_what_was_timed_before_them():
    blocks = list(timed(rows()))
    assert len(blocks) == 17  # the first block of the pass follows nothing
    assert {(b.stack, b.preceding) for b in blocks} == {
        (f"torch:{a}:cpu:default", f"torch:{b}:cpu:default")
        for a, b in (("compile", "eager"), ("graph", "compile"), ("eager", "graph"))
    }
    assert {b.round for b in timed(rows(disturbed=(2, 4)))} == {0, 1, 3, 5}
    assert list(timed(rows(interleaved=False))) == []


def test_a_fixed_order_cannot_be_tested():
    assert carry_over(rows()) is None  # every stack always follows the same one
