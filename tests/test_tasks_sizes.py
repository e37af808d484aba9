"""Batches that the data do not fill, or that cannot be: refused in a sentence, and exactly then."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import measure
from small import LANGUAGE, RESNET, SKIPGRAM

from benchmarks import tasks
from benchmarks.data import skipgram
from benchmarks.engine.select import make_plan
from benchmarks.errors import Problem
from benchmarks.tasks.text import PROMPT


@given(st.integers(1, 7), st.integers(1, 6), st.integers(0, 60))
def test_a_text_is_too_short_exactly_when_it_fills_no_batch(rows, steps, length):
    dataset = dataclasses.replace(LANGUAGE.dataset, steps=steps)
    workload = dataclasses.replace(LANGUAGE, dataset=dataset, batch_size=rows)
    assert bool(tasks.too_short(workload, {"train": length})) == (workload.steps(length) == 0)
    prompted = length > PROMPT
    assert bool(tasks.too_short(workload, {"test": length})) == (workload.steps(length) == 0 or not prompted)


@given(st.sampled_from([1, 2]), st.integers(1, 9), st.integers(0, 200))
def test_word_pairs_are_too_few_exactly_when_they_fill_no_batch(window, centres, length):
    batch = 2 * window * centres
    dataset = dataclasses.replace(SKIPGRAM.dataset, window=window)
    workload = dataclasses.replace(SKIPGRAM, dataset=dataset, batch_size=batch)
    for split, size in (("train", batch), ("test", skipgram.TEST_BATCH)):
        made = skipgram.batch_count(length, window=window, batch_size=size)
        assert bool(tasks.too_short(workload, {split: length})) == (made == 0)


@given(st.sampled_from([1, 2]), st.integers(1, 40))
def test_a_batch_is_unfit_exactly_when_it_tears_centres_apart(window, batch):
    dataset = dataclasses.replace(SKIPGRAM.dataset, window=window)
    workload = dataclasses.replace(SKIPGRAM, dataset=dataset, batch_size=batch)
    try:
        skipgram.batch_count(1_000, window=window, batch_size=batch)
    except ValueError:
        assert f"whole centres, {2 * window} pairs each, and {batch} is no multiple" in tasks.unfit(workload)
    else:
        assert tasks.unfit(workload) == ""
    assert tasks.unfit(dataclasses.replace(RESNET, batch_size=batch)) == ""


def test_a_batch_that_tears_centres_apart_is_refused_when_planned():
    with pytest.raises(Problem, match=r"word2vec takes batches of whole centres, 2 pairs each, and 3 is no multiple"):
        make_plan(command="test", workload=["word2vec"], profile="smoke", batch_size=3, threads=1)


def test_the_sentence_about_a_short_text():
    said = tasks.too_short(LANGUAGE, {"train": 500, "test": 17})
    assert said == ("small_lstm: the test text has 17 words and fills no batch, which takes 18; give it more words")
    assert tasks.too_short(LANGUAGE, {"train": 500, "test": 18}) == ""
    assert tasks.too_short(RESNET, {"train": 1, "test": 1}) == ""


def recipes(folder, **sizes):
    """The word-vector toy with another size of its texts."""
    source = (Path(__file__).parent / "baselines" / "vectors" / "workload.py").read_text()
    for name, size in sizes.items():
        source = source.replace(f"            {name}=1_000,\n", f"            {name}={size},\n")
    (folder / "vectors").mkdir(parents=True)
    (folder / "vectors" / "workload.py").write_text(source)
    numpy = Path(__file__).parent / "baselines" / "vectors" / "vectors_numpy.py"
    (folder / "vectors" / "vectors_numpy.py").write_text(numpy.read_text())
    return {"command": "test", "workload": ["vectors/sound"], "profile": "smoke", "impls": folder, "threads": 1}


def test_a_declared_text_that_is_too_short_is_refused_when_planned(tmp_path):
    with pytest.raises(Problem, match=r"vectors/sound: the test text has 65 words and fills no batch, which takes 66"):
        make_plan(**recipes(tmp_path / "a", test_examples=65))
    with pytest.raises(Problem, match=r"the train text has 9 words and fills no batch, which takes 10"):
        make_plan(**recipes(tmp_path / "b", train_examples=9))


def test_a_text_found_too_short_is_refused_before_a_worker_starts(tmp_path, monkeypatch):
    from benchmarks import data

    plan = make_plan(**recipes(tmp_path / "impls"))
    whole = data.load

    def short(*words, **options):
        found = whole(*words, **options)
        return dataclasses.replace(found, arrays=found.arrays | {"test": found.arrays["test"][:65]})

    monkeypatch.setattr(data, "load", short)
    out = tmp_path / "run"
    out.mkdir()
    with pytest.raises(data.DataError, match="the test text has 65 words"):
        measure(plan, out)
    assert not (out / "logs").exists()  # no worker was started
