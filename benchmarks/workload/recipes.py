"""How a workload is trained and judged: optimisers, learning-rate decay, recipes, accepted ranges, printed figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.layers import optional

DataSource: TypeAlias = Literal["embedded", "real"]


@dataclass(frozen=True, kw_only=True)
class SGD:
    """w -= learning_rate * g. With ``clip_norm`` all gradients are first scaled together to that norm at most.

    The norm is over row-summed gradients: a word that occurs twice counts with the sum of its rows.
    """

    learning_rate: float
    clip_norm: float | None = optional()


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam without weight decay. Where epsilon sits is the framework's convention, stated in the certificate."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


@dataclass(frozen=True, kw_only=True)
class Adagrad:
    """a += g * g; w -= learning_rate * g / sqrt(a), where g is the sum over all occurrences of a row."""

    learning_rate: float
    initial_accumulator: float = 0.1


Optimiser: TypeAlias = "SGD | Adam | Adagrad"


@dataclass(frozen=True, kw_only=True)
class Decay:
    """Epoch i (from 0) trains at learning_rate * factor ** (max(0, i - start) // every).

    ``fresh`` makes a new optimiser, its moments at their initial values, at every change.
    """

    factor: float
    every: int = 1
    start: int = 0
    fresh: bool = False

    def exponent(self, epoch: int) -> int:
        return max(0, epoch - self.start) // self.every


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Range in which another score of the same training must lie."""

    score: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Range in which the metric must lie, and other scores ``also``. ``protocol`` says how it was measured.

    ``corpus`` names the text it was measured on, where a user may bring another.
    """

    low: float
    high: float
    protocol: str
    also: tuple[Beside, ...] | None = optional()
    corpus: str | None = optional()

    def elsewhere(self, corpus: str | None) -> str:
        """Return why the range does not apply to a training on ``corpus``, in a sentence; empty when it does."""
        if self.corpus in (None, corpus):
            return ""
        return f"the range was measured on {self.corpus}, this is {corpus or 'another text'}"

    def missed(self, metric: float, also: Mapping[str, float]) -> list[str]:
        """Return what lies outside, in words; empty when all is in range."""
        out = [] if self.low <= metric <= self.high else [f"{metric:.5g} outside {self.low} to {self.high}"]
        for beside in self.also or ():
            value = also.get(beside.score)
            if value is None or not beside.low <= value <= beside.high:
                figure = "missing" if value is None else f"{value:.5g}"
                out.append(f"{beside.score} {figure} outside {beside.low} to {beside.high}")
        return out


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """No range is claimed, and why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class SeedLocked:
    """Two frameworks must agree seed by seed: training draws nothing of its own and does not amplify rounding.

    ``tolerance`` bounds the difference of the metric, an accuracy's in absolute terms, any other's relative to it.
    ``loss`` bounds the relative difference of the mean training loss over all epochs. Both are measured first and
    declared with their ``protocol``. ``references`` are the metrics of seeds 0, 1, ... on embedded data: by them one
    framework alone is judged.
    """

    tolerance: float
    loss: float
    protocol: str
    references: tuple[float, ...] | None = optional()


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Two frameworks must agree on average: by two one-sided t tests at 5 % over paired seeds, within ``margin``.

    An accuracy's margin is absolute, any other's a share of the metric. It is fixed before the data are seen, from what
    matters, and ``reason`` says what that is. ``loss`` bounds the relative difference of the mean training loss over
    all epochs, seed by seed; it is measured first, by ``loss_protocol``.
    """

    margin: float
    reason: str
    loss: float | None = optional()
    loss_protocol: str | None = optional()


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the metric is to reach on data held out of the training data, fixed before anything was compared.

    ``protocol`` says how it was chosen. It holds for the declared batch size.
    """

    value: float
    protocol: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the workload is trained to an accuracy.

    A recipe may change learning rate, its decay, number of epochs and data size, never the
    shapes that are timed. ``train_examples`` and ``test_examples`` of None mean
    all the data source has (embedded data is generated at the declared size).
    """

    name: Literal["book", "short", "quick", "smoke"]
    data: DataSource
    epochs: int
    train_examples: int | None = None
    test_examples: int | None = None
    learning_rate: float | None = None
    decay: Decay | None = optional()
    augmentation: Literal["resize40_flip_crop32"] | None = optional()
    accepted: Accepted | Unmeasured
    agreement: SeedLocked | Equivalence | None = optional()
    target: Target | None = optional()


@dataclass(frozen=True, kw_only=True)
class BookFigure:
    """A figure printed in a book, on real data.

    ``score`` names the score beside the metric, of the same kind as it, that the book measured; None: the metric.
    ``aside`` says in a word or two what it is of, where the same book printed it of something not measured here.
    """

    value: float
    what: str
    score: str | None = optional()
    aside: str | None = optional()
