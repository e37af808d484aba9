"""A made-up language whose best possible skip-gram loss, similarities and analogies are known.

A word is followed by a topic, drawn from the word's shares of topics, and the topic by the next word, drawn
from the topic's words. With shares r(w, k), sum 1 over k, the topic's mass m(k) = sum over w of z(w) r(w, k) and
its words z(w) r(w, k) / m(k), the pair probability is z(w) z(c) sum over k of r(w, k) r(c, k) / m(k). So the chain
is reversible, its stationary distribution is z whatever the shares are, and both neighbours of a word have the
same distribution. z is Zipf's law as Mandelbrot has it, 1 / (rank + SHIFT); ids are ranks.

Topic 0 is the background, the only topic of the most frequent words (as "the" says little) and of all rare ones.
The words between fill a grid, group by form: each has shares in its group's topic, its form's, and a
small one in another group's. So words of a group are neighbours, and (g, f):(g, f') = (g', f):(g', f').

The language depends on ``VERSION`` and the vocabulary alone, samples on ``VERSION``, the seed and the split.
What is drawn comes from sums and quotients, no matrix product and no library's logarithm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.log_uniform import Floats, Ints, nce_loss

Split: TypeAlias = Literal["train", "test"]

VERSION = 1  # a change of any word or sample needs a new number
SHIFT = 2.7  # of ranks in Zipf's law
COMMON = 20  # most frequent words, which are background
PLANTED = 800  # words after them that fill the grid
RATIO = 8  # groups to forms, about
GROUP_SHARE = (0.44, 0.52)  # range of a planted word's share in its group's topic
FORM_SHARE = (0.32, 0.38)
OTHER_SHARE = (0.0, 0.08)  # in another group's
MIN_VOCABULARY = 64

_CHAINS, _LENGTH = 256, 256  # chains drawn at once and their least length in words
_SPLITS: dict[Split, int] = {"train": 0, "test": 1}
_PAIRS, _ANALOGIES = 0, 1  # streams of the questions, which depend on no seed


@dataclass(frozen=True, kw_only=True)
class Language:
    """K topics, V words, a grid of planted words. All arrays are read-only."""

    frequency: Floats  # (V,) stationary probability
    topics: Ints  # (V, 4): group, form, other group, background
    shares: Floats  # (V, 4), sum 1 in each row
    mass: Floats  # (K,), sum 1
    grid: Ints  # (groups, forms) ids
    row: Ints  # (V,) row of a word in dense; all words that are background only share row 0
    dense: Floats  # (1 + planted, K) shares
    log_ratio: Floats  # (1 + planted, 1 + planted): log p(w, c) / (p(w) p(c))
    until: Floats  # (V, 4) cumulative shares
    members: Ints  # (entries,) ids, topic after topic
    ends: Floats  # (entries,) topic + cumulative probability of the member in it


@lru_cache(maxsize=4)
def language(vocabulary: int) -> Language:
    """Make a language of ``vocabulary`` words; ValueError below ``MIN_VOCABULARY``. A small one has a smaller grid."""
    if vocabulary < MIN_VOCABULARY:
        raise ValueError(f"a planted language has at least {MIN_VOCABULARY} words, got {vocabulary}")
    common = min(COMMON, vocabulary // 20)
    planted = min(PLANTED, vocabulary // 2)
    forms = math.isqrt(planted // RATIO)
    groups = planted // forms
    planted = groups * forms
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([VERSION, vocabulary])))
    place = rng.random(planted).argsort(kind="stable")  # so that neither group nor form tells the frequency
    group, form = np.divmod(place, forms)
    other = (group + rng.integers(1, groups, planted)) % groups
    ids = common + np.arange(planted)

    shares = np.zeros((vocabulary, 4))
    topics = np.zeros((vocabulary, 4), np.int64)
    for column, (low, high) in enumerate((GROUP_SHARE, FORM_SHARE, OTHER_SHARE)):
        shares[ids, column] = rng.uniform(low, high, planted)
    shares[:, 3] = 1.0 - shares[:, 0] - shares[:, 1] - shares[:, 2]
    topics[ids, :3] = np.stack([1 + group, 1 + groups + form, 1 + other], axis=1)

    weight = 1.0 / (np.arange(vocabulary) + SHIFT)
    frequency = weight / weight.cumsum()[-1]
    word, slot = np.nonzero(shares)
    topic = topics[word, slot]
    order = topic.argsort(kind="stable")
    word, topic = word[order], topic[order]
    joint = frequency[word] * shares[word, slot[order]]
    mass = np.bincount(topic, joint).astype(np.float64)
    last = np.append(topic[1:] != topic[:-1], True)
    ends = np.empty_like(joint)
    for part in np.split(np.arange(len(joint)), np.flatnonzero(last)[:-1] + 1):
        ends[part] = topic[part] + joint[part].cumsum() / joint[part].cumsum()[-1]

    row = np.zeros(vocabulary, np.int64)
    row[ids] = 1 + np.arange(planted)
    dense = np.zeros((1 + planted, len(mass)))
    dense[0, 0] = 1.0
    for column in range(4):
        dense[row[ids], topics[ids, column]] += shares[ids, column]
    grid = np.empty(planted, np.int64)
    grid[place] = ids
    out = Language(
        frequency=frequency,
        topics=topics,
        shares=shares,
        mass=mass,
        grid=grid.reshape(groups, forms),
        row=row,
        dense=dense,
        log_ratio=np.log((dense / mass) @ dense.T),
        until=shares.cumsum(axis=1)[:, :3],
        members=word,
        ends=ends,
    )
    for array in vars(out).values():
        array.setflags(write=False)
    return out


def sample(count: int, *, vocabulary: int, seed: int, split: Split) -> Ints:
    """Draw ``count`` words of one Markov chain, int64 (count,).

    A shorter sample is the beginning of a longer one of the same seed and split.
    """
    known = language(vocabulary)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([VERSION, vocabulary, seed, _SPLITS[split]])))
    parts = [np.empty(0, np.int64)]
    while sum(map(len, parts)) < count:
        parts.append(_section(known, rng))
    return np.concatenate(parts)[:count]


def _section(known: Language, rng: np.random.Generator) -> Ints:
    """Draw many chains side by side, then lay them one after another.

    Each begins with a word of topic 0 and ends, once long enough, where topic 0 is drawn next: the chain
    forgets all at that point, so that what follows may be the next chain. There is no seam in the statistics.
    """
    topic = np.zeros(_CHAINS, np.int64)
    length = np.zeros(_CHAINS, np.int64)
    rows = []
    while not length.all():
        place, follow = rng.random((2, _CHAINS))
        at = np.searchsorted(known.ends, topic + place, side="right")
        word = known.members[np.minimum(at, len(known.ends) - 1)]
        rows.append(word)
        topic = known.topics[word, (follow[:, None] >= known.until[word]).sum(axis=1)]
        if len(rows) >= _LENGTH:
            length[(length == 0) & (topic == 0)] = len(rows)
    return np.asarray(np.stack(rows, axis=1)[np.arange(len(rows)) < length[:, None]])


def pair_log_probability(centre: NDArray[Any], context: NDArray[Any], *, vocabulary: int) -> Floats:
    """Return log p(context | centre) in nats, the same for the word before and the word after; ids are broadcast."""
    known = language(vocabulary)
    return np.asarray(np.log(known.frequency[context]) + known.log_ratio[known.row[centre], known.row[context]])


def optimal_loss(
    centre: Ints,
    context: Ints,
    negatives: Ints,
    log_expected_true: NDArray[np.float32],
    log_expected_negatives: NDArray[np.float32],
    *,
    vocabulary: int,
) -> float:
    """Return the NCE loss of the score log p(context | centre) on one batch: (B,), (B,), (S,), (B,), (S,).

    No other score has a lower expected loss, as far as the expected counts are right.
    """
    true = pair_log_probability(centre, context, vocabulary=vocabulary) - log_expected_true
    noise = pair_log_probability(centre[:, None], negatives, vocabulary=vocabulary) - log_expected_negatives
    return nce_loss(true, noise)


def similarity(pairs: Ints, *, vocabulary: int) -> Floats:
    """Return the cosine of two words' shares without background, 0 to 1, for ids (N, 2); 0 for background words."""
    known = language(vocabulary)
    one, two = known.dense[known.row[pairs[:, 0]], 1:], known.dense[known.row[pairs[:, 1]], 1:]
    length = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    return np.asarray((one * two).sum(axis=1) / np.maximum(length, 1e-300))


def words(*, vocabulary: int) -> NDArray[np.str_]:
    """Return names (V,): ``g012_03`` is group 12 in form 3, ``w00017`` the background word of rank 17."""
    out = np.array([f"w{i:05d}" for i in range(vocabulary)], "U8")
    for group, row in enumerate(language(vocabulary).grid):
        for form, word in enumerate(row):
            out[word] = f"g{group:03d}_{form:02d}"
    return out


def neighbours(word: int, *, vocabulary: int) -> Ints:
    """Return the other words of a planted word's group; none for a background word."""
    grid = language(vocabulary).grid
    group = grid[(grid == word).any(axis=1)].reshape(-1)
    return np.asarray(group[group != word])


def questions(count: int, *, vocabulary: int) -> Ints:
    """Return pairs of planted words (3 * count, 2) to compare: as many of one group, of one form, and at random."""
    grid = language(vocabulary).grid
    groups, forms = grid.shape
    rng = _questions_rng(vocabulary, _PAIRS)
    group, form = rng.integers(0, groups, 3 * count), rng.integers(0, forms, 3 * count)
    other_group = (group + rng.integers(1, groups, 3 * count)) % groups
    other_form = (form + rng.integers(1, forms, 3 * count)) % forms
    other_group[:count] = group[:count]
    other_form[count : 2 * count] = form[count : 2 * count]
    return np.stack([grid[group, form], grid[other_group, other_form]], axis=1)


def analogies(count: int, *, vocabulary: int) -> Ints:
    """Return questions (count, 4): a is to b, in another form of its group, as c is to d."""
    grid = language(vocabulary).grid
    groups, forms = grid.shape
    rng = _questions_rng(vocabulary, _ANALOGIES)
    group, form = rng.integers(0, groups, count), rng.integers(0, forms, count)
    other_group = (group + rng.integers(1, groups, count)) % groups
    other_form = (form + rng.integers(1, forms, count)) % forms
    cells = ((group, form), (group, other_form), (other_group, form), (other_group, other_form))
    return np.stack([grid[cell] for cell in cells], axis=1)


def _questions_rng(vocabulary: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([VERSION, vocabulary, stream])))
