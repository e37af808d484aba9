"""The part ``pipeline``: what loaders start from, what is derived, what verify refuses, what the report says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from part_answers import calls
from result_factory import make
from small import LANGUAGE, RESNET, SKIPGRAM

from benchmarks import tasks
from benchmarks.data.augment import SIDE
from benchmarks.experiments.pipeline import schema
from benchmarks.experiments.pipeline.pairs import pairs_of, with_negatives
from benchmarks.experiments.pipeline.proof import TRACED, Proof
from benchmarks.experiments.pipeline.worker import cut
from benchmarks.schema.measurements import Answer
from benchmarks.tasks import inputs
from benchmarks.workload import Recipe, Unmeasured, discover
from reports.parts import sections
from reports.render import html
from reports.work import gather

COLUMN = {"shape": [16, 8, 8, 3], "dtype": "float32", "mean": 0.1, "deviation": 1.0}
EVEN = {"samples": 512, "strange": 0, "mispaired": 0, "unclear": 8, "mirrored": 250}
EVEN |= {"down": [56] * 9, "right": [63] * 8 + [0]}  # as TensorLayerX's RandomCrop does


def feed(kind, epoch, loading=(), columns=(COLUMN,), batches=4, name=None, start=0.0, disturbed=(), **proof):
    def epochs(seconds, which=()):
        return [c | {"start_seconds": start} for c in calls(*seconds, disturbed=which)]

    proven = {} if kind == "resident" else {"labels": [32, 32], "traced": EVEN} | proof
    return {
        "name": name or kind,
        "kind": kind,
        "written": f"as {kind}",
        "first_seconds": 1.0,
        "epochs": epochs(epoch, disturbed),
        "loading": epochs(loading),
        "batches": batches,
        "columns": list(columns),
        **proven,
    }


def value(*own, whole=4, augmentation="cropped", **proof):
    sizes = {"batch_size": 16, "items": 1, "steps": 4, "epoch_steps": whole, "limit_seconds": 3.0}
    first = [feed("resident", [1.0, 1.0], columns=()), feed("shared", [1.5, 1.7], [0.5, 0.7], **proof)]
    return sizes | {"augmentation": augmentation, "feeds": [*first, *own]}


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
        (feed("own", [1.0, 1.0], [0.5, 0.5], [COLUMN | {"deviation": 2.5}]), "other data"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], labels=[31, 33]), "other labels"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], traced=None), "no proof of its samples"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], traced=EVEN | {"strange": 1}), "no piece of any image"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], traced=EVEN | {"mirrored": 310}), "310 of 504 samples are mirrored"),
        (feed("own", [1.0, 1.0], [0.5, 0.5], start=1.5), "longer than for all"),
        (feed("own", [1.0], [0.5]), "not timed as often"),
        (feed("own", [1.0, 1.0]), "not loaded alone as often"),
    ],
)
def test_what_verify_refuses(wrong, said):
    bad = answer(value(wrong))
    assert any(said in violation for violation in schema.check(make(), bad))


def test_of_an_epoch_in_order_samples_are_compared_too():
    one, other = ({"samples": letter * 64, "traced": None} for letter in "ab")
    for seen, said in ((one, False), (other, True)):
        made = value(feed("own", [1.0, 1.0], [0.5, 0.5], **seen), augmentation=None, **one)
        found = [v for v in schema.check(make(), answer(made)) if "each once and with its label" in v]
        assert bool(found) is said


def test_a_cut_epoch_is_not_charged_for_its_start():
    late = feed("own", [1.6, 1.6], [0.7, 0.7], start=0.6)
    cut_, whole = (schema.Value.model_validate(value(late, whole=steps)) for steps in (400, 4))
    assert cut_.ratio(cut_.feeds[2]) == pytest.approx(1.0)
    assert whole.ratio(whole.feeds[2]) == pytest.approx(1.6)
    assert "the first 4 of 400 steps" in schema.words(cut_)


def test_a_sound_answer_passes_and_layouts_may_differ():
    turned = COLUMN | {"shape": [16, 3, 8, 8], "mean": 0.11}
    assert not list(schema.check(make(), answer(value(feed("own", [1.0, 1.0], [0.5, 0.5], [turned])))))


CIFAR = dataclasses.replace(next(f.workload for f in discover() if f.workload.key == "cifar10_resnet"), batch_size=64)


def told(workload, arrays, batches, *, augmented):
    proof = Proof(workload, (arrays["train_x"], arrays["train_y"]) if augmented else None)
    for batch in batches:
        proof.add(batch)
    return proof.told()


def unlike(workload, arrays, sound, faulty):
    """What is said of a loader that brings ``faulty`` batches where the shared feed brings ``sound`` ones."""
    augmented = arrays.get("train_x", np.zeros(0)).dtype == np.uint8
    feeds = value(augmentation="cropped" if augmented else None)["feeds"]
    proofs = [told(workload, arrays, batches, augmented=augmented) for batches in (sound, faulty)]
    shared = feed("shared", [1.0], [1.0], batches=len(sound), **proofs[0])
    own = feed("own", [1.0], [1.0], batches=len(faulty), **proofs[1])
    facts = {"batch_size": workload.batch_size, "items": 1, "steps": len(sound), "epoch_steps": len(sound)}
    facts |= {"limit_seconds": 1.0, "augmentation": "cropped" if augmented else None}
    feeds = [feed("resident", [1.0], columns=(), batches=len(sound)), shared, own]
    return "; ".join(schema.unlike(schema.Value.model_validate(facts | {"feeds": feeds})))


@pytest.fixture(scope="module")
def enlarged(tmp_path_factory):
    """Enlarged images, and their epoch as the shared feed brings it, twice with other crops."""
    rng = np.random.default_rng(0)
    arrays = {"train_x": rng.integers(0, 256, (512, 40, 40, 3), np.uint8), "train_y": rng.integers(0, 10, 512)}
    folder = tmp_path_factory.mktemp("enlarged")
    inputs.save_arrays(folder, arrays)
    epochs = [[b.arrays for b in tasks.task(CIFAR, folder, 0).epoch(number)] for number in (0, 1)]
    return arrays, *epochs


def scaled(pixels):
    return ((pixels.astype(np.float32) / 255 - CIFAR.dataset.mean) / CIFAR.dataset.stddev).astype(np.float32)


def cuts(arrays, *, crop=True, mirror=True, paired=True):
    """An epoch by a loader of its own, whole or with something forgotten."""
    rng = np.random.default_rng(1)
    order = rng.permutation(len(arrays["train_x"]))
    labels = arrays["train_y"][order if paired else rng.permutation(order)]
    out = []
    for image in arrays["train_x"][order]:
        down, right = rng.integers(0, 9, 2) if crop else (4, 4)
        piece = image[down : down + SIDE, right : right + SIDE]
        out.append(piece[:, ::-1] if mirror and rng.random() < 0.5 else piece)
    pixels = scaled(np.stack(out))
    return [(pixels[i : i + 64], labels[i : i + 64]) for i in range(0, len(order), 64)]


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (lambda arrays, sound: sound, ""),
        (lambda arrays, sound: cuts(arrays), ""),
        (lambda arrays, sound: [(x.transpose(0, 3, 1, 2), y.astype(np.int32)) for x, y in sound], ""),
        (lambda arrays, sound: cuts(arrays, mirror=False), "samples are mirrored, not half"),
        (lambda arrays, sound: cuts(arrays, crop=False), "not cut at random"),
        (lambda arrays, sound: cuts(arrays, paired=False), "have another image's label"),
        (lambda arrays, sound: [(x, np.roll(y, 1)) for x, y in sound], "have another image's label"),
        (lambda arrays, sound: [sound[0]] * len(sound), "other labels than the shared feed"),
        (lambda arrays, sound: [(x * np.float32(0.5), y) for x, y in sound], "no piece of any image"),
        (lambda arrays, sound: [(x * np.float32(2), y) for x, y in sound], "other data than the shared feed"),
    ],
)
def test_faulty_augmented_feeds_are_found(enlarged, faulty, said):
    arrays, sound, again = enlarged
    found = unlike(CIFAR, arrays, sound, faulty(arrays, again))
    assert said in found
    assert bool(found) is bool(said)


def test_samples_are_traced_exactly(enlarged):
    arrays, sound, _ = enlarged
    seen = told(CIFAR, arrays, sound, augmented=True)["traced"]
    assert seen["samples"] == TRACED
    assert (seen["strange"], seen["mispaired"], seen["unclear"]) == (0, 0, 0)
    assert sum(seen["down"]) == sum(seen["right"]) == TRACED


@pytest.mark.parametrize(
    ("faulty", "finds"),
    [
        (lambda x, y, order: (x[order], y[order]), False),
        (lambda x, y, order: (x[order], y), True),  # shuffled apart
        (lambda x, y, order: (x[np.zeros_like(order)], y[np.zeros_like(order)]), True),  # the same sample again
        (lambda x, y, order: (np.float32(1.0001) * x[order], y[order]), True),
        (lambda x, y, order: (x[order][:, ::-1], y[order]), True),  # mirrored though nothing is declared
    ],
)
def test_faulty_plain_feeds_are_found(faulty, finds):
    rng = np.random.default_rng(0)
    x, y, order = rng.random((64, 8, 8, 3), np.float32), rng.integers(0, 10, 64), rng.permutation(64)
    seen = faulty(x, y, order)
    sound, own = ([(a[i : i + 16], b[i : i + 16]) for i in range(0, 64, 16)] for a, b in ((x, y), seen))
    assert ("each once and with its label" in unlike(RESNET, {"train_x": x, "train_y": y}, sound, own)) is finds


def test_faulty_feeds_of_text_and_pairs_are_found(tmp_path):
    rng = np.random.default_rng(0)
    for workload in (LANGUAGE, SKIPGRAM):
        inputs.save_arrays(tmp_path / workload.name, {"train": rng.integers(0, workload.dataset.vocabulary, 500)})
        made = tasks.task(workload, tmp_path / workload.name, 0)
        sound, again = ([b.arrays for b in made.epoch(number)] for number in (0, 1))
        assert unlike(workload, {}, sound, again) == ""
        apart = [(a, np.roll(b, 1, axis=0), *rest) for a, b, *rest in again]
        assert "each once and with its label" in unlike(workload, {}, sound, apart)
        turned = again[::-1]
        assert bool(unlike(workload, {}, sound, turned)) is (workload is LANGUAGE), "carried state needs the order"


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


def shown(*own, **changes):
    base = make(interrupted=False)
    asked = base.options.model_copy(update={"measure": ["training", "pipeline"]})
    result = base.model_copy(update={"options": asked, "answers": [answer(value(*own, **changes))]})
    work = next(w for w in gather([result]) if w.key == "mnist_mlp")
    (section,) = sections(work, "k")
    return section, result


def test_nothing_is_said_of_loading_that_the_spread_of_epochs_hides():
    """Epochs of 1.02 and 1.12 s cannot tell where a tenth of a second went."""
    noisy = feed("own", [1.02, 1.12], [0.1, 0.1], name="noisy loader")
    found = schema.Value.model_validate(value(noisy))
    assert found.hidden(found.feeds[2]) is None
    assert "(noisy loader)" in shown(noisy)[0].sentence


def test_the_report_says_what_loading_costs():
    section, result = shown(SLOW, HIDDEN)
    assert "a whole epoch takes" in section.sentence
    assert "as long in PyTorch (hidden loader, 96 % of its loading hidden)" in section.sentence
    assert "Images were cropped." in section.notes
    assert any("In PyTorch slow loader left out one of the 9 columns" in note for note in section.notes)
    (chart,) = section.charts
    assert "slow loader" in chart.svg
    assert "Input pipeline" in html([result])


def test_a_cut_epoch_is_called_so():
    section, _ = shown(feed("own", [1.6, 1.6], [0.7, 0.7], start=0.6, name="late loader"), whole=390)
    assert "the first 4 of 390 steps of an epoch take" in section.sentence
    assert "whole epoch" not in section.sentence
    assert "after 600 ms for the first batch" in section.sentence
    assert any("PyTorch 4 of 390" in note for note in section.notes)
    assert [row[1].sub for row in section.tables[0][1].rows] == ["390"] * 3


def test_disturbed_epochs_do_not_decide():
    lost = feed("own", [1.02, 1.02], [0.5, 0.5], name="lost loader", disturbed=(0, 1))
    section, _ = shown(lost)
    assert section.sentence == "Nothing is said of PyTorch: most of its epochs were disturbed."
    assert "Disturbed: other work ran beside 2 of 2 epochs" in section.tables[0][1].notes[0]
    section, _ = shown(lost, SLOW)
    assert "slow loader" in section.sentence
