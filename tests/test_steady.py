"""Change points of warm-up windows: steps, drifts, spikes, noise and nothing at all."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import result_factory
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.protocol import steady
from benchmarks.protocol.steady import FEWEST, NEGLIGIBLE, change_points, has_trend, judge, noise_of
from benchmarks.verify import recompute

seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(5, 120)


def noisy(seed, n, sd):
    return np.random.default_rng(seed).normal(0, sd, n)


@given(n=lengths, level=st.floats(1e-6, 1e3), least=st.integers(1, 40))
def test_equal_windows_are_steady_once_there_are_enough(n, level, least):
    found = judge([level] * n, least=least)
    assert (found.steady, found.start, found.changes) == (n >= max(least, FEWEST), 0, ())


@given(seed=seeds, n=lengths, wide=st.floats(0, NEGLIGIBLE / 2.1))
def test_what_stays_within_the_negligible_never_changes(seed, n, wide):
    seconds = np.exp(np.random.default_rng(seed).uniform(-wide, wide, n))
    assert judge(seconds, least=5).changes == ()


@given(seed=seeds, before=st.integers(3, 40), after=st.integers(3, 40), size=st.floats(0.15, 3), up=st.booleans())
def test_a_step_is_found_where_it_is(seed, before, after, size, up):
    logs = noisy(seed, before + after, 0.002)
    logs[:before] += -size if up else size
    assert change_points(logs) == [before]
    assert judge(np.exp(logs), least=3).steady == (after >= max(before, FEWEST) and not has_trend(logs[before:]))


@given(seed=seeds, n=st.integers(12, 120), fall=st.floats(0.4, 2))
def test_a_drift_is_never_steady(seed, n, fall):
    assert not judge(np.exp(np.linspace(fall, 0, n) + noisy(seed, n, 0.01)), least=5).steady


@given(seed=seeds, n=st.integers(12, 100), at=st.integers(2, 97), size=st.floats(0.1, 5))
def test_one_slow_window_is_a_spike_not_a_change(seed, n, at, size):
    logs = noisy(seed, n, 0.003)
    logs[min(at, n - 3)] += size
    assert judge(np.exp(logs), least=5).changes == ()


@given(seed=seeds, n=lengths, sd=st.floats(0.001, 0.2), factor=st.floats(1e-3, 1e3))
def test_only_ratios_matter(seed, n, sd, factor):
    seconds = np.exp(noisy(seed, n, sd))
    one, other = judge(seconds, least=5), judge(seconds * factor, least=5)
    assert one == other


@given(seed=seeds, n=st.integers(6, 14), sd=st.floats(0.01, 0.3))
def test_the_segmentation_is_the_best_one(seed, n, sd):
    """Against brute force over all sets of change points, where no level is negligibly near its neighbour."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, sd, n) + np.repeat(rng.normal(0, 6 * sd, n // 3 + 1), 3)[:n]
    noise = max(noise_of(logs), NEGLIGIBLE / 4)
    calm = steady._without_spikes(logs, noise)
    penalty = steady.PENALTY * np.log(n) * noise**2

    def cost(cuts):
        edges = [0, *cuts, n]
        parts = [calm[a:b] for a, b in pairwise(edges)]
        return sum(float(np.sum((p - p.mean()) ** 2)) for p in parts) + penalty * len(cuts)

    allowed = [
        cuts
        for k in range(n // steady.SHORTEST)
        for cuts in combinations(range(1, n), k)
        if all(b - a >= steady.SHORTEST for a, b in zip([0, *cuts], [*cuts, n], strict=True))
    ]
    best = list(min(allowed, key=cost))
    assert change_points(logs) == steady._large(calm, best)


def rate(make, n, *, trials=400):
    found = [judge(np.exp(make(np.random.default_rng(i), n)), least=5) for i in range(trials)]
    return np.mean([bool(f.changes) for f in found]), np.mean([f.steady for f in found])


@pytest.mark.parametrize("n", [6, 10, 20, 60])
def test_false_alarms_of_independent_noise(n):
    """Few changes where there are none, for normal noise of 5 % and for noise with heavy tails; most are steady."""
    for make in (lambda rng, n: rng.normal(0, 0.05, n), lambda rng, n: 0.02 * rng.standard_t(3, n)):
        changed, good = rate(make, n)
        assert changed <= 0.09
        assert good == 0 if n < FEWEST else good >= 0.8  # one trend in ten, which the next window mends


@pytest.mark.parametrize(
    ("windows", "change", "says"),
    [
        (FEWEST, {}, ""),
        (FEWEST - 1, {}, "settled: the file says True, its samples give False"),
        (FEWEST, {"steady_from": 3}, "steady_from: the file says 3, its samples give 0"),
        (FEWEST, {"settled": False, "steady_from": None}, "settled: the file says False, its samples give True"),
        (FEWEST, {"steady_rule": 1}, "steady_rule: the file says 1, its samples give 2"),
        (0, {}, "settled: the file says True, its samples give False"),
    ],
)
def test_verify_judges_a_warm_up_by_its_windows(windows, change, says):
    result = result_factory.make(interrupted=False)
    row = result.rows[0]
    change = {"window_seconds": [1.0] * windows, "settled": True, "steady_from": 0, "steady_rule": 2} | change
    launch = row.launches[0]
    phases = launch.phases.model_copy(update={"warm_up": launch.phases.warm_up.model_copy(update=change)})
    launches = [launch.model_copy(update={"phases": phases}), *row.launches[1:]]
    rows = [row.model_copy(update={"launches": launches})]
    (again,) = recompute.recomputed(result.model_copy(update={"rows": rows})).rows
    found = list(recompute.differences(launches[0].phases, again.launches[0].phases))
    assert (found == []) == (says == "")
    assert not says or any(says in v for v in found)


def test_what_no_test_can_see_is_not_steady():
    """A published warm-up and a step, within five windows, and a single one."""
    for seconds in ([0.0686, 0.0633, 0.0649, 0.0502, 0.0488], [2, 1, 1, 1.01, 1.0], [1.0]):
        assert not judge(seconds, least=1).steady


@pytest.mark.parametrize(("seconds", "least"), [([], 1), ([1.0, 0.0], 1), ([1.0], 0)])
def test_nonsense_is_refused(seconds, least):
    with pytest.raises(ValueError, match="positive"):
        judge(seconds, least=least)


def test_a_slow_rise_is_a_trend_and_a_tiny_one_is_not():
    assert has_trend(np.linspace(0, 0.1, 8))
    assert not has_trend(np.linspace(0, NEGLIGIBLE / 2, 8))
    assert not has_trend(np.zeros(3))
