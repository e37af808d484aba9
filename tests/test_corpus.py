"""A range judges only trainings on the text it was measured on: from loading to verify, on NumPy word vectors."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from measured import measure

from benchmarks import experiments
from benchmarks.data import DataError, skipgram
from benchmarks.engine.select import make_plan
from benchmarks.experiments import typed
from benchmarks.verify.file import verify
from benchmarks.workload import Accepted, discover

SOURCE = Path(__file__).parent / "baselines" / "vectors"
RANGE = Accepted(low=0.0, high=0.001, protocol="out of reach", corpus="enwiki100M")
QUESTIONS = {
    "EN-WS-353-ALL.txt": "king queen 9\n",
    "EN-SIMLEX-999.txt": "king queen 9\n",
    "questions-words.txt": "king queen man woman\n",
}


def test_a_range_tells_where_it_does_not_hold():
    assert RANGE.elsewhere("enwiki100M") == ""
    assert RANGE.elsewhere("text8") == "the range was measured on enwiki100M, this is text8"
    assert RANGE.elsewhere(None) == "the range was measured on enwiki100M, this is another text"
    everywhere = dataclasses.replace(RANGE, corpus=None)
    assert everywhere.elsewhere("text8") == everywhere.elsewhere(None) == ""


def test_every_range_of_a_real_text_names_it():
    ranged = [
        (f.workload.name, recipe.accepted.corpus)
        for f in discover()
        for recipe in f.workload.recipes
        if recipe.data == "real"
        and isinstance(recipe.accepted, Accepted)
        and f.workload.name in ("lstm_text", "word2vec")
    ]
    assert ranged == [("lstm_text", "tinyshakespeare"), ("word2vec", "enwiki100M")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Impls of one word-vector toy whose range on real data is of enwiki100M; a data folder with a small text of it."""
    source = (SOURCE / "workload.py").read_text()
    for old, new in (
        ("SGD, Pairs", "SGD, Accepted, Pairs"),
        ('data="embedded"', 'data="real"'),
        ('Unmeasured(reason="a test")', 'Accepted(low=0.0, high=0.001, protocol="out of reach", corpus="enwiki100M")'),
        ("            test_examples=1_000,\n", "            test_examples=100,\n"),
    ):
        assert old in source
        source = source.replace(old, new)
    (tmp_path / "impls" / "vectors").mkdir(parents=True)
    (tmp_path / "impls" / "vectors" / "workload.py").write_text(source)
    (tmp_path / "impls" / "vectors" / "vectors_numpy.py").write_text((SOURCE / "vectors_numpy.py").read_text())
    data = tmp_path / "data"
    for name in ("enwiki", "wordsim"):
        (data / name).mkdir(parents=True)
    text = "the king and queen saw a man with no woman " * 120  # 1,200 words: 100 are held out
    (data / "enwiki" / "enwiki100M_text8style").write_text(text)
    (data / "novel.txt").write_text(text[: len(text) * 3 // 4])  # a tenth of 900 is held out, 810 are left of 1,000
    files = [skipgram.FILES[0]]
    for file in skipgram.FILES[1:]:
        content = QUESTIONS[file.name].encode()
        (data / "wordsim" / file.name).write_bytes(content)
        files.append(dataclasses.replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest()))
    monkeypatch.setattr(skipgram, "FILES", tuple(files))
    monkeypatch.setenv("BOOKBENCH_DATA", str(data))
    return tmp_path


def planned(folder):
    return make_plan(
        command="test",
        workload=["vectors/sound"],
        profile="smoke",
        data="real",
        recipe="smoke",
        threads=1,
        measure=["accuracy", "precision"],
        impls=folder / "impls",
        experiments=experiments.MEASURING,
    )


def trained(folder, monkeypatch, corpus):
    monkeypatch.setenv("BOOKBENCH_CORPUS", corpus)
    out = folder / Path(corpus).stem
    out.mkdir()
    return measure(planned(folder), out)


def test_a_run_does_not_go_on_with_another_text(folder, monkeypatch):
    trained(folder, monkeypatch, "enwiki")
    journal = folder / "enwiki" / "journal.jsonl"
    kept = [line for line in journal.read_text().splitlines(keepends=True) if '"event": "data"' in line]
    journal.write_text("".join(kept))  # as if it had been cut short before the first training
    monkeypatch.setenv("BOOKBENCH_CORPUS", str(folder / "data" / "novel.txt"))
    with pytest.raises(
        DataError, match=r"began with other data \(enwiki100M .*\) than there are now \(text novel.txt, .*\)"
    ):
        measure(planned(folder), folder / "enwiki")


def changed(result, *, corpus, **accuracy):
    """The same trainings said to be of another text, and judged otherwise."""
    (row,) = result.rows
    assert row.accuracy is not None
    rows = [row.model_copy(update={"accuracy": row.accuracy.model_copy(update=accuracy)})]
    data = [d.model_copy(update={"corpus": corpus}) for d in result.data]
    made = result.model_copy(update={"rows": rows, "data": data, "answers": []})
    return list(verify(made))


def test_another_text_is_not_judged_and_the_range_s_own_is(folder, monkeypatch):
    own, other = (trained(folder, monkeypatch, c) for c in ("enwiki", str(folder / "data" / "novel.txt")))
    for result in (own, other):
        assert list(verify(result)) == []
    (row,) = own.rows
    assert (own.data[0].corpus, own.data[0].train_examples, own.data[0].test_examples) == ("enwiki100M", 1_000, 100)
    assert row.accuracy.judged
    assert row.status == "accuracy_failed"
    assert "outside 0.0 to 0.001" in row.reason
    (row,) = other.rows
    assert (other.data[0].corpus, other.data[0].train_examples, other.data[0].test_examples) == (
        "text novel.txt",
        810,
        90,
    )
    assert not row.accuracy.judged
    assert row.status == "ok"
    assert row.accuracy.reason == "the range was measured on enwiki100M, this is text novel.txt"
    assert (row.accuracy.low, row.accuracy.high) == (0.0, 0.001)

    (training,) = row.accuracy.trainings
    assert set(training.generated) == {"the", "king", "and", "queen", "saw", "a", "man", "with", "no", "woman"}
    assert all(len(told.split(", ")) == 8 for told in training.generated.values())
    bounds = [
        [(p.trained.low, p.trained.high) for p in typed(r.answers[0]).precisions if p.trained] for r in (own, other)
    ]
    assert bounds == [[(0.0, 0.001)], [(None, None)]]

    wrongly, rightly = (f"judged: the file says {judged}, its samples give {not judged}" for judged in (True, False))
    assert any(wrongly in v for v in changed(own, corpus="text8"))
    assert any(rightly in v for v in changed(own, corpus="enwiki100M", judged=False))
    assert any(rightly in v for v in changed(other, corpus="enwiki100M"))
    assert any(wrongly in v for v in changed(other, corpus="text8", judged=True))
