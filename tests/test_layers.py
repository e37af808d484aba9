"""Declarations: shapes, counts, initialisers, hashes, discovery."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.inputs import generator, initial_tensors
from benchmarks.layers import Constant, Conv2D, FanInUniform, MaxPool2D, TruncatedNormal, Uniform
from benchmarks.workload import DeclarationError, discover, hash_declaration

FOUND = discover()
IDS = [f.workload.key for f in FOUND]


@pytest.mark.parametrize("found", FOUND, ids=IDS)
def test_parameter_count_follows_from_the_layers(found):
    counted = sum(math.prod(t.shape) for t in found.workload.tensors if t.trainable)
    assert counted == found.workload.parameter_count


@pytest.mark.parametrize(
    ("key", "count"),
    [
        ("mnist_mlp", 1_276_810),
        ("mnist_cnn", 857_738),
        ("mnist_mlp_ablation/linear", 266_610),
        ("mnist_mlp_ablation/relu", 266_610),
        ("mnist_mlp_ablation/batchnorm", 267_410),
    ],
)
def test_parameter_counts_are_the_books(key, count):
    assert {f.workload.key: f.workload.parameter_count for f in FOUND}[key] == count


def test_a_wrong_count_is_refused():
    with pytest.raises(DeclarationError, match="its layers have 1276810"):
        dataclasses.replace(FOUND[1].workload, parameter_count=1)


def test_hash_changes_with_every_field():
    w = next(f.workload for f in FOUND if f.workload.key == "mnist_mlp")
    others = [
        dataclasses.replace(w, batch_size=501),
        dataclasses.replace(w, title="other"),
        dataclasses.replace(w, optimiser=dataclasses.replace(w.optimiser, epsilon=1e-7)),
        w.without_dropout(),
    ]
    assert len({w.hash, *(o.hash for o in others)}) == 5
    assert hash_declaration(w.declaration()) == w.hash


def test_weights_depend_on_seed_and_name_only():
    w = FOUND[0].workload
    a, b, c = initial_tensors(w, 3), initial_tensors(w.without_dropout(), 3), initial_tensors(w, 4)
    for name in a:
        assert np.array_equal(a[name], b[name])
    assert not np.array_equal(a["fc1.weight"], c["fc1.weight"])


@given(st.floats(0.001, 10), st.integers(0, 2**32))
def test_truncated_normal_stays_within_two_deviations(stddev, seed):
    x = TruncatedNormal(stddev=stddev).draw((2000,), generator(seed, "x"))
    assert x.dtype == np.float32
    assert np.abs(x).max() <= 2 * stddev * (1 + 1e-6)
    # A normal cut at two deviations has 0.8796 of the deviation; five standard errors of 2,000 draws.
    assert abs(x.std() / stddev - 0.8796) < 0.07


@given(st.integers(1, 5000), st.integers(0, 2**32))
def test_fan_in_uniform_is_bounded(fan_in, seed):
    x = FanInUniform(fan_in=fan_in).draw((500,), generator(seed, "x"))
    assert np.abs(x).max() <= 1 / math.sqrt(fan_in) * (1 + 1e-6)


def test_uniform_and_constant():
    assert (Constant(value=2.0).draw((3,), generator(0)) == 2).all()
    x = Uniform(low=0.0, high=1.0).draw((1000,), generator(0))
    assert 0 <= x.min() and x.max() < 1


def test_layers_refuse_what_frameworks_disagree_on():
    with pytest.raises(ValueError, match="odd"):
        Conv2D(name="c", filters=1, kernel=4, weight=Constant(value=0.0), bias=Constant(value=0.0))
    with pytest.raises(ValueError, match="does not divide"):
        MaxPool2D(size=2).output_shape((7, 8, 1))


def test_discovery_needs_no_registry(tmp_path: Path):
    folder = tmp_path / "toy"
    folder.mkdir()
    source = Path(__file__).parent / "toys" / "toy" / "workload.py"
    (folder / "workload.py").write_text(source.read_text())
    assert discover(tmp_path)[0].workload.variant == "sound"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "workload.py").write_text(source.read_text())
    with pytest.raises(DeclarationError, match="lies in folder 'other'"):
        discover(tmp_path)


def test_a_broken_declaration_is_one_sentence(tmp_path: Path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "workload.py").write_text("WORKLOADS = 1 / 0\n")
    with pytest.raises(DeclarationError, match="ZeroDivisionError"):
        discover(tmp_path)
