"""What the part ``pipeline`` finds for one framework."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Literal

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import counted, mostly_disturbed
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Call, Strict, field

TITLE = "Input pipeline"
QUESTION = "an epoch: data resident, one shared NumPy feed, the framework's own loader"
PER_FRAMEWORK = True

NEAR = 0.01  # of a column's deviation: means and deviations that are as near as that are alike whatever their number
ROUNDING = 1e-6  # of a mean
ERRORS = 5.0  # standard errors that they may be apart
PLACES = 9  # rows, and columns, of an enlarged image that a cut may begin at
# Of them a loader must use all but one, as TensorLayerX's RandomCrop never takes the last. With uniform places among
# 128 samples two are missed once in a hundred thousand epochs.
USED, ENOUGH = PLACES - 1, 128


class Column(Strict):
    """One array of the batches of an epoch, as the device got it."""

    shape: list[int] = field("of a batch")
    dtype: str = field("NumPy's name")
    mean: float = field("over an epoch")
    deviation: float = field("standard deviation over an epoch", ge=0)

    @property
    def kind(self) -> str:
        """Whole numbers may be wider or narrower: TensorLayerX makes int32 of labels."""
        return "int" if self.dtype in ("int32", "int64") else self.dtype

    def resembles(self, other: Column, batches: int) -> bool:
        """Alike in shape and kind, means and deviations as near as ``batches`` of independent rows must be.

        A deviation's standard error is twice that of normal numbers: negatives are skewed.
        """
        rows = batches * max(1, self.shape[0] if self.shape else 1)
        near = min(self.deviation, other.deviation) * (NEAR + ERRORS * (2 / rows) ** 0.5) + ROUNDING * abs(self.mean)
        alike = sorted(self.shape) == sorted(other.shape) and self.kind == other.kind
        return alike and max(abs(self.mean - other.mean), abs(self.deviation - other.deviation)) <= near


class Traced(Strict):
    """Augmented samples, and which piece of which image each is; see benchmarks/experiments/pipeline/proof.py."""

    samples: int = field("traced, the first of an epoch", gt=0)
    strange: int = field("that are no piece of any image", ge=0)
    mispaired: int = field("that are pieces only of images with another label", ge=0)
    unclear: int = field("that fit several places", ge=0)
    mirrored: int = field("mirrored ones among the rest", ge=0)
    down: list[int] = field("the rest by the row that they were cut at", min_length=PLACES, max_length=PLACES)
    right: list[int] = field("the rest by column", min_length=PLACES, max_length=PLACES)

    def wrong(self) -> Iterator[str]:
        """What is not as declared: a random piece of the sample's own image, every other one mirrored."""
        if self.strange:
            yield f"{self.strange} of {self.samples} samples are no piece of any image"
        if self.mispaired:
            yield f"{self.mispaired} of {self.samples} samples have another image's label"
        told = self.samples - self.strange - self.mispaired - self.unclear
        if abs(self.mirrored - told / 2) > ERRORS * told**0.5 / 2:
            yield f"{self.mirrored} of {told} samples are mirrored, not half"
        for word, places in (("rows", self.down), ("columns", self.right)):
            if sum(places) != told:
                yield f"its {word} do not add up"
            share = told / USED
            used = sum(count > 0 for count in places)
            if (used < USED and told >= ENOUGH) or max(places) > share + ERRORS * share**0.5:
                yield f"samples are not cut at random: {word} {places}"


class Epoch(Call):
    """One timed epoch, or as much of it as was taken."""

    start_seconds: float = field("until its first batch was there: processes, buffers, shuffling; within seconds", ge=0)

    @property
    def steady(self) -> float:
        """Seconds after the first batch."""
        return self.seconds - self.start_seconds


class Feed(Strict):
    """One way to bring the batches of an epoch to the training step."""

    name: str = field("of the feed")
    kind: Literal["resident", "shared", "own"] = field(
        "resident: batches lie on the device; shared: NumPy, the same for all frameworks; own: the framework's loader"
    )
    written: str = field("how it is written, in a sentence")
    first_seconds: float = field("wall seconds of its first epoch: processes started, functions traced")
    epochs: list[Epoch] = field("each later epoch with its training steps", min_length=1)
    loading: list[Epoch] = field("as many epochs of loading alone; empty where nothing is loaded", default_factory=list)
    batches: int = field("batches of an epoch", gt=0)
    columns: list[Column] = field("what came, array by array; empty of the resident feed", default_factory=list)
    labels: list[int] = field("samples of each class in an epoch; empty without classes", default_factory=list)
    samples: str | None = field(
        "SHA-256 over the samples of an epoch with their labels, whatever their order; of text with it; None where "
        "they are augmented, and of the resident feed",
        default=None,
    )
    traced: Traced | None = field("of augmented images; otherwise None", default=None)

    @property
    def start_seconds(self) -> float:
        return median(e.start_seconds for e in self.epochs)


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    items: int = field("what throughput counts, per sample: words of a sequence, otherwise 1", gt=0)
    steps: int = field("training steps that were taken of an epoch: the first ones", gt=0)
    epoch_steps: int = field("training steps of a whole epoch over this run's training data", gt=0)
    limit_seconds: float = field(
        "what the slowest feed may take for an epoch: where it would take more, it is cut", gt=0
    )
    augmentation: str | None = field("what the loaders do to each sample; None: they only shuffle and batch")
    feeds: list[Feed] = field("resident first, then shared, then the framework's own; their epochs took turns")

    @property
    def whole(self) -> bool:
        return self.steps == self.epoch_steps

    @property
    def resident(self) -> Feed:
        return self.feeds[0]

    @property
    def own(self) -> list[Feed]:
        return [f for f in self.feeds if f.kind == "own"]

    @property
    def best(self) -> Feed | None:
        """The framework's own loader with the shortest epoch; None where it has none, or none that was quiet."""
        quiet = [f for f in self.own if not self.disturbed(f)]
        return min(quiet, key=self.seconds, default=None)

    def counted_seconds(self, epoch: Epoch) -> float:
        """Of a whole epoch all; of the first steps of one those after the first batch, as they start no more often."""
        return epoch.seconds if self.whole else epoch.steady

    def seconds(self, feed: Feed) -> float:
        """Median over epochs."""
        return median(self._each(feed))

    def _each(self, feed: Feed) -> list[float]:
        """Seconds of its epochs, of quiet ones where there are enough."""
        return [self.counted_seconds(e) for (e,) in counted([(e,) for e in feed.epochs])]

    def samples_per_second(self, feed: Feed) -> float:
        """Images, tokens or pairs."""
        return self.batch_size * self.items * self.steps / self.seconds(feed)

    def beside(self, feed: Feed) -> list[tuple[Epoch, Epoch]]:
        """Its epochs, each with that with data resident beside it."""
        return list(zip(feed.epochs, self.resident.epochs, strict=True))

    def ratios(self, feed: Feed) -> list[float]:
        """Of its epochs to those with data resident."""
        return [self.counted_seconds(a) / self.counted_seconds(b) for a, b in self.beside(feed)]

    def ratio(self, feed: Feed) -> float:
        """Median over epochs side by side, quiet ones where there are enough."""
        pairs = counted(self.beside(feed))
        return median(self.counted_seconds(a) / self.counted_seconds(b) for a, b in pairs)

    def disturbed(self, feed: Feed) -> bool:
        """Whether most pairs of epochs were, so that nothing is said of their ratio."""
        return mostly_disturbed(self.beside(feed))

    def loading_seconds(self, feed: Feed) -> float | None:
        if not feed.loading:
            return None
        return median(self.counted_seconds(e) for (e,) in counted([(e,) for e in feed.loading]))

    def hidden(self, feed: Feed) -> float | None:
        """Share of the loading that did not lengthen the epoch, 0 to 1.

        None where nothing is loaded, or in less time than epochs of this feed or of the resident one differ by.
        """
        loading, longer = self.loading_seconds(feed), self.seconds(feed) - self.seconds(self.resident)
        if loading is None or mostly_disturbed([(e,) for e in feed.loading]):
            return None
        if loading <= max(max(each) - min(each) for each in (self._each(self.resident), self._each(feed))):
            return None
        return min(1.0, max(0.0, 1.0 - longer / loading))


def unlike(value: Value) -> Iterator[str]:
    """Feeds that bring something else than the shared one, in words."""
    for feed in value.feeds:
        if feed.batches != value.steps:
            yield f"{feed.name} brought {feed.batches} batches, not {value.steps}"
    shared = value.feeds[1]
    for feed in value.own:
        pairs = list(zip(feed.columns, shared.columns, strict=False))
        alike = len(feed.columns) == len(shared.columns) and all(a.resembles(b, value.steps) for a, b in pairs)
        if not alike:
            yield (
                f"{feed.name} brought other data than the shared feed: {_told(feed.columns)} against "
                f"{_told(shared.columns)}"
            )
        if feed.labels != shared.labels:
            yield f"{feed.name} brought other labels than the shared feed: {feed.labels} against {shared.labels}"
        if feed.samples != shared.samples:
            yield f"{feed.name} did not bring the samples of the shared feed, each once and with its label"
    for feed in value.feeds[1:]:
        if (feed.traced is None) != (value.augmentation is None) or (feed.samples is None) == (feed.traced is None):
            yield f"{feed.name} has no proof of its samples"
        elif feed.traced is not None:
            yield from (f"{feed.name}: {wrong}" for wrong in feed.traced.wrong())


def _told(columns: list[Column]) -> str:
    return ", ".join(f"{c.dtype} {tuple(c.shape)} of {c.mean:.4g} ± {c.deviation:.4g}" for c in columns)


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    if [f.kind for f in value.feeds[:2]] != ["resident", "shared"] or any(f.kind != "own" for f in value.feeds[2:]):
        yield "its feeds are not in order: resident, shared, own"
        return
    yield from unlike(value)
    if value.steps > value.epoch_steps:
        yield f"it took {value.steps} steps of an epoch that has {value.epoch_steps}"
    epochs = len(value.resident.epochs)
    for feed in value.feeds:
        if len(feed.epochs) != epochs:
            yield f"{feed.name} was not timed as often as the resident feed"
        if len(feed.loading) != (0 if feed.kind == "resident" else epochs):
            yield f"{feed.name} was not loaded alone as often as it was trained from"
        if any(e.start_seconds > e.seconds for e in (*feed.epochs, *feed.loading)):
            yield f"{feed.name} waited for its first batch longer than for all"


def words(value: Value) -> str:
    much = "epoch" if value.whole else f"the first {value.steps:,} of {value.epoch_steps:,} steps"
    told = [f"{much} with data resident {value.seconds(value.resident):.3g} s"]
    for feed in value.feeds[1:]:
        told.append(f"{feed.name} × {value.ratio(feed):.3g}{' (disturbed)' if value.disturbed(feed) else ''}")
    return ", ".join(told)
