"""Ratios over passes, orders of rounds, batch order, journal."""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small import RESNET

from benchmarks import tasks
from benchmarks.analysis.ratios import ratio
from benchmarks.engine.journal import Journal, Note
from benchmarks.engine.orders import launch_order, round_orders, williams
from benchmarks.errors import Problem
from benchmarks.protocol.profiles import PROFILES
from benchmarks.tasks.inputs import OrderDigest, batch_ids, epoch_order, save_arrays

seconds = st.floats(1e-5, 10.0)
pairs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(st.lists(seconds, min_size=n, max_size=n), st.lists(seconds, min_size=n, max_size=n))
)


@given(pairs)
def test_ratio_agrees_with_scipy(pair):
    first, second = pair
    r = ratio(first, second)
    logs = np.log(first) - np.log(second)
    assert math.log(r.ratio) == pytest.approx(logs.mean(), abs=1e-9)
    if len(first) < 5:
        assert (r.low, r.high) == (None, None)
    elif logs.std() > 1e-9:
        low, high = stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))
        assert math.log(r.low) == pytest.approx(low, abs=1e-7)
        assert math.log(r.high) == pytest.approx(high, abs=1e-7)


@given(pairs)
def test_ratio_is_antisymmetric(pair):
    a, b = ratio(*pair), ratio(*reversed(pair))
    assert a.ratio * b.ratio == pytest.approx(1)
    assert a.low is None or (a.low * b.high, a.high * b.low) == (pytest.approx(1), pytest.approx(1))


def test_ratio_needs_the_same_passes():
    with pytest.raises(ValueError, match="same passes"):
        ratio([1.0], [])


@given(st.integers(1, 12))
def test_williams_is_balanced(n):
    rows = williams(n)
    for position in range(n):
        assert sorted(row[position] for row in rows) == sorted(list(range(n)) * (len(rows) // n))
    if n > 1:
        follows = [(a, b) for row in rows for a, b in pairwise(row)]
        counts = {pair: follows.count(pair) for pair in set(follows)}
        assert len(counts) == n * (n - 1)
        assert len(set(counts.values())) == 1


@given(st.integers(1, 10), st.integers(1, 30), st.integers(0, 99))
def test_every_round_times_every_stack_once(n, rounds, seed):
    orders = round_orders(n, rounds, seed=seed, workload="w", pass_index=0)
    assert len(orders) == rounds
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert sorted(launch_order(n, seed=seed, workload="w", pass_index=0)) == list(range(n))


def test_orders_change_with_pass_and_seed():
    orders = {tuple(launch_order(8, seed=s, workload="w", pass_index=p)) for s in range(3) for p in range(3)}
    assert len(orders) > 5


@given(st.integers(1, 300), st.integers(1, 50), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_is_a_permutation_in_full_batches(examples, batch, seed, epoch):
    ids = list(batch_ids(seed, epoch, examples, batch))
    assert len(ids) == examples // batch
    assert all(len(i) == batch for i in ids)
    flat = np.concatenate(ids) if ids else np.array([], int)
    assert len(set(flat.tolist())) == len(flat)
    assert sorted(epoch_order(seed, epoch, examples)) == list(range(examples))


def images_task(folder, y, *, seed=0, batch_size=10):
    save_arrays(folder, {"train_x": np.arange(2.0 * len(y)).reshape(-1, 2), "train_y": y})
    return tasks.task(dataclasses.replace(RESNET, batch_size=batch_size), folder, seed)


def test_epoch_digest_sees_order_and_labels(tmp_path):
    y = np.arange(100) % 10

    def digest(labels=y, epochs=2, **words):
        return tasks.epoch_digest(images_task(tmp_path, labels, **words), epochs)

    base = digest()
    assert base == digest(y.copy())
    others = [digest(seed=1), digest(y[::-1]), digest(batch_size=20), digest(epochs=1), digest(np.roll(y, 1))]
    assert len({base, *others}) == 6


def test_the_digest_is_over_ids_and_whole_numbers(tmp_path):
    digest = OrderDigest()
    for batch in images_task(tmp_path, np.arange(20)).epoch(0):
        x, y = batch.arrays
        digest.add(batch.ids.astype(np.int32), (x + 1, y.astype(np.uint8)))  # as a device may keep them
    assert digest.hexdigest() == tasks.epoch_digest(images_task(tmp_path, np.arange(20)), 1)


def test_first_batches_wrap_around_small_sets(tmp_path):
    batches = tasks.first(images_task(tmp_path, np.arange(6), batch_size=4), 5)
    assert len(batches) == 5
    for batch in batches:
        x, y = batch.arrays
        assert x.shape == (4, 2)
        assert np.array_equal(x[:, 0], 2.0 * y)
    assert len({tuple(batch.ids) for batch in batches}) > 1


def test_blocks_are_long_enough():
    quick = PROFILES["quick"]
    for step in (0.0001, 0.003, 0.04):
        assert quick.block_seconds < quick.steps(step) * step < 1.2 * quick.block_seconds
    assert quick.steps(0.1) == 10
    assert quick.steps(0.3) == 3
    for name in ("quick", "full"):
        assert PROFILES[name].lead_in >= 3
        assert PROFILES[name].single_calls >= 1024


def test_a_torn_line_costs_only_itself(tmp_path):
    first = Journal(tmp_path)
    first.add(Note(text="a"))
    with first.path.open("a") as sink:
        sink.write('{"event": "b", "x"')  # the power went
    again = Journal(tmp_path)
    again.add(Note(text="c"))
    assert [e.text for e in Journal(tmp_path).of(Note)] == ["a", "c"]
    assert json.loads(first.path.read_text().splitlines()[-1]) == {"event": "note", "text": "c"}


def test_a_journal_of_another_version_says_so(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"event": "note", "text": "a"}\n{"event": "note", "txet": "b"}\n')
    with pytest.raises(Problem, match="is of another version, start a new run instead"):
        Journal(tmp_path)
