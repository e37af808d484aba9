"""Skip-gram data: batches against a naive loop, scores on embeddings made by hand, real text where there is some."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks import data
from benchmarks.data import DataError, corpora, fetch, log_uniform, planted, skipgram
from benchmarks.workload import Pairs

ROOT = Path(__file__).resolve().parent.parent
SIZE = 700
PLANTED = Pairs(name="skipgram", vocabulary=SIZE, window=1, negatives=8, train_examples=3_000)
BOOK = Pairs(name="skipgram", vocabulary=50_000, window=1, negatives=64, train_examples=17_000_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def batches(ids: np.ndarray, seed: int = 0, window: int = 1, batch_size: int = 16) -> list[skipgram.Batch]:
    return list(
        skipgram.batches(ids, vocabulary=SIZE, window=window, negatives=8, batch_size=batch_size, rng=rng(seed))
    )


def naive(ids: list[int], window: int) -> list[tuple[int, list[int]]]:
    """Centre and its neighbours, in text order."""
    return [(ids[at], ids[at - window : at] + ids[at + 1 : at + 1 + window]) for at in range(window, len(ids) - window)]


@pytest.mark.parametrize(("window", "batch_size"), [(1, 16), (1, 2), (2, 16), (3, 18)])
def test_batches_are_those_of_a_naive_loop(window: int, batch_size: int) -> None:
    ids = rng(5).integers(0, SIZE, 5_000)
    found = batches(ids, window=window, batch_size=batch_size)
    expected = naive(ids.tolist(), window)
    centres = batch_size // (2 * window)
    assert len(found) == len(expected) // centres
    assert len(found) == skipgram.batch_count(len(ids), window=window, batch_size=batch_size)
    for step, (centre, context, noise, log_true, log_noise) in enumerate(found):
        assert centre.shape == context.shape == log_true.shape == (batch_size,)
        assert noise.shape == log_noise.shape == (8,)
        assert (centre.dtype, context.dtype, noise.dtype) == (np.int64,) * 3
        assert (log_true.dtype, log_noise.dtype) == (np.float32,) * 2
        per_centre = context.reshape(centres, -1).tolist()
        for i, (word, neighbours) in enumerate(expected[step * centres : (step + 1) * centres]):
            assert centre.reshape(centres, -1)[i].tolist() == [word] * 2 * window
            assert sorted(per_centre[i]) == sorted(neighbours)


def test_expected_counts_of_a_batch_share_its_tries() -> None:
    for _, context, noise, log_true, log_noise in batches(rng(5).integers(0, SIZE, 300)):
        assert len(set(noise.tolist())) == 8
        matching = [
            tries
            for tries in range(8, 200)
            if np.array_equal(log_uniform.log_expected(noise, tries, SIZE), log_noise)
            and np.array_equal(log_uniform.log_expected(context, tries, SIZE), log_true)
        ]
        assert len(matching) == 1


def test_neighbours_come_in_random_order() -> None:
    ids = np.arange(SIZE)  # so that the order shows
    context = np.concatenate([batch[1] for batch in batches(ids)]).reshape(-1, 2)
    before_first = (context[:, 0] < context[:, 1]).mean()
    assert abs(before_first - 0.5) < 4 * 0.5 / math.sqrt(len(context))


def test_batches_depend_on_the_generator_alone() -> None:
    ids = rng(5).integers(0, SIZE, 20_000)  # more than a chunk of batches
    one, two, other = batches(ids), batches(ids), batches(ids, seed=1)
    assert len(one) == 2_499 > 2 * skipgram._CHUNK
    assert all(np.array_equal(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(one, other, strict=True))
    assert all((a[0] == b[0]).all() for a, b in zip(one, other, strict=True))
    assert len({batch[2].tobytes() for batch in one}) == len(one)


@pytest.mark.parametrize("words", [0, 1, 2, 9])
def test_too_few_words_give_no_batch(words: int) -> None:
    assert batches(np.zeros(words, np.int64)) == []
    assert len(batches(np.zeros(10, np.int64))) == 1


@pytest.mark.parametrize(("window", "batch_size"), [(1, 3), (2, 6), (0, 4), (1, 0)])
def test_a_batch_that_tears_a_centre_apart_is_an_error(window: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="whole centres"):
        skipgram.batch_count(100, window=window, batch_size=batch_size)


def embedded(seed: int = 0, train: int | None = None, test: int | None = 2_000) -> data.Dataset:
    return data.load(PLANTED, source="embedded", seed=seed, train_examples=train, test_examples=test)


def test_embedded_set() -> None:
    found = embedded()
    assert (found.train_examples, found.test_examples) == (3_000, 2_000)
    for split, count in (("train", 3_000), ("test", 2_000)):
        expected = planted.sample(count, vocabulary=SIZE, seed=0, split=split)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.arrays[split], expected)
    assert found.arrays["words"].shape == (SIZE,)
    assert found.arrays["similar_planted"].shape == (3 * skipgram.QUESTIONS, 2)
    assert found.arrays["similarity_planted"].shape == (3 * skipgram.QUESTIONS,)
    assert found.arrays["analogies"].shape == (skipgram.QUESTIONS, 4)
    for name in ("train", "test", "similar_planted", "analogies", "groups"):
        assert found.arrays[name].dtype == np.int64
    assert "version 1, 700 words, seed 0" in found.description
    assert embedded().digest == found.digest != embedded(seed=1).digest
    assert len(embedded(train=10).arrays["train"]) == 10


def test_optimum_is_the_loss_of_perfect_knowledge_on_the_test_batches() -> None:
    found = embedded()
    losses = []
    for centre, context, noise, log_true, log_noise in skipgram.held_out_batches(
        found.arrays["test"], vocabulary=SIZE, window=1, negatives=8
    ):
        true = planted.pair_log_probability(centre, context, vocabulary=SIZE) - log_true
        other = planted.pair_log_probability(centre[:, None], noise, vocabulary=SIZE) - log_noise
        losses.append(np.mean(np.log1p(np.exp(-true)) + np.log1p(np.exp(other)).sum(axis=1)))
    assert len(losses) == 31
    assert found.optimum == pytest.approx(np.mean(losses), rel=1e-12)


def scores(embedding: np.ndarray, weight: np.ndarray, bias: np.ndarray, found: data.Dataset) -> dict[str, float]:
    return skipgram.scores(embedding, weight, bias, found.arrays, negatives=8)


def test_parameters_that_know_the_shares_reach_a_loss_near_the_optimum() -> None:
    """Log of a sum is no product of vectors, but a full-rank table of it is."""
    found = embedded()
    known = planted.language(SIZE)
    one_hot = np.eye(len(known.log_ratio))[known.row].astype(np.float32)
    weight = known.log_ratio[known.row].astype(np.float32)
    got = scores(one_hot, weight, np.log(known.frequency).astype(np.float32), found)
    assert got["loss"] == pytest.approx(found.optimum, rel=1e-5)


def test_loss_of_zero_parameters() -> None:
    found = embedded()
    none = np.zeros((SIZE, 4), np.float32)
    got = scores(none, none, np.zeros(SIZE, np.float32), found)
    losses = []
    for _, _, _, log_true, log_noise in skipgram.held_out_batches(
        found.arrays["test"], vocabulary=SIZE, window=1, negatives=8
    ):
        true, noise = log_true.astype(np.float64), log_noise.astype(np.float64)
        losses.append(np.log1p(np.exp(true)).mean() + np.log1p(np.exp(-noise)).sum())
    assert got["loss"] == pytest.approx(np.mean(losses), rel=1e-9)
    assert got["spearman_planted"] == 0.0


def test_the_planted_vectors_score_high_and_random_ones_do_not() -> None:
    found = embedded()
    known = planted.language(SIZE)
    weight, bias = np.zeros((SIZE, 8), np.float32), np.zeros(SIZE, np.float32)
    shares = known.dense[known.row, 1:].astype(np.float32)
    best = scores(shares, np.zeros_like(shares), bias, found)
    assert best["spearman_planted"] > 0.999
    assert best["neighbours"] > 0.99
    assert best["analogies"] > 0.9
    assert (best["pairs_planted"], best["questions"]) == (3_000.0, 1_000.0)
    chance = scores(rng().normal(size=(SIZE, 8)).astype(np.float32), weight, bias, found)
    assert abs(chance["spearman_planted"]) < 0.1
    assert chance["neighbours"] < 0.05
    assert chance["analogies"] < 0.02


def by_hand(**arrays: list[list[int]] | list[float]) -> dict[str, float]:
    """Scores of six words in the plane, at 0, 20, 50, 180, 210 and 260 degrees."""
    angle = np.radians([0, 20, 50, 180, 210, 260])
    plane = (np.array([2, 1, 3, 1, 0.5, 5]) * np.array([np.cos(angle), np.sin(angle)])).T.astype(np.float32)
    given = {"test": np.empty(0, np.int64)} | {name: np.array(value) for name, value in arrays.items()}
    return skipgram.scores(plane, plane, np.zeros(6, np.float32), given, negatives=2)


def test_spearman_is_scipys() -> None:
    random = np.random.default_rng(3)
    for count in (5, 400):
        one = random.integers(0, 9, count).astype(float)  # with ties
        two = one + random.normal(size=count)
        assert skipgram._spearman(one, two) == pytest.approx(spearmanr(one, two)[0], abs=1e-12)


def test_spearman_by_hand() -> None:
    # cosines: 0.94, 0.64, -1
    pairs = [[0, 1], [0, 2], [0, 3]]
    assert by_hand(similar_a=pairs, similarity_a=[9.0, 5.0, 1.0]) == {"spearman_a": pytest.approx(1.0), "pairs_a": 3.0}
    both = by_hand(similar_a=pairs, similarity_a=[1.0, 5.0, 9.0], similar_b=pairs, similarity_b=[5.0, 9.0, 1.0])
    assert both["spearman_a"] == pytest.approx(-1.0)
    assert both["spearman_b"] == pytest.approx(0.5)


def test_neighbours_by_hand() -> None:
    assert by_hand(groups=[[0, 1], [3, 4]])["neighbours"] == 1.0
    assert by_hand(groups=[[0, 1], [2, 5]])["neighbours"] == 0.5
    assert by_hand(groups=[[0, 1, 2], [3, 4, 5]])["neighbours"] == 1.0


def test_analogies_by_hand() -> None:
    # 20 - 0 + 180 degrees points to 162, where 180 is set aside and 210 comes next
    assert by_hand(analogies=[[0, 1, 3, 4]]) == {"analogies": 1.0, "questions": 1.0}
    assert by_hand(analogies=[[0, 1, 3, 3], [0, 1, 3, 5], [0, 1, 3, 4]])["analogies"] == pytest.approx(1 / 3)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def official_now(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """From now on the official file of this name is the one at ``path``."""
    content = path.read_bytes()
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files = [dataclasses.replace(f, **facts) if f.name == path.name else f for f in skipgram.FILES]
    monkeypatch.setattr(skipgram, "FILES", tuple(files))
    monkeypatch.setattr(corpora, "TEXT8", files[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a text of 12 words, 3 of which are to be held out, and small sets of questions."""
    monkeypatch.setenv("BOOKBENCH_DATA", str(tmp_path))
    monkeypatch.delenv("BOOKBENCH_CORPUS", raising=False)
    write(
        tmp_path,
        {
            "text8/text8": " the cat the dog the cat saw dog a dog the bird ",
            "wordsim/EN-WS-353-ALL.txt": "cat\tDog\t7.5\ncat\tunicorn\t3\nthe\tthe\t10.00\n",
            "wordsim/EN-SIMLEX-999.txt": "dog\tcat\t2\n",
            "wordsim/questions-words.txt": ": animals\nCat Dog Dog Cat\ncat dog the unicorn\n",
        },
    )
    for path in (tmp_path / "wordsim").iterdir():
        official_now(monkeypatch, path)
    return tmp_path


SHORT = Pairs(name="skipgram", vocabulary=4, window=1, negatives=2, train_examples=100)


def short(train: int | None = None, test: int | None = 3) -> data.Dataset:
    return data.load(SHORT, source="real", seed=0, train_examples=train, test_examples=test)


def test_a_text_becomes_ids_by_frequency(folder: Path) -> None:
    found = short()
    # of the first 9 words the: 3, then cat and dog: 2 each in the order they came, the rest is UNK
    assert found.arrays["words"].tolist() == ["UNK", "the", "cat", "dog"]
    assert found.arrays["train"].tolist() == [1, 2, 1, 3, 1, 2, 0, 3, 0]
    assert found.arrays["test"].tolist() == [3, 1, 0]
    assert found.arrays["similar_wordsim353"].tolist() == [[2, 3], [1, 1]]
    assert found.arrays["similarity_wordsim353"].tolist() == [7.5, 10.0]
    assert found.arrays["similar_simlex999"].tolist() == [[3, 2]]
    assert found.arrays["analogies"].tolist() == [[2, 3, 3, 2]]
    assert found.description == "text8 (not verified), the first 9 of 12 words, the last 3 held out"
    assert found.corpus == "text8"
    assert (found.train_examples, found.test_examples, found.optimum) == (9, 3, None)
    fewer = short(train=4)
    assert fewer.arrays["train"].tolist() == [1, 2, 1, 3]
    assert fewer.arrays["words"].tolist() == found.arrays["words"].tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_words_are_whole_however_the_file_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    whole = short().digest
    monkeypatch.setattr(corpora, "READ", size)
    assert short().digest == whole


def test_a_zipped_text_is_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = short().digest
    with zipfile.ZipFile(folder / "text8" / "text8.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "text8" / "text8", "text8")
    with pytest.raises(DataError, match=r"text8/text8.zip is not the official file"):
        short()
    official_now(monkeypatch, folder / "text8" / "text8.zip")
    (folder / "text8" / "text8").unlink()
    found = short()
    assert found.digest == whole
    assert found.description.startswith("text8, the first 9")


def test_the_unpacked_text8_is_told_from_another_text_of_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert short().description.startswith("text8 (not verified), ")
    content = (folder / "text8" / "text8").read_bytes()
    monkeypatch.setattr(corpora, "TEXT8_MD5", hashlib.md5(content).hexdigest())
    assert short().description.startswith("text8, ")


def test_the_corpus_can_be_chosen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        folder,
        {"enwiki/enwiki100M_text8style": "one two one", "text8/text8.prefix": "three three", "text8.txt": "b " * 10},
    )
    enwiki = "enwiki100M (English Wikipedia in text8's alphabet, not text8; not verified)"
    for asked, corpus, expected in (
        ("text8", "text8", "text8 (not verified), the first 11 of 12 words"),
        ("enwiki", "enwiki100M", f"{enwiki}, the first 2 of 3 words"),
        ("prefix", "the beginning of text8", "the beginning of text8 (not verified), the first 1 of 2 words"),
        (str(folder / "text8.txt"), "text text8.txt", "text text8.txt, the first 9 of 10 words"),
    ):
        monkeypatch.setenv("BOOKBENCH_CORPUS", asked)
        found = short(test=1)
        assert found.corpus == corpus
        assert found.description.startswith(expected)
    monkeypatch.delenv("BOOKBENCH_CORPUS")
    for gone, then in (("text8/text8", "enwiki100M"), ("enwiki/enwiki100M_text8style", "the beginning of text8")):
        (folder / gone).unlink()
        assert short(test=1).description.startswith(then)


def test_what_is_missing_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wordsim" / "EN-SIMLEX-999.txt").unlink()
    with pytest.raises(
        DataError, match=r"EN-SIMLEX-999.txt is missing; run `python -m benchmarks data fetch skipgram`"
    ):
        short()
    monkeypatch.setenv("BOOKBENCH_CORPUS", "enwiki")
    with pytest.raises(DataError, match=r"no text \(enwiki\) in the data folder"):
        short()
    monkeypatch.setenv("BOOKBENCH_CORPUS", "nonsense")
    with pytest.raises(
        DataError, match="BOOKBENCH_CORPUS is 'nonsense': neither a file nor one of enwiki, prefix, text8"
    ):
        short()
    monkeypatch.delenv("BOOKBENCH_CORPUS")
    (folder / "text8" / "text8").unlink()
    with pytest.raises(DataError, match="data fetch skipgram`, set BOOKBENCH_DATA") as caught:
        short()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("text8/text8.zip", "no zip", "text8/text8.zip is not the official file"),
        ("skipgram/text8.zip", "no zip", "skipgram/text8.zip is not the official file"),
        ("text8/text8", "a\0b", "text8 is not a plain text"),
        ("text8/text8", "a b c", "text8 has 3 words, 0 to train and 3 to test were asked"),
        ("text8/text8", "", "text8 has 0 words"),
    ],
)
def test_what_is_no_text_is_a_sentence(folder: Path, file: str, content: str, sentence: str) -> None:
    write(folder, {file: content})
    with pytest.raises(DataError, match=sentence) as caught:
        short()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_a_zip_of_the_user_that_is_none_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (folder / "own.zip").write_bytes(content)
    monkeypatch.setenv("BOOKBENCH_CORPUS", str(folder / "own.zip"))
    with pytest.raises(DataError, match=r"own.zip cannot be read: BadZipFile"):
        short()


def test_a_text_of_the_user_may_have_fewer_words_than_are_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"own.txt": "the dog saw the cat " * 10})
    monkeypatch.setenv("BOOKBENCH_CORPUS", str(folder / "own.txt"))
    few, whole, part = short(train=1_000, test=None), short(train=None, test=None), short(train=20, test=2)
    assert (few.train_examples, few.test_examples) == (len(few.arrays["train"]), len(few.arrays["test"])) == (45, 5)
    assert few.description == "text own.txt, the first 45 of 50 words (1000 were asked), the last 5 held out"
    assert whole.digest == few.digest
    assert (part.train_examples, part.test_examples) == (20, 2)
    assert part.description == "text own.txt, the first 20 of 50 words, the last 2 held out"
    write(folder, {"own.txt": "nine words are too few to hold one out"})
    with pytest.raises(DataError, match=r"own.txt has 9 words, 9 to train and 0 to test were asked"):
        short()


def test_a_text_of_the_user_in_another_encoding_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "own.txt").write_bytes("\u00e9t\u00e9 ".encode("latin-1") * 20)
    monkeypatch.setenv("BOOKBENCH_CORPUS", str(folder / "own.txt"))
    with pytest.raises(DataError, match=r"own.txt is no UTF-8 text"):
        short()


@pytest.mark.parametrize("place", ["wordsim", "skipgram"])
def test_other_questions_than_the_official_ones_are_a_sentence(folder: Path, place: str) -> None:
    write(folder, {f"{place}/questions-words.txt": ": animals\ndog cat cat dog\n"})
    with pytest.raises(
        DataError,
        match=rf"{place}/questions-words.txt is not the official file .*; run `python -m benchmarks data fetch",
    ) as caught:
        short()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("wordsim/EN-WS-353-ALL.txt", "cat dog\n", "EN-WS-353-ALL.txt is not a list of two words and a score"),
        ("wordsim/EN-SIMLEX-999.txt", "cat dog good\n", "EN-SIMLEX-999.txt is not a list of two words and a score"),
        ("wordsim/questions-words.txt", ": a\ncat dog cat\n", "questions-words.txt is not a list of four words"),
    ],
)
def test_questions_that_cannot_be_read_are_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: str, sentence: str
) -> None:
    write(folder, {file: content})
    official_now(monkeypatch, folder / file)
    with pytest.raises(DataError, match=sentence) as caught:
        short()
    assert "\n" not in str(caught.value)


def test_more_words_than_there_are_cannot_be_asked(folder: Path) -> None:
    with pytest.raises(DataError, match="text8 has 12 words, 10 to train and 3 to test were asked"):
        short(train=10)


def test_official_files_have_a_hash() -> None:
    assert fetch.sets()["skipgram"] == skipgram.FILES
    for file in skipgram.FILES:
        assert file.urls
        assert all(url.endswith(file.name) for url in file.urls)
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.size > 0


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the beginning of text8 and the questions; skips where there are none."""
    wanted = ["text8/text8.prefix", *(f"wordsim/{file.name}" for file in skipgram.FILES[1:])]
    if all((fetch.data_folder() / name).is_file() for name in wanted):
        return fetch.data_folder()
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.is_file() or shutil.which("bash") is None:
        pytest.skip("no Wikipedia text: neither BOOKBENCH_DATA nor ../shared/data holds it")
    out = tmp_path_factory.mktemp("official")
    subprocess.run(["bash", str(unpack), str(out), "text8", "wordsim"], check=True)
    return out


def test_official_text(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    monkeypatch.setenv("BOOKBENCH_CORPUS", "prefix")
    found = data.load(BOOK, source="real", seed=0, train_examples=None, test_examples=None)
    words, train = found.arrays["words"], found.arrays["train"]
    title = "the beginning of text8 (not verified)"
    assert found.description == f"{title}, the first 1151946 of 1171946 words, the last 20000 held out"
    assert words.shape == (50_000,)
    assert words[:4].tolist() == ["UNK", "the", "of", "one"]
    counts = np.bincount(train, minlength=50_000)
    assert (np.diff(counts[1:]) <= 0).all()
    assert counts[-1] >= 1
    beginning = ["anarchism", "originated", "as", "a", "term", "of", "abuse", "first", "used", "against"]
    assert words[train[:10]].tolist() == beginning
    for name, count in (("wordsim353", 330), ("simlex999", 960)):
        assert found.arrays[f"similar_{name}"].shape == (count, 2)
        assert found.arrays[f"similarity_{name}"].max() <= 10.0
    assert found.arrays["analogies"].shape == (11_790, 4)
    assert words[found.arrays["similar_wordsim353"][0]].tolist() == ["love", "sex"]
