"""Word streams for skip-gram: Wikipedia text with its test questions, or a planted language; batches and scores.

Arrays of a data set: ``train``, ``test`` int64 word ids, ``words`` their names; for each set of similarities S
``similar_S`` int64 (n, 2) and ``similarity_S`` float64 (n,); ``analogies`` int64 (m, 4) with a is to b as c is to d;
in the planted language also ``groups`` int64 (groups, members), whose rows are each other's neighbours.

Real text: id 0 is every word out of the vocabulary (``UNK``), ids from 1 on are ranks of frequency in the
training part; a text with fewer words than the vocabulary leaves ``words`` shorter and the last ids unused. In the
planted language all words are in the vocabulary and ranks begin at 0.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import DataError, Dataset, corpora, fetch, planted
from benchmarks.data.fetch import File
from benchmarks.data.log_uniform import Floats, Ints, draw, log_expected, nce_loss
from benchmarks.workload import Pairs

Batch: TypeAlias = "tuple[Ints, Ints, Ints, NDArray[np.float32], NDArray[np.float32]]"

TEST = 20_000  # words held out
TEST_BATCH = 128  # pairs that share negatives in the held-out loss
NEAREST = 8
SEARCHED = 10_000  # most frequent words, among which neighbours and answers are sought
UNKNOWN = "UNK"
ASKED, FREQUENT = 16, 320  # words whose neighbours are shown, and among how many of the most frequent they are spread
QUESTIONS = 1_000  # planted analogies, and planted similarities of each kind

_CHUNK = 1_000  # batches whose random numbers are drawn at once
_ROWS = 500  # words per matrix product in a search

_VECTORS = "https://raw.githubusercontent.com/mfaruqui/eval-word-vectors/master/data/word-sim/"
FILES = (
    corpora.TEXT8,
    File(
        name="EN-WS-353-ALL.txt",
        size=7_405,
        sha256="ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c",
        urls=(f"{_VECTORS}EN-WS-353-ALL.txt",),
    ),
    File(
        name="EN-SIMLEX-999.txt",
        size=18_024,
        sha256="405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685",
        urls=(f"{_VECTORS}EN-SIMLEX-999.txt",),
    ),
    File(
        name="questions-words.txt",
        size=603_955,
        sha256="8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
        urls=("https://raw.githubusercontent.com/tmikolov/word2vec/master/questions-words.txt",),
    ),
)
SIMILARITIES = {"wordsim353": "EN-WS-353-ALL.txt", "simlex999": "EN-SIMLEX-999.txt"}


def embedded(pairs: Pairs, *, seed: int, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Generate words of the planted language; independent training and test streams of one seed."""
    train, test = train_examples or pairs.train_examples, test_examples or TEST
    size = pairs.vocabulary
    held_out = planted.sample(test, vocabulary=size, seed=seed, split="test")
    similar = planted.questions(QUESTIONS, vocabulary=size)
    losses = [
        planted.optimal_loss(*batch, vocabulary=size)
        for batch in held_out_batches(held_out, vocabulary=size, window=pairs.window, negatives=pairs.negatives)
    ]
    return Dataset(
        arrays={
            "train": planted.sample(train, vocabulary=size, seed=seed, split="train"),
            "test": held_out,
            "words": planted.words(vocabulary=size),
            "similar_planted": similar,
            "similarity_planted": planted.similarity(similar, vocabulary=size),
            "analogies": planted.analogies(QUESTIONS, vocabulary=size),
            "groups": planted.language(size).grid,
        },
        train_examples=train,
        test_examples=test,
        description=f"planted language, version {planted.VERSION}, {size} words, seed {seed}",
        optimum=float(np.mean(losses)) if pairs.window == 1 and losses else None,
    )


def real(pairs: Pairs, *, train_examples: int | None, test_examples: int | None) -> Dataset:
    """Read a text, its last words held out; raise DataError when a file is missing, broken or too short.

    ``BOOKBENCH_CORPUS`` names the text: text8, enwiki, prefix or a path. ``train_examples`` words are the first
    ones, the vocabulary is that of all words that are not held out. Of a path a tenth is held out at most, and fewer
    words may be there than are asked.
    """
    corpus, path, title = corpora.find()
    counts: Counter[bytes] = Counter()
    total = 0
    for words in corpora.words(path):
        counts.update(words)
        total += len(words)
    own = not corpus.key  # then what there is will do: no range was measured on it
    test = min(test_examples or TEST, total // 10) if own else test_examples or TEST
    train = train_examples or pairs.train_examples
    if own or train_examples is None:
        train = min(train, total - test)
    asked = f" ({train_examples} were asked)" if train < (train_examples or 0) else ""
    if train < 1 or test < 1 or train + test > total:
        raise DataError(f"{path.name} has {total} words, {train} to train and {test} to test were asked")
    tail: list[bytes] = []
    for words in corpora.words(path):
        tail = (tail + words)[-test:]
    counts.subtract(tail)

    ranked = [word for word, count in counts.most_common(pairs.vocabulary - 1) if count > 0]
    known = {word: 1 + rank for rank, word in enumerate(ranked)}
    try:
        names = {word.decode(): i for word, i in known.items()}
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is no UTF-8 text") from None
    ids = np.empty(train, np.int64)
    filled = 0
    for words in corpora.words(path):
        part = [known.get(word, 0) for word in words[: train - filled]]
        ids[filled : filled + len(part)] = part
        filled += len(part)
        if filled == train:
            break
    arrays = {
        "train": ids,
        "test": np.array([known.get(word, 0) for word in tail], np.int64),
        "words": np.array([UNKNOWN, *names]),
    }
    for name, file in SIMILARITIES.items():
        arrays[f"similar_{name}"], arrays[f"similarity_{name}"] = _similarities(_question_file(file), names)
    arrays["analogies"] = _analogies(_question_file("questions-words.txt"), names)
    return Dataset(
        arrays=arrays,
        train_examples=train,
        test_examples=test,
        description=f"{title}, the first {train} of {total} words{asked}, the last {test} held out",
        optimum=None,
        corpus=corpus.name,
    )


def _question_file(name: str) -> Path:
    """Find a file of test questions, where it was fetched to or with others of its kind; it must be official."""
    (file,) = (f for f in FILES if f.name == name)
    there = (folder for folder in ("skipgram", "wordsim") if (fetch.data_folder() / folder / name).is_file())
    (path,) = fetch.checked("skipgram", [dataclasses.replace(file, folder=next(there, "skipgram"))])
    return path


def _lines(path: Path) -> list[list[str]]:
    try:
        return [line.lower().split() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from None


def _similarities(path: Path, ids: dict[str, int]) -> tuple[Ints, Floats]:
    """Return pairs (n, 2) with both words known, and how similar people rate them, (n,)."""
    try:
        rows = [(one, two, float(score)) for one, two, score in _lines(path)]
    except ValueError:
        raise DataError(f"{path.name} is not a list of two words and a score per line") from None
    known = [(ids[one], ids[two], score) for one, two, score in rows if one in ids and two in ids]
    pairs = np.array([row[:2] for row in known], np.int64).reshape(-1, 2)
    return pairs, np.array([row[2] for row in known], np.float64)


def _analogies(path: Path, ids: dict[str, int]) -> Ints:
    """Return questions (m, 4) with all words known; lines that begin with a colon are headings."""
    rows = [words for words in _lines(path) if words and not words[0].startswith(":")]
    if any(len(words) != 4 for words in rows):
        raise DataError(f"{path.name} is not a list of four words per line")
    known = [[ids[word] for word in words] for words in rows if all(word in ids for word in words)]
    return np.array(known, np.int64).reshape(-1, 4)


def batch_count(words: int, *, window: int, batch_size: int) -> int:
    """Count the whole batches :func:`batches` makes of so many words; ValueError if centres would be torn apart."""
    if window < 1 or batch_size < 1 or batch_size % (2 * window):
        raise ValueError(f"a batch of {batch_size} pairs does not hold whole centres of {2 * window} pairs")
    return max(0, words - 2 * window) * 2 * window // batch_size


def batches(
    ids: Ints, *, vocabulary: int, window: int, negatives: int, batch_size: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """Yield centre (B,), context (B,), negatives (S,), log expected counts of contexts (B,) and negatives (S,).

    Centres follow the text and have ``window`` words on either side; a centre's pairs come in random order.
    The last partial batch is dropped.
    """
    count = batch_count(len(ids), window=window, batch_size=batch_size)
    pairs = 2 * window
    offsets = np.array([d for d in range(-window, window + 1) if d])
    for start in range(0, count, _CHUNK):
        steps = min(_CHUNK, count - start)
        drawn, noise, tries = draw(steps, vocabulary=vocabulary, negatives=negatives, rng=rng)
        first = window + start * batch_size // pairs
        at = np.arange(first, first + steps * batch_size // pairs)
        order = rng.permuted(np.broadcast_to(offsets, (len(at), pairs)), axis=1)
        centre = np.asarray(ids[at], np.int64).repeat(pairs).reshape(steps, batch_size)
        context = np.asarray(ids[at[:, None] + order], np.int64).reshape(steps, batch_size)
        true = log_expected(context, tries[:, None], vocabulary)
        yield from zip(centre, context, drawn, true, noise, strict=True)


def held_out_batches(ids: Ints, *, vocabulary: int, window: int, negatives: int) -> Iterator[Batch]:
    """Return the batches on which the held-out loss is taken: always the same ones for the same words."""
    rng = np.random.Generator(np.random.PCG64(0))
    return batches(ids, vocabulary=vocabulary, window=window, negatives=negatives, batch_size=TEST_BATCH, rng=rng)


def scores(
    embedding: NDArray[np.float32],
    nce_weight: NDArray[np.float32],
    nce_bias: NDArray[np.float32],
    arrays: dict[str, np.ndarray],
    *,
    window: int = 1,
    negatives: int = 64,
) -> dict[str, float]:
    """Score trained parameters (V, D), (V, D), (V,); a score without a question is left out.

    ``loss``: held-out NCE loss in nats. ``spearman_S`` and ``pairs_S``: rank correlation of cosines with a set of
    similarities, and how many. ``neighbours``: share of the nearest words that are of the same planted group.
    ``analogies``: share of right answers, in ``questions`` questions.
    """
    e, w, b = (np.asarray(a, np.float64) for a in (embedding, nce_weight, nce_bias))
    losses = []
    for centre, context, noise, log_true, log_noise in held_out_batches(
        arrays["test"], vocabulary=len(e), window=window, negatives=negatives
    ):
        rows = e[centre]
        true = (rows * w[context]).sum(axis=1) + b[context] - log_true
        losses.append(nce_loss(true, rows @ w[noise].T + b[noise] - log_noise))
    out = {"loss": float(np.mean(losses))} if losses else {}

    unit = e / np.maximum(np.linalg.norm(e, axis=1, keepdims=True), 1e-12)
    for name in sorted(arrays):
        if name.startswith("similar_"):
            which, pairs = name.removeprefix("similar_"), arrays[name]
            cosine = (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(axis=1)
            out[f"spearman_{which}"] = _spearman(cosine, arrays[f"similarity_{which}"])
            out[f"pairs_{which}"] = float(len(pairs))
    if "groups" in arrays:
        out["neighbours"] = _neighbours(unit[:SEARCHED], arrays["groups"])
    questions = arrays.get("analogies", np.empty((0, 4), np.int64))
    questions = questions[(questions < SEARCHED).all(axis=1)]
    if len(questions):
        out["analogies"] = _answered(unit[:SEARCHED], questions)
        out["questions"] = float(len(questions))
    return out


def _spearman(one: Floats, two: Floats) -> float:
    """Return the rank correlation; 0 where there is nothing to rank."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return float(np.corrcoef(_ranks(one), _ranks(two))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Return ranks from 1; equal values share the mean of theirs. (A worker has NumPy, not SciPy.)"""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _neighbours(unit: Floats, groups: Ints) -> float:
    """Return the share of each grouped word's nearest words that are of its group, as far as it can fill them."""
    group = np.full(len(unit), -1)
    group[groups] = np.arange(len(groups))[:, None]
    asked = groups.reshape(-1)
    wanted = min(NEAREST, groups.shape[1] - 1)
    found = 0
    for start in range(0, len(asked), _ROWS):
        some = asked[start : start + _ROWS]
        cosine = unit[some] @ unit.T
        cosine[np.arange(len(some)), some] = -np.inf
        nearest = np.argpartition(-cosine, wanted - 1, axis=1)[:, :wanted]
        found += int((group[nearest] == group[some][:, None]).sum())
    return float(found / (wanted * len(asked)))


def asked(words: int, groups: Ints | None) -> Ints:
    """Return the ids of words whose neighbours are shown: ``ASKED`` of them, or as many as there are.

    They are spread evenly over the most frequent ones of a vocabulary of ``words``, UNK aside; in the planted language
    over the most frequent planted ones, the only words that have neighbours.
    """
    frequent = (np.arange(1, words) if groups is None else np.sort(groups, axis=None))[:FREQUENT]
    count = min(ASKED, len(frequent))
    return frequent[np.linspace(0, len(frequent) - 1, count).astype(np.int64)] if count else frequent


def nearest(embedding: NDArray[np.float32], ids: Ints) -> Ints:
    """Return the ``NEAREST`` other words (n, NEAREST) of ``ids`` (n,) by cosine, among all (V, D), nearest first.

    Fewer where the vocabulary has fewer. Of equal cosines, the more frequent word comes first.
    """
    e = np.asarray(embedding, np.float64)
    unit = e / np.maximum(np.linalg.norm(e, axis=1, keepdims=True), 1e-12)
    cosine = unit[ids] @ unit.T
    cosine[np.arange(len(ids)), ids] = -np.inf
    return np.argsort(-cosine, axis=1, kind="stable")[:, : min(NEAREST, len(e) - 1)]


def _answered(unit: Floats, questions: Ints) -> float:
    """Return the share of questions whose d is nearest to b - a + c, the words of the question excluded."""
    right = 0
    for start in range(0, len(questions), _ROWS):
        a, b, c, d = questions[start : start + _ROWS].T
        score = (unit[b] - unit[a] + unit[c]) @ unit.T
        rows = np.arange(len(score))
        for given in (a, b, c):
            score[rows, given] = -np.inf
        right += int((score.argmax(axis=1) == d).sum())
    return right / len(questions)
