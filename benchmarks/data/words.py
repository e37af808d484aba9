"""Streams of words: from a source whose best perplexity is known, or from a text.

Real text is tiny Shakespeare, or the UTF-8 file that ``BOOKBENCH_TEXT`` names, which may have fewer words than are
asked. Its rules:

- All is lower-cased. A word is a run of letters with apostrophes between them (``know't``), a run of digits,
  or one other sign, so that ``.``, ``,``, ``?``, ``-`` are words of their own. A run of line ends, with blank
  lines, is the word ``<eol>``; other white space only separates. ``<eol>`` and ``<unk>`` may stand in the text.
- The last tenth of the words, rounded down, is the test part, the rest the training part.
- The vocabulary is that of the whole training part, however much of it is asked for: its V - 1 most frequent
  words by rank from 0, ties in order of first appearance. Every other word is ``<unk>``, id V - 1. Where
  there are fewer distinct words, the ids between never occur.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import DataError, Dataset, hidden_markov, tinyshakespeare
from benchmarks.data.fetch import checked
from benchmarks.workload import Text

TEST = 20_000  # words of the embedded test set
SHORTEST = 5_000  # words of a text: its test part then has 20 rows of 20 steps and one word more
EOL, UNKNOWN = "<eol>", "<unk>"

_WORD = re.compile(r"<eol>|<unk>|[^\W\d_]+(?:'[^\W\d_]+)*|\d+|\n\s*|\S")
_SYLLABLES = tuple(c + v for c in "tnrslmdkpbgvfzjw" for v in "aeiou")
_STRIDE = 1117  # prime to every power of the number of syllables: neighbours in rank look unlike


def embedded(text: Text, *, seed: int, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Generate words; independent training and test streams of one seed."""
    count, tested = train_examples or text.train_examples, test_examples or TEST
    train = hidden_markov.sample(count, vocabulary=text.vocabulary, seed=seed, split="train")
    test = hidden_markov.sample(tested, vocabulary=text.vocabulary, seed=seed, split="test")
    return Dataset(
        arrays={"train": train, "test": test, "words": made_up(text.vocabulary)},
        train_examples=count,
        test_examples=tested,
        description=f"hidden Markov words, version {hidden_markov.VERSION}, seed {seed}",
        optimum=hidden_markov.perplexity(test, vocabulary=text.vocabulary),
    )


def real(text: Text, *, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Read a real text, the whole of each part where no number is asked; DataError when it is missing or too short."""
    name, content, own = _read()
    train, test, words = split(tokenise(content), vocabulary=text.vocabulary, name=name)
    count, tested = train_examples or len(train), test_examples or len(test)
    asked = f", of {count} that were asked" if own and count > len(train) else ""
    if own:  # no range was measured on it, so what there is will do
        count, tested = min(count, len(train)), min(tested, len(test))
    if count > len(train) or tested > len(test):
        raise DataError(f"{name} has {len(train)} training and {len(test)} test words, {count} and {tested} were asked")
    return Dataset(
        arrays={"train": train[:count], "test": test[:tested], "words": words},
        train_examples=count,
        test_examples=tested,
        description=f"{name}, the first {count} training words{asked}",
        optimum=None,
        corpus=name if own else "tinyshakespeare",
    )


def _read() -> tuple[str, str, bool]:
    """Return what the text is called, its content, and whether it is the user's own."""
    given = os.environ.get("BOOKBENCH_TEXT")
    if given:
        path = Path(given).expanduser()
        name = f"text {path.name}"
        if not path.is_file():
            raise DataError(f"BOOKBENCH_TEXT is {given!r}, which is no file: set it to a UTF-8 text or unset it")
    else:
        (path,) = checked("tinyshakespeare", tinyshakespeare.FILES)
        name = "tiny Shakespeare"
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is no UTF-8 text: byte {error.start} cannot be decoded") from None
    if "\0" in content:
        raise DataError(f"{name} is no text: it holds zero bytes")
    return name, content, bool(given)


def tokenise(content: str) -> list[str]:
    """Return the words of a text, by the rules above."""
    plain = unicodedata.normalize("NFC", content.lower()).replace("\u2019", "'")
    return [EOL if word[0] == "\n" else word for word in _WORD.findall(plain)]


def split(
    tokens: list[str], *, vocabulary: int, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.str_]]:
    """Return ids of the training part, ids of the test part, and the word (V,) of each id."""
    if len(tokens) < SHORTEST:
        raise DataError(f"{name} is too short: it has {len(tokens)} words, {SHORTEST} are needed")
    if vocabulary < 2:
        raise DataError(f"a vocabulary has 2 words or more, not {vocabulary}")
    end = len(tokens) - len(tokens) // 10
    counts = Counter(tokens[:end])
    counts.pop(UNKNOWN, None)
    known = [word for word, _ in counts.most_common(vocabulary - 1)]  # of equal counts, the first counted first
    unused = [f"<{i}>" for i in range(len(known), vocabulary - 1)]
    words = np.array([*known, *unused, UNKNOWN])
    ids = _ids(tokens, words)
    return ids[:end], ids[end:], words


def made_up(vocabulary: int) -> NDArray[np.str_]:
    """Return pronounceable words (V,), all different; the more frequent have fewer syllables."""
    base, out = len(_SYLLABLES), []
    length, first = 1, 0  # syllables, and the lowest id with so many
    for i in range(vocabulary):
        if i == first + base**length:
            length, first = length + 1, i
        rest, word = (i - first) * _STRIDE % base**length, ""
        for _ in range(length):
            rest, syllable = divmod(rest, base)
            word += _SYLLABLES[syllable]
        out.append(word)
    return np.array(out)


def _ids(tokens: list[str], words: NDArray[np.str_]) -> NDArray[np.int64]:
    known = {word: i for i, word in enumerate(words.tolist())}
    unknown = known.get(UNKNOWN)
    if unknown is None and (strange := next((word for word in tokens if word not in known), None)):
        raise DataError(f"{strange!r} is not in this vocabulary; words that are: {', '.join(words[:5].tolist())}")
    return np.array([known.get(word, unknown) for word in tokens], np.int64)


def encode(text: str, words: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the ids of the words of ``text``; a word not in ``words`` is <unk>, a DataError where there is none."""
    return _ids(tokenise(text), words)


def decode(ids: NDArray[np.int64], words: NDArray[np.str_]) -> str:
    """Join the words with spaces, <eol> as a line end; :func:`encode` gives a text its ids again."""
    return re.sub(f" ?{EOL} ?", "\n", " ".join(words[ids].tolist()))
