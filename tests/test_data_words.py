"""Streams of words: the tokeniser's rules, the vocabulary, texts that cannot be used, tiny Shakespeare."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.data import DataError, Dataset, fetch, hidden_markov, tinyshakespeare, words
from benchmarks.workload import Text

ROOT = Path(__file__).resolve().parent.parent
FULL = Text(name="words", vocabulary=10_000, steps=20, train_examples=200_000)
SMALL = Text(name="words", vocabulary=50, steps=20, train_examples=3_000)


def embedded(text: Text = SMALL, seed: int = 0, train: int | None = None, test: int | None = None) -> Dataset:
    return words.embedded(text, seed=seed, train_examples=train, test_examples=test)


def real(text: Text = SMALL, train: int | None = None, test: int | None = None) -> Dataset:
    return words.real(text, train_examples=train, test_examples=test)


def test_embedded_are_the_samples_and_their_floor() -> None:
    found = embedded()
    for name, count in (("train", 3_000), ("test", 20_000)):
        expected = hidden_markov.sample(count, vocabulary=50, seed=0, split=name)
        np.testing.assert_array_equal(found.arrays[name], expected)
        assert found.arrays[name].dtype == np.int64
    assert (found.train_examples, found.test_examples) == (3_000, 20_000)
    assert found.optimum == hidden_markov.perplexity(found.arrays["test"], vocabulary=50)
    assert found.description == "hidden Markov words, version 1, seed 0"
    assert list(found.arrays) == ["train", "test", "words"]


def test_embedded_counts_that_are_asked_override_the_declared() -> None:
    few = embedded(train=100, test=70)
    assert (few.train_examples, few.test_examples) == (100, 70)
    assert (len(few.arrays["train"]), len(few.arrays["test"])) == (100, 70)
    np.testing.assert_array_equal(few.arrays["train"], embedded().arrays["train"][:100])


def test_digest_is_the_same_again_and_another_with_another_seed() -> None:
    assert embedded().digest == embedded().digest
    assert embedded().digest != embedded(seed=1).digest


@pytest.mark.parametrize("vocabulary", [2, 80, 81, 6_481, 10_000, 20_000])
def test_made_up_words_are_distinct_and_can_be_said(vocabulary: int) -> None:
    made = words.made_up(vocabulary).tolist()
    assert len(made) == len(set(made)) == vocabulary
    assert all(set(word[::2]) <= set("tnrslmdkpbgvfzjw") and set(word[1::2]) <= set("aeiou") for word in made)
    assert [len(word) for word in made] == sorted(len(word) for word in made)
    assert made == words.made_up(20_000)[:vocabulary].tolist()


def test_made_up_words_are_what_they_always_were() -> None:
    made = words.made_up(10_000)
    assert made[[0, 1, 2, 80, 81, 9_999]].tolist() == ["ta", "wi", "ju", "tata", "wiro", "torugu"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We know't, WE know't.", "we know't , we know't ."),
        ("Ay\u2014the king\u2019s!", "ay \u2014 the king's !"),  # typographical dash and apostrophe
        ("'tis the kings' o''er", "' tis the kings ' o ' ' er"),
        ("Hark:- who?; (he)", "hark : - who ? ; ( he )"),
        ("a\n\n \t\nb\r\nc\n", "a <eol> b <eol> c <eol>"),
        ("in 1603 a2b 3_4", "in 1603 a 2 b 3 _ 4"),
        (
            "\u00c9t\u00e9 E\u0301T\u00c9 \u03a3\u03bf\u03c6\u03af\u03b1",
            "\u00e9t\u00e9 \u00e9t\u00e9 \u03c3\u03bf\u03c6\u03af\u03b1",
        ),
        ("the <unk> N <eol> <other>", "the <unk> n <eol> < other >"),
        (" \t ", ""),
        ("", ""),
    ],
)
def test_tokeniser(text: str, expected: str) -> None:
    read = text.replace("\r\n", "\n")  # as a file is
    assert words.tokenise(read) == expected.split()


@given(st.text())
def test_no_sign_is_lost_and_no_word_holds_a_space(text: str) -> None:
    tokens = words.tokenise(text)
    assert all(token and not any(c.isspace() for c in token) for token in tokens)
    assert words.tokenise(" ".join(tokens)) == tokens
    assert bool(tokens) == (bool(text.strip()) or "\n" in text)


def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes) -> Path:
    path = tmp_path / "play.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.setenv("BOOKBENCH_TEXT", str(path))
    return path


def test_vocabulary_is_of_the_training_part_by_frequency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5,400 training words: c most often, then line ends, then b and a, equally many, of which b came first."""
    training = "b a c c\n" * 1_079 + "x y y y\n"
    write(tmp_path, monkeypatch, training + "e a c y " * 150)
    found = real(Text(name="words", vocabulary=5, steps=20, train_examples=9))
    assert (found.train_examples, found.test_examples) == (5_400, 600)
    assert found.arrays["words"].tolist() == ["c", "<eol>", "b", "a", "<unk>"]
    assert found.arrays["train"][:10].tolist() == [2, 3, 0, 0, 1, 2, 3, 0, 0, 1]
    assert found.arrays["train"][-5:].tolist() == [4, 4, 4, 4, 1]
    assert found.arrays["test"][:8].tolist() == [4, 3, 0, 4] * 2
    assert found.arrays["train"].dtype == found.arrays["test"].dtype == np.int64
    assert found.optimum is None
    assert found.description == "text play.txt, the first 5400 training words"


def test_ids_beyond_the_text_never_occur(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch, "one two <unk> " * 2_000)
    found = real()
    names = found.arrays["words"].tolist()
    assert names[:2] == ["one", "two"] and names[-1] == "<unk>"
    assert len(set(names)) == 50
    assert set(found.arrays["train"]) == set(found.arrays["test"]) == {0, 1, 49}


def test_parts_of_a_text_are_their_beginnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = np.random.default_rng(0).choice(list("abcdefghij"), 6_000)
    write(tmp_path, monkeypatch, " ".join(letters))
    whole, part = real(), real(train=100, test=50)
    assert (whole.train_examples, whole.test_examples) == (5_400, 600)
    for name, count in (("train", 100), ("test", 50)):
        np.testing.assert_array_equal(part.arrays[name], whole.arrays[name][:count])
    np.testing.assert_array_equal(part.arrays["words"], whole.arrays["words"])


def test_a_text_of_the_user_may_have_fewer_words_than_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, monkeypatch, "to be or not " * 1_500)
    few = real(train=100_000, test=10_000)
    assert (
        (few.train_examples, few.test_examples) == (len(few.arrays["train"]), len(few.arrays["test"])) == (5_400, 600)
    )
    assert few.description == "text play.txt, the first 5400 training words, of 100000 that were asked"
    assert few.corpus == "text play.txt"
    assert few.digest == real().digest
    assert (real(train=5_401).train_examples, real(train=50, test=601).test_examples) == (5_400, 600)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "text play.txt is too short: it has 0 words, 5000 are needed"),
        (b"word " * 4_999, "it has 4999 words, 5000 are needed"),
        (b"word " * 5_000 + b"\xff", "is no UTF-8 text: byte 25000 cannot be decoded"),
        (b"word " * 5_000 + b"\0", "is no text: it holds zero bytes"),
        ("word ".encode("utf-16") * 5_000, "is no UTF-8 text: byte 0"),
    ],
)
def test_what_is_no_text_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, sentence: str
) -> None:
    write(tmp_path, monkeypatch, content)
    with pytest.raises(DataError, match=sentence) as caught:
        real()
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_and_windows_line_ends_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, monkeypatch, "to be\nor not\n" * 1_000)
    plain = real().digest
    write(tmp_path, monkeypatch, b"\xef\xbb\xbf" + b"to be\r\nor not\r\n" * 1_000)
    assert real().digest == plain


def test_a_text_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in (tmp_path / "absent.txt", tmp_path):
        monkeypatch.setenv("BOOKBENCH_TEXT", str(missing))
        with pytest.raises(DataError, match="which is no file: set it to a UTF-8 text or unset it"):
            real()


def test_no_tiny_shakespeare_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOKBENCH_TEXT", raising=False)
    monkeypatch.setenv("BOOKBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="run `python -m benchmarks data fetch tinyshakespeare` or set BOOKBENCH_DATA"):
        real()


def test_a_vocabulary_of_one_word_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch, "word " * 5_000)
    with pytest.raises(DataError, match="2 words or more, not 1"):
        real(Text(name="words", vocabulary=1, steps=20, train_examples=9))


def test_phrases_become_ids_and_ids_become_phrases() -> None:
    known = np.array(["it", "is", "a", "<eol>", ".", "<unk>"])
    assert words.encode("It is a", known).tolist() == [0, 1, 2]
    assert words.encode("It is odd.\n", known).tolist() == [0, 1, 5, 4, 3]
    assert words.decode(np.array([0, 1, 5, 4, 3, 2]), known) == "it is <unk> .\na"
    assert words.encode("", known).tolist() == []
    assert words.encode("", known).dtype == np.int64


def test_a_made_up_vocabulary_has_no_unknown_word() -> None:
    known = words.made_up(50)
    some = np.array([3, 0, 49, 3])
    assert words.encode(words.decode(some, known), known).tolist() == some.tolist()
    with pytest.raises(DataError, match="'it' is not in this vocabulary; words that are: ta, "):
        words.encode("it is a", known)


def test_tiny_shakespeare_can_be_fetched() -> None:
    assert fetch.sets()["tinyshakespeare"] == tinyshakespeare.FILES
    (file,) = tinyshakespeare.FILES
    assert all(url.startswith("https://") and url.endswith(file.name) for url in file.urls)
    assert len(bytes.fromhex(file.sha256)) == 32


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the official file; skips where there is none."""
    if not fetch.verify("tinyshakespeare"):
        return fetch.data_folder()
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.is_file() or shutil.which("bash") is None:
        pytest.skip("no tiny Shakespeare: neither BOOKBENCH_DATA nor ../shared/data holds it")
    folder = tmp_path_factory.mktemp("official")
    subprocess.run(["bash", str(unpack), str(folder), "tinyshakespeare"], check=True)
    return folder


def test_tiny_shakespeare(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOKBENCH_TEXT", raising=False)
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    found = real(FULL)
    train, test, known = (found.arrays[name] for name in ("train", "test", "words"))
    assert (found.train_examples, found.test_examples) == (257_733, 28_637)
    assert words.decode(train[:15], known) == "first citizen :\nbefore we proceed any further , hear me speak .\n"
    assert found.description == "tiny Shakespeare, the first 257733 training words"
    assert found.corpus == "tinyshakespeare"
    with pytest.raises(DataError, match="has 257733 training and 28637 test words, 257734 and 28637 were asked"):
        real(FULL, train=257_734)
    with pytest.raises(DataError, match="257733 and 28638 were asked"):
        real(FULL, test=28_638)
    counts = np.bincount(train, minlength=10_000)
    assert (np.diff(counts[:-1]) <= 0).all()
    for ids in (train, test):
        np.testing.assert_array_equal(words.encode(words.decode(ids, known), known), ids)
    assert known[words.encode("it is a", known)].tolist() == ["it", "is", "a"]
    assert known[:8].tolist() == ["<eol>", ",", ":", ".", "the", "and", "to", "i"]
    assert (counts[-1], (test == 9_999).sum()) == (1_702, 1_311)  # <unk>
