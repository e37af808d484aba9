"""Two groups among few step times: power, false alarms, and what is passed over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_factory import make

from benchmarks.analysis.multimodal import ALPHA, FEWEST, _null, _ratios, divide, find

TESTS = 6  # of a row in the full profile: five passes, and the launches


def share(draw, n, trials=2000):
    rng = np.random.default_rng(n)
    return np.mean([divide(draw(rng, n))[4] <= ALPHA / TESTS for _ in range(trials)])


@pytest.mark.parametrize("n", [5, 10, 20])
def test_false_alarms(n):
    """At most 1 % over the six tests of a row where times are normal or have heavy tails.

    Times skewed as a log-normal with shape 1 part well by themselves: 0.5, 3 and 7 % of samples of 5, 10 and 20 are
    called divided, though of these only what lies 3 % apart is flagged.
    """
    assert share(lambda rng, n: np.exp(rng.normal(0, 0.02, n)), n) <= 2 * ALPHA / TESTS + 0.002
    assert share(lambda rng, n: np.exp(0.02 * rng.standard_t(3, n)), n) <= 0.006
    assert share(lambda rng, n: 1 + 0.02 * rng.lognormal(0, 1, n), n) <= 0.09


@pytest.mark.parametrize(("n", "power"), [(10, 0.9), (20, 0.98)])
def test_two_levels_ten_deviations_apart_are_found(n, power):
    assert share(lambda rng, n: np.exp(rng.normal(0, 0.005, n) + 0.05 * (np.arange(n) % 2)), n, 300) >= power


@given(values=st.lists(st.floats(0.5, 2), min_size=FEWEST, max_size=30), factor=st.floats(1e-3, 1e3))
def test_order_and_unit_do_not_matter(values, factor):
    low, high, few, many, p = divide(values)
    again = divide([v * factor for v in reversed(values)])
    assert few + many == len(values)
    assert min(few, many) >= 2
    assert low <= high * (1 + 1e-12)
    assert 0 < p <= 1
    if max(values) > 1.01 * min(values) and len(set(values)) == len(values):
        assert again[4] == pytest.approx(p, abs=2e-4)


@given(values=st.lists(st.floats(-1, 1), min_size=5, max_size=12, unique=True))
def test_the_best_cut_is_the_best_of_all(values):
    x = np.sort(np.array(values))
    total = np.sum((x - x.mean()) ** 2)

    def ratio(cut):
        within = sum(np.sum((p - p.mean()) ** 2) for p in (x[:cut], x[cut:]))
        return (total - within) / max(within, 1e-12 * total)

    for found, cut in zip(_ratios(x[None])[0], range(2, len(x) - 1), strict=True):
        assert found == pytest.approx(ratio(cut), rel=1e-5, abs=1e-9)


def test_one_outlier_is_no_group():
    assert divide([1.0, 1.001, 1.002, 0.999, 0.9995, 1.0005, 1.0015, 0.998, 1.0007, 5.0])[4] > 0.001


def test_the_null_is_the_same_every_time():
    assert np.array_equal(_null.__wrapped__(7), _null(7))


def launches(*passes):
    la = make(interrupted=False).rows[0].launches[0]
    template = la.blocks[0]
    return [
        la.model_copy(
            update={
                "pass_index": i,
                "blocks": [
                    template.model_copy(update={"round": k, "seconds": s, "steps": 1}) for k, s in enumerate(ss)
                ],
            }
        )
        for i, ss in enumerate(passes)
    ]


CALM = [1.0, 1.002, 0.999, 1.001, 0.998, 1.0, 1.003, 0.997, 1.001, 1.0]
SPLIT = [1.0, 1.1, 1.001, 1.101, 0.999, 1.1, 1.002, 1.099, 1.0, 1.098]


def test_a_divided_pass_is_named():
    (found,) = find(launches(CALM, SPLIT, CALM))
    assert (found.pass_index, found.low_count, found.high_count) == (1, 5, 5)
    assert found.high_seconds / found.low_seconds == pytest.approx(1.1, rel=0.01)


def test_divided_launches_are_named():
    levels = [[s * level for s in CALM] for level in (1, 1.2, 1.0005, 1.2003, 1.0002, 1.2007, 1.0001, 1.1996)]
    (found,) = find(launches(*levels))
    assert found.pass_index is None
    assert found.low_count == found.high_count == 4


def test_groups_nearer_than_the_gap_are_passed_over():
    assert find(launches([1 + (s - 1) / 5 for s in SPLIT])) == []
    assert find(launches(CALM)) == []
    assert find(launches(SPLIT[:4])) == []  # too few


def test_too_few_values_are_refused():
    with pytest.raises(ValueError, match="at least 5"):
        divide([1.0] * 4)
