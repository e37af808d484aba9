"""The part ``pipeline``: what loaders start from, what is derived, what verify refuses, what the report says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from result_factory import make
from small import LANGUAGE, RESNET, SKIPGRAM

from benchmarks import inputs, tasks
from benchmarks.answers import Answer
from benchmarks.parts.pipeline import schema
from benchmarks.parts.pipeline.pairs import pairs_of, with_negatives
from benchmarks.parts.pipeline.worker import cut
from benchmarks.workload import Recipe, Unmeasured, discover
from reports.parts import sections
from reports.render import html
from reports.work import gather

COLUMN = {"shape": [16, 8, 8, 3], "dtype": "float32", "mean": 0.1, "deviation": 1.0}


def feed(kind, epoch, loading=(), columns=(COLUMN,), batches=4, name=None):
    return {
        "name": name or kind,
        "kind": kind,
        "written": f"as {kind}",
        "first_seconds": 1.0,
        "epoch_seconds": list(epoch),
        "loading_seconds": list(loading),
        "batches": batches,
        "columns": list(columns),
    }


def value(*own):
    sizes = {"batch_size": 16, "items": 1, "steps": 4, "augmentation": "cropped"}
    first = [feed("resident", [1.0, 1.0], columns=()), feed("shared", [1.5, 1.7], [0.5, 0.7])]
    return sizes | {"feeds": [*first, *own]}


def answer(made):
    place = {"part": "pipeline", "workload": "mnist_mlp", "variant": "default", "stack": "torch:eager:cpu:default"}
    return Answer(**place, status="ok", value=made)


SLOW = feed("own", [2.0, 2.2], [1.0, 1.2], name="slow loader")
HIDDEN = feed("own", [1.02, 1.02], [0.5, 0.5], name="hidden loader")


def test_what_is_hidden_is_what_did_not_lengthen_the_epoch():
    found = schema.Value.model_validate(value(SLOW, HIDDEN))
    resident, shared, slow, hidden = found.feeds
    assert found.hidden(resident) is None
    assert found.hidden(shared) == pytest.approx(0.0)
    assert found.hidden(slow) == pytest.approx(0.0)
    assert found.hidden(hidden) == pytest.approx(0.96)
    assert found.best is hidden
    assert found.ratio(slow) == pytest.approx(2.1)
    assert found.samples_per_second(resident) == pytest.approx(64)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (feed("own", [1.0, 1.0], [0.5, 0.5], batches=3), "3 batches, not 4"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], [COLUMN | {"mean": 25.0}]), "other data"),  # pixels not divided
        (feed("own", [1.0, 1.0], [0.5, 0.5], [COLUMN | {"dtype": "float64"}]), "other data"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], []), "other data"),
        (feed("own", [1.0], [0.5]), "not timed as often"),
        (feed("own", [1.0, 1.0]), "not loaded alone as often"),
    ],
)
def test_what_verify_refuses(wrong, said):
    bad = answer(value(wrong))
    assert any(said in violation for violation in schema.check(make(), bad))


def test_a_sound_answer_passes_and_layouts_may_differ():
    turned = COLUMN | {"shape": [16, 3, 8, 8], "mean": 0.11}
    assert not list(schema.check(make(), answer(value(feed("own", [1.0, 1.0], [0.5, 0.5], [turned])))))


def recipe(augmentation):
    reason = Unmeasured(reason="a test")
    return Recipe(name="book", data="embedded", epochs=1, augmentation=augmentation, accepted=reason)


def test_loaders_start_from_as_many_samples_as_fill_the_epoch(tmp_path):
    rng = np.random.default_rng(0)
    images = {"train_x": rng.random((64, 8, 8, 3), np.float32), "train_y": rng.integers(0, 10, 64)}
    words = {name: rng.integers(0, w.dataset.vocabulary, 500) for name, w in (("t", LANGUAGE), ("p", SKIPGRAM))}
    for workload, arrays, most in (
        (RESNET, images, 4),
        (LANGUAGE, {"train": words["t"]}, 33),
        (SKIPGRAM, {"train": words["p"]}, 124),
    ):
        for steps in (3, 1_000):
            made, augmentation = cut(workload, arrays, steps)
            assert augmentation is None
            inputs.save_arrays(tmp_path / workload.name, made)
            task = tasks.task(workload, tmp_path / workload.name, 0)
            assert len(list(task.epoch(0))) == min(steps, most)


def test_images_are_enlarged_where_a_recipe_augments():
    declared = dataclasses.replace(
        next(f.workload for f in discover() if f.workload.key == "cifar10_resnet"), batch_size=4
    )
    x = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3)).astype(np.float32)
    arrays = {"train_x": (x / 255 - 0.5) / 0.5, "train_y": np.arange(9), "test_x": x}
    made, augmentation = cut(declared, {k: v.astype(v.dtype) for k, v in arrays.items()}, 2)
    assert augmentation
    assert made["train_x"].shape == (8, 40, 40, 3)
    assert made["train_x"].dtype == np.uint8
    plain, none = cut(dataclasses.replace(declared, recipes=(recipe(None),)), arrays, 2)
    assert none is None
    assert plain["train_x"].shape == (8, 32, 32, 3)


def test_pairs_and_their_negatives_are_as_the_engine_makes_them():
    declared, words = SKIPGRAM.dataset, np.arange(10) % 7
    centre, context = pairs_of(declared, words)
    assert centre.tolist() == [w for w in words[1:-1].tolist() for _ in range(2)]
    assert sorted(context[:2].tolist()) == sorted([words[0], words[2]])
    batch = with_negatives(declared, centre[:8], context[:8], np.random.default_rng(0))
    like = [(8,), (8,), (5,), (8,), (5,)]
    assert [a.shape for a in batch] == like
    assert [a.dtype for a in batch] == [np.int64, np.int64, np.int64, np.float32, np.float32]
    assert len(set(batch[2].tolist())) == 5
    assert (batch[3] < 0).all()


def test_the_report_says_what_loading_costs():
    base = make(interrupted=False)
    asked = base.options.model_copy(update={"measure": ["training", "pipeline"]})
    result = base.model_copy(update={"options": asked, "answers": [answer(value(SLOW, HIDDEN))]})
    work = next(w for w in gather([result]) if w.key == "mnist_mlp")
    (section,) = sections(work, "k")
    assert "as long in PyTorch (hidden loader, 96 % of its loading hidden)" in section.sentence
    assert any("PyTorch 4" in note for note in section.notes)
    assert "Images were cropped." in section.notes
    (chart,) = section.charts
    assert "slow loader" in chart.svg
    assert "Input pipeline" in html([result])
