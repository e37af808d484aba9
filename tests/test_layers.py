"""Declarations: shapes, counts, initialisers, hashes, discovery."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import LANGUAGE, RESNET, SKIPGRAM, conv

from benchmarks.layers import (
    Constant,
    Conv2D,
    Dropout,
    FanInUniform,
    MaxPool2D,
    Normal,
    ReLU,
    Residual,
    TruncatedNormal,
    Uniform,
    place,
)
from benchmarks.tasks.inputs import generator, initial_tensors
from benchmarks.workload import SGD, Adam, Decay, DeclarationError, Recipe, Unmeasured, discover, hash_declaration

FOUND = discover()
IDS = [f.workload.key for f in FOUND]
DECLARED = {f.workload.key: f.workload for f in FOUND}


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
        ("cifar10_resnet", 292_954),
        ("cifar10_resnet/resnet18", 11_173_962),
    ],
)
def test_parameter_counts_are_the_books(key, count):
    assert DECLARED[key].parameter_count == count


def test_a_wrong_count_is_refused():
    with pytest.raises(DeclarationError, match="its layers have 1276810"):
        dataclasses.replace(DECLARED["mnist_mlp"], parameter_count=1)


def test_hash_changes_with_every_field():
    w = DECLARED["mnist_mlp"]
    others = [
        dataclasses.replace(w, batch_size=501),
        dataclasses.replace(w, title="other"),
        dataclasses.replace(w, optimiser=dataclasses.replace(w.optimiser, epsilon=1e-7)),
        w.without_dropout(),
        dataclasses.replace(w, decay=Decay(factor=0.9)),
        dataclasses.replace(w, also_batch_statistics=True),
        dataclasses.replace(w, certificate_optimiser=Adam(learning_rate=1e-5)),
        dataclasses.replace(w, recipes=(dataclasses.replace(w.recipes[0], augmentation="resize40_flip_crop32"),)),
        dataclasses.replace(w, recipes=w.recipes[:1]),
    ]
    assert len({w.hash, *(o.hash for o in others)}) == 10
    assert hash_declaration(w.declaration()) == w.hash


# A failure here means that published results no longer belong to what is declared. Change no hash without need.
PINNED = {
    "mnist_cnn": "ec497272dd5b",
    "mnist_mlp": "c0a8001db610",
    "mnist_mlp_ablation/linear": "b0991edfe920",
    "mnist_mlp_ablation/relu": "cabb89a9735a",
    "mnist_mlp_ablation/batchnorm": "3eb6502debd2",
}


@pytest.mark.parametrize("key", PINNED)
def test_hashes_of_published_workloads(key):
    assert DECLARED[key].hash[:12] == PINNED[key]


def test_an_optional_field_that_is_not_used_stays_out_of_the_declaration():
    plain = DECLARED["mnist_cnn"].declaration()
    assert not {"decay", "also_batch_statistics", "certificate_optimiser"} & set(plain)
    assert all("augmentation" not in recipe for recipe in plain["recipes"])
    assert all("stride" not in layer for layer in plain["layers"])
    full = DECLARED["cifar10_resnet"].declaration()
    assert full["decay"] == {"type": "Decay", "factor": 1 / 3, "every": 20, "start": 0, "fresh": True}
    assert full["layers"][0]["bias"] is None  # not optional: None says that there is none


# -- learning rates, certificates, sizes ---------------------------------------------------------------


def rates(decay, rate, epochs):
    w = dataclasses.replace(RESNET, optimiser=Adam(learning_rate=rate), decay=decay)
    return [w.learning_rate(epoch) for epoch in range(epochs)]


def test_the_rate_of_the_tensorlayer_book():
    want = [1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.81, 0.729]
    assert rates(Decay(factor=0.9, start=4), 1.0, 8) == pytest.approx(want)
    assert rates(Decay(factor=0.9, start=4), 2.0, 13) == pytest.approx([2 * 0.9 ** max(i - 4, 0) for i in range(13)])


def test_the_rate_of_liaos_book():
    found = rates(Decay(factor=1 / 3, every=20), 1e-3, 50)
    assert found == pytest.approx([1e-3] * 20 + [1e-3 / 3] * 20 + [1e-3 / 9] * 10)
    declared = DECLARED["cifar10_resnet"]
    assert [declared.learning_rate(epoch) for epoch in range(50)] == pytest.approx(found)


def test_without_decay_the_rate_stays():
    assert rates(None, 0.5, 3) == [0.5] * 3


@given(st.floats(0.1, 1.0), st.integers(1, 9), st.integers(0, 9), st.integers(0, 60))
def test_the_rate_changes_only_every_so_many_epochs(factor, every, start, epoch):
    decay = Decay(factor=factor, every=every, start=start)
    times = decay.exponent(epoch + 1) - decay.exponent(epoch)
    assert times == int(epoch >= start and (epoch + 1 - start) % every == 0)


def test_what_is_certified():
    slow = Adam(learning_rate=1e-6)
    made = dataclasses.replace(RESNET, certificate_optimiser=slow, decay=Decay(factor=0.5)).certified(4)
    assert (made.batch_size, made.optimiser) == (4, slow)
    assert not any(layer.rate for layer in DECLARED["mnist_mlp"].certified(4).dropouts)
    with pytest.raises(DeclarationError, match="of the declared kind"):
        dataclasses.replace(RESNET, certificate_optimiser=SGD(learning_rate=1e-6))
    assert LANGUAGE.certified(2).optimiser == LANGUAGE.optimiser
    assert {t.name: t.shape for t in LANGUAGE.certified(2).tensors}["lstm.h"] == (2, 6)


def test_dropout_is_also_found_and_taken_out_within_branches():
    inner = Residual(body=(Dropout(name="deep", rate=0.5),), shortcut=(Dropout(name="beside", rate=0.3),))
    w = dataclasses.replace(RESNET, layers=(Dropout(name="first", rate=0.2), Residual(body=(inner,)), *RESNET.layers))
    assert {d.name: d.rate for d in w.dropouts} == {"first": 0.2, "deep": 0.5, "beside": 0.3}
    assert {d.name: d.rate for d in w.without_dropout().dropouts} == {"first": 0.0, "deep": 0.0, "beside": 0.0}
    assert w.without_dropout().parameter_count == w.parameter_count
    assert {d.name: d.rate for d in w.with_dropout_only("deep").dropouts} == {"first": 0.0, "deep": 0.5, "beside": 0.0}


def test_a_recipe_may_have_its_own_rate_and_decay():
    w = dataclasses.replace(RESNET, decay=Decay(factor=0.5, every=2))
    accepted = Unmeasured(reason="a test")
    plain = w.trained_by(Recipe(name="book", data="real", epochs=3, accepted=accepted))
    assert plain == w
    quick = Recipe(
        name="quick", data="embedded", epochs=3, learning_rate=1e-2, decay=Decay(factor=0.1, start=1), accepted=accepted
    )
    rates = [w.trained_by(quick).learning_rate(epoch) for epoch in range(4)]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-3, 1e-4])


def test_units_and_items():
    assert [(w.unit, w.items) for w in (RESNET, LANGUAGE, SKIPGRAM)] == [("images", 1), ("tokens", 5), ("pairs", 1)]


def test_states_and_the_losses_own_tensors_are_declared():
    language = {t.name: (t.shape, t.trainable, t.state) for t in LANGUAGE.tensors}
    assert language["lstm.c"] == language["lstm.h"] == ((3, 6), False, True)
    assert language["lstm.recurrent_weight"] == ((6, 24), True, False)
    assert [t.name for t in SKIPGRAM.tensors] == ["embedding.weight", "nce.weight", "nce.bias"]
    assert not initial_tensors(LANGUAGE, 0)["lstm.h"].any()


def test_branches_must_fit_together():
    block = Residual(body=(conv("a", 4, stride=2), ReLU()), shortcut=(conv("b", 4, 1, 2),))
    assert block.output_shape((5, 6, 2)) == (3, 3, 4)
    (placed,) = place((block,), (5, 6, 2))
    assert [leaf.tensors[0].name for leaf in placed.leaves() if leaf.tensors] == ["a.weight", "b.weight"]
    with pytest.raises(ValueError, match=r"the body gives \(3, 3, 4\), the shortcut \(5, 6, 4\)"):
        dataclasses.replace(block, shortcut=(conv("b", 4, 1),)).output_shape((5, 6, 2))
    with pytest.raises(ValueError, match=r"the shortcut \(5, 6, 2\)"):
        dataclasses.replace(block, shortcut=()).output_shape((5, 6, 2))


def test_the_last_layer_must_give_a_logit_per_class_or_word():
    with pytest.raises(DeclarationError, match="must give 9 logits"):
        dataclasses.replace(RESNET, dataset=dataclasses.replace(RESNET.dataset, classes=9))
    with pytest.raises(DeclarationError, match="must give 12 logits"):
        dataclasses.replace(LANGUAGE, dataset=dataclasses.replace(LANGUAGE.dataset, vocabulary=12))


def test_two_recipes_of_one_name_are_refused():
    recipe = Recipe(name="book", data="real", epochs=1, accepted=Unmeasured(reason="a test"))
    with pytest.raises(DeclarationError, match="two recipes share a name"):
        dataclasses.replace(RESNET, recipes=(recipe, recipe))


# -- initialisers, layers, discovery -------------------------------------------------------------------


def test_weights_depend_on_seed_and_name_only():
    w = DECLARED["mnist_mlp"]
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


def test_normal_has_its_deviation():
    x = Normal(stddev=3.0).draw((10_000,), generator(0))
    assert x.dtype == np.float32
    assert abs(x.mean()) < 4 * 3 / 100
    assert abs(x.std() - 3) < 4 * 3 / math.sqrt(20_000)
    assert (np.abs(x) > 6).any()  # not truncated


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
