"""Words whose best possible perplexity is known, and is out of reach of a short memory.

A hidden Markov model speaks. Its state is a topic and a place in a small grammar.
From place to place it goes by ``GRAMMAR``: phrases have variable length, several
places share a kind of word, so that one word does not tell the place. At the end
of a sentence a topic may give way to another drawn uniformly. A state's topic and
kind of word decide which words it emits: a word has one kind and is at home in
``HOMES`` topics, the ``COMMON`` most frequent ones in all; elsewhere it is rare,
never impossible. Many words together tell the topic that one word does not.

The words are so weighted that, over all states, word ``id`` has the Zipf probability
1 / (id + OFFSET) up to a constant: id 0 is the most frequent. :func:`log_likelihood`
is exact, by the forward algorithm from the stationary distribution.

The model depends on ``VERSION`` and the vocabulary alone, a sample also on the seed
and the split. Neither comes from a matrix product, so neither depends on the BLAS.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Split: TypeAlias = Literal["train", "test"]

VERSION = 1  # a change of any probability or sample needs a new number
TOPICS = 12
HOMES = 3  # topics of a word
COMMON = 4  # words at home in every topic
OFFSET = 1.0
STRANGE = 0.005  # weight of a word in a topic or place that is not its own; its own is 1
DRAWN = 0.2  # probability that the end of a sentence draws a topic, which may be the same: every 53 words on average

# Place -> {next place: probability}. From each, the way leads to later places or back to 0, where a sentence begins.
GRAMMAR: tuple[dict[int, float], ...] = (
    {1: 0.6, 2: 0.4},
    {2: 1.0},
    {3: 1.0},
    {4: 0.7, 0: 0.3},
    {5: 1.0},
    {6: 0.5, 7: 0.5},
    {7: 0.6, 0: 0.4},
    {0: 1.0},
)
KINDS = (0, 1, 1, 2, 3, 3, 1, 4)  # of word, by place
END = 7  # the place whose word ends a sentence; only after it the topic may change

PLACES = len(GRAMMAR)
STATES = TOPICS * PLACES

_ROUNDS = 120  # of fitting
_SPLITS: dict[Split, int] = {"train": 0, "test": 1}


@dataclass(frozen=True, kw_only=True)
class Source:
    """``start`` (K,), the stationary distribution; ``move`` (K, K), from row to column; ``emission`` (K, V)."""

    start: Floats
    move: Floats
    emission: Floats


def _visits() -> Floats:
    """Return the share of the words that each place emits, (PLACES,)."""
    visits = [1.0]
    for place in range(1, PLACES):
        visits.append(math.fsum(visits[i] * GRAMMAR[i].get(place, 0.0) for i in range(place)))
    return np.array(visits) / math.fsum(visits)


def _moves() -> Floats:
    """Return transition probabilities (STATES, STATES); state = topic * PLACES + place."""
    move = np.zeros((TOPICS, PLACES, TOPICS, PLACES))
    stay, uniform = np.eye(TOPICS), np.full((TOPICS, TOPICS), 1 / TOPICS)
    for place, ways in enumerate(GRAMMAR):
        drawn = DRAWN if place == END else 0.0
        for following, probability in ways.items():
            move[:, place, :, following] = probability * ((1 - drawn) * stay + drawn * uniform)
    return move.reshape(STATES, STATES)


def marginal(vocabulary: int) -> Floats:
    """Return Zipf probabilities (V,) that the words have over all states."""
    weights = 1 / (np.arange(vocabulary) + OFFSET)
    return np.asarray(weights / math.fsum(weights))


def _kinds(words: Floats, shares: Floats) -> Ints:
    """Return the kind (V,) of each word: the one that then lacks most of its share of all words."""
    left, out = shares.tolist(), []
    for probability in words.tolist():
        kind = left.index(max(left))
        left[kind] -= probability
        out.append(kind)
    return np.array(out)


@lru_cache(maxsize=4)
def source(vocabulary: int) -> Source:
    """Return the model over ``vocabulary`` words; its arrays are read-only."""
    if vocabulary < 2:
        raise ValueError(f"a vocabulary has 2 words or more, not {vocabulary}")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([VERSION, vocabulary])))
    places, words = _visits(), marginal(vocabulary)
    kinds = len(set(KINDS))
    shares = np.array([math.fsum(places[i] for i in range(PLACES) if KINDS[i] == kind) for kind in range(kinds)])

    in_topic = np.where(rng.random((vocabulary, TOPICS)).argsort(axis=1) < HOMES, 1.0, STRANGE)
    in_topic[:COMMON] = 1.0
    in_kind = np.where(_kinds(words, shares)[:, None] == np.arange(kinds), 1.0, STRANGE)
    joint = np.ascontiguousarray((in_topic[:, :, None] * in_kind[:, None, :]).reshape(vocabulary, -1).T)
    rows = np.tile(shares / TOPICS, TOPICS)
    for _ in range(_ROUNDS):  # Sinkhorn: the words keep their Zipf probabilities, the topics and kinds their shares
        joint *= words / joint.sum(axis=0)
        joint *= (rows / joint.sum(axis=1))[:, None]
    joint /= joint.sum(axis=1, keepdims=True)

    row_of_state = np.add.outer(np.arange(TOPICS) * kinds, KINDS).reshape(-1)
    made = Source(start=np.tile(places / TOPICS, TOPICS), move=_moves(), emission=joint[row_of_state])
    for array in (made.start, made.move, made.emission):
        array.setflags(write=False)
    return made


def _steps(probabilities: Floats) -> Floats:
    """Cumulate along the last axis, ending in exactly 1, so that no draw below 1 falls off the end."""
    sums = np.cumsum(probabilities, axis=-1)
    return np.asarray(sums / sums[..., -1:])


def sample(count: int, *, vocabulary: int, seed: int, split: Split) -> Ints:
    """Draw ``count`` word ids (count,).

    A shorter sample is the beginning of a longer one of the same vocabulary, seed and split.
    """
    model = source(vocabulary)
    streams = np.random.SeedSequence([VERSION, vocabulary, seed, _SPLITS[split]]).spawn(2)
    which, word = (np.random.Generator(np.random.PCG64(stream)).random(count) for stream in streams)
    steps = _steps(model.move).tolist()
    row = _steps(model.start).tolist()
    states = np.empty(count, np.int64)
    for i, chance in enumerate(which.tolist()):
        states[i] = state = bisect_right(row, chance)
        row = steps[state]
    out = np.empty(count, np.int64)
    for state in range(STATES):
        here = states == state
        out[here] = np.searchsorted(_steps(model.emission[state]), word[here], side="right")
    return out


def forward(tokens: Ints, model: Source) -> Floats:
    """Return log p(token | the tokens before it) under any ``model``, natural logarithm, (count,)."""
    size = model.emission.shape[1]
    if tokens.ndim != 1 or (len(tokens) and not 0 <= tokens.min() <= tokens.max() < size):
        raise ValueError(f"tokens are (count,) ids below {size}")
    by_word = np.ascontiguousarray(model.emission.T)
    belief, out = model.start, np.empty(len(tokens))
    for i, token in enumerate(tokens.tolist()):
        both = belief * by_word[token]
        out[i] = scale = both.sum()
        belief = (both / scale) @ model.move
    return np.log(out)


def log_likelihood(tokens: Ints, *, vocabulary: int) -> Floats:
    """Return log p(token | the tokens before it), natural, (count,); the first from the stationary state."""
    return forward(tokens, source(vocabulary))


def perplexity(tokens: Ints, *, vocabulary: int) -> float:
    """Return exp of the mean negative log-likelihood: what the best predictor has on these very tokens."""
    return math.exp(-float(log_likelihood(tokens, vocabulary=vocabulary).mean()))
