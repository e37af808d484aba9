"""What the part ``pipeline`` finds for one framework."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Literal

from benchmarks.answers import Answer
from benchmarks.results import Result
from benchmarks.samples import Strict, field

TITLE = "Input pipeline"
QUESTION = "a whole epoch: data resident, one shared NumPy feed, the framework's own loader"
PER_FRAMEWORK = True


class Column(Strict):
    """One array of the batches of an epoch, as the device got it."""

    shape: list[int] = field("of a batch")
    dtype: str = field("NumPy's name")
    mean: float = field("over an epoch")
    deviation: float = field("standard deviation over an epoch")

    @property
    def kind(self) -> str:
        """Whole numbers may be wider or narrower: TensorLayerX makes int32 of labels."""
        return "int" if self.dtype in ("int32", "int64") else self.dtype

    def resembles(self, other: Column) -> bool:
        """Alike in shape and kind, and their means as near as five standard errors and a twentieth of the deviation.

        Two loaders shuffle and crop differently, so that their batches cannot be equal.
        """
        size = max(1, len(self.shape) and _product(self.shape))
        near = max(self.deviation, other.deviation) * (0.05 + 5 * (2 / size) ** 0.5)
        alike = sorted(self.shape) == sorted(other.shape) and self.kind == other.kind
        return alike and abs(self.mean - other.mean) <= near


def _product(shape: list[int]) -> int:
    out = 1
    for length in shape:
        out *= length
    return out


class Feed(Strict):
    """One way to bring the batches of an epoch to the training step."""

    name: str = field("of the feed")
    kind: Literal["resident", "shared", "own"] = field(
        "resident: batches lie on the device; shared: NumPy, the same for all frameworks; own: the framework's loader"
    )
    written: str = field("how it is written, in a sentence")
    first_seconds: float = field("wall seconds of its first epoch: processes started, functions traced")
    epoch_seconds: list[float] = field("wall seconds of each later epoch with its training steps", min_length=1)
    loading_seconds: list[float] = field(
        "wall seconds of as many epochs of loading alone; empty where nothing is loaded", default_factory=list
    )
    batches: int = field("batches of an epoch", gt=0)
    columns: list[Column] = field("what came, array by array; empty of the resident feed", default_factory=list)


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    items: int = field("what throughput counts, per sample: words of a sequence, otherwise 1", gt=0)
    steps: int = field("training steps of an epoch; the epoch is cut to what the profile allows", gt=0)
    augmentation: str | None = field("what the loaders do to each sample; None: they only shuffle and batch")
    feeds: list[Feed] = field("resident first, then shared, then the framework's own; their epochs took turns")

    @property
    def resident(self) -> Feed:
        return self.feeds[0]

    @property
    def own(self) -> list[Feed]:
        return [f for f in self.feeds if f.kind == "own"]

    @property
    def best(self) -> Feed | None:
        """The framework's own loader with the shortest epoch; None where it has none."""
        return min(self.own, key=lambda f: median(f.epoch_seconds), default=None)

    def samples_per_second(self, feed: Feed) -> float:
        """Images, tokens or pairs."""
        return self.batch_size * self.items * self.steps / median(feed.epoch_seconds)

    def ratio(self, feed: Feed) -> float:
        """Of its epoch to that with data resident, as the median over epochs side by side."""
        return median(a / b for a, b in zip(feed.epoch_seconds, self.resident.epoch_seconds, strict=True))

    def hidden(self, feed: Feed) -> float | None:
        """Share of the loading that did not lengthen the epoch, 0 to 1; None where nothing is loaded."""
        if not feed.loading_seconds:
            return None
        loading, longer = median(feed.loading_seconds), median(feed.epoch_seconds) - median(self.resident.epoch_seconds)
        return min(1.0, max(0.0, 1.0 - longer / loading))


def unlike(value: Value) -> Iterator[str]:
    """Feeds that bring something else than the shared one, in words."""
    for feed in value.feeds:
        if feed.batches != value.steps:
            yield f"{feed.name} brought {feed.batches} batches, not {value.steps}"
    columns = value.feeds[1].columns
    for feed in value.own:
        alike = len(feed.columns) == len(columns)
        if not alike or not all(a.resembles(b) for a, b in zip(feed.columns, columns, strict=True)):
            yield f"{feed.name} brought other data than the shared feed: {_told(feed.columns)} against {_told(columns)}"


def _told(columns: list[Column]) -> str:
    return ", ".join(f"{c.dtype} {tuple(c.shape)} of mean {c.mean:.4g}" for c in columns)


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = answer.typed
    if [f.kind for f in value.feeds[:2]] != ["resident", "shared"] or any(f.kind != "own" for f in value.feeds[2:]):
        yield "its feeds are not in order: resident, shared, own"
        return
    yield from unlike(value)
    epochs = len(value.resident.epoch_seconds)
    for feed in value.feeds:
        if len(feed.epoch_seconds) != epochs:
            yield f"{feed.name} was not timed as often as the resident feed"
        if len(feed.loading_seconds) != (0 if feed.kind == "resident" else epochs):
            yield f"{feed.name} was not loaded alone as often as it was trained from"


def words(value: Value) -> str:
    told = [f"epoch of {value.steps} steps with data resident {median(value.resident.epoch_seconds):.3g} s"]
    return ", ".join(told + [f"{feed.name} × {value.ratio(feed):.3g}" for feed in value.feeds[1:]])
