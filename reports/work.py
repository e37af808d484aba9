"""A :class:`Work` is one workload variant as one run measured it: the unit that is ranked, shown and charted."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, TypeVar

import numpy as np

from benchmarks.schema.results import (
    Baseline,
    Block,
    Comparison,
    Data,
    Declared,
    Estimate,
    Key,
    Launch,
    Pilot,
    Ranking,
    Result,
    Row,
    Stack,
    TensorError,
    Training,
)
from reports import numbers
from reports.measure import Measure, measure


def label(stack: Stack) -> str:
    """For people: ``PyTorch compile``, with device and interpreter where they are not the default."""
    extra = [word for word in (stack.device, stack.interpreter) if word not in ("cpu", "default")]
    name = f"{stack.known.framework} {stack.known.mode}"
    return f"{name} ({', '.join(extra)})" if extra else name


def plain_mode(work: Work, stack: Stack) -> str:
    """The name for people of the mode that ``stack`` is without its compiler."""
    names = {row.stack.key: row.stack.known.mode for row in work.rows}
    return names.get(stack.uncompiled, stack.known.compiles)


def marked(work: Work, row: Row) -> str:
    """The label, of a stack that is compiled in name only as what it is: ``PyTorch compile = eager``."""
    return label(row.stack) + (f" = {plain_mode(work, row.stack)}" if row.compiled_nothing else "")


ASKED = {"pairs": "words"}  # skip-gram trains on pairs of words and is asked about one


@dataclass(frozen=True)
class Figure:
    """What a book printed. ``score`` is what it measured, '' for the metric; only a ``held`` one is held against."""

    value: float
    what: str
    score: str
    held: bool
    aside: str = ""  # of what else the same book printed it

    @property
    def name(self) -> str:
        if self.held:
            return "book"
        return f"book, {self.aside}" if self.aside else "other book"

    def of(self, training: Training) -> float | None:
        """The training's value of what the book measured."""
        return training.also.get(self.score) if self.score else training.metric


@dataclass(frozen=True)
class Work:
    result: Result
    workload: str
    variant: str
    declared: Declared | None
    data: Data | None
    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...] = ()
    canaries: tuple[Row, ...] = ()  # second launches of a stack: a check, in no ranking, table or chart

    @property
    def place(self) -> Key:
        return Key(self.workload, self.variant)

    @property
    def key(self) -> str:
        return str(self.place)

    @property
    def hash(self) -> str:
        return self.declared.hash if self.declared else ""

    def get(self, *path: str) -> Any:
        """A value inside the declaration, or None. Declarations of other suites may lack any part."""
        value: Any = self.declared.declaration if self.declared else None
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    @property
    def title(self) -> str:
        return str(self.get("title") or self.key)

    @property
    def measure(self) -> Measure:
        return measure(self.get("metric"))

    @property
    def unit(self) -> str:
        """What training throughput counts."""
        found = {row.unit for row in self.rows}
        return found.pop() if len(found) == 1 else "samples"

    @property
    def asked(self) -> str:
        """What inference throughput counts."""
        return ASKED.get(self.unit, self.unit)

    @property
    def batches(self) -> str:
        """Batch sizes as they were run: ``128``, or of sequences ``20 × 35 tokens``."""
        sizes = sorted({(row.batch_size, row.items) for row in self.rows})
        return numbers.words(f"{b:,}" if items == 1 else f"{b:,} × {items:,} {self.unit}" for b, items in sizes)

    @property
    def book(self) -> Figure | None:
        """What the recipe of the book is held against."""
        return _figure(self.get("book_figure"), held=True)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The book's own figure, then those that other books print."""
        others = self.get("other_figures")
        found = [self.book, *(_figure(o, held=False) for o in (others if isinstance(others, list) else []))]
        return tuple(f for f in found if f is not None)

    def kind(self, figure: Figure) -> str:
        """What a figure's own score adds to the metric's name: ``batch statistics``. Empty for the metric."""
        return figure.score.removeprefix(f"{self.get('metric')}_").replace("_", " ")

    def printed(self, figure: Figure) -> str:
        """``0.8623 (batch statistics)``."""
        kind = self.kind(figure)
        return self.measure.text(figure.value) + (f" ({kind})" if kind else "")

    @property
    def optimum(self) -> float | None:
        return self.data.optimum if self.data else None

    @property
    def real(self) -> bool:
        """Whether this was the official data, on which the books' figures were measured."""
        return (self.data.source if self.data else self.result.options.data) == "real"

    @property
    def timed(self) -> bool:
        """Whether training was to be timed, or was; else accuracy or certificates are all there is."""
        return "training" in self.result.options.measure or any(measured(row) for row in self.rows)

    @property
    def proven(self) -> bool:
        """Whether certificates were to be measured, or were, or are missing beside a timing."""
        return self.timed or "certificate" in self.result.options.measure or any(r.certificate for r in self.rows)

    def recipe(self, name: str) -> dict[str, Any]:
        recipes = self.get("recipes")
        found = (
            [r for r in recipes if isinstance(r, dict) and r.get("name") == name] if isinstance(recipes, list) else []
        )
        return found[0] if found else {}

    @property
    def pilot(self) -> Pilot | None:
        """How the number of passes was decided; None where it was fixed."""
        return next((p for p in self.result.pilots if p.place == self.place), None)

    def places(self, keys: Collection[str]) -> Ranking | None:
        """The stored ranking of these stacks; None where there is none, as below five passes.

        Before verdict rule 3 tuned stacks were ranked among the others: such a ranking is nobody's here.
        """
        mine = [r for r in self.result.rankings if r.place == self.place]
        return next((r for r in mine if r.ranks.keys() <= set(keys)), None)

    def comparison(self, first: Row, second: Row) -> Comparison | None:
        """The stored comparison, turned round where it was stored the other way."""
        for c in self.result.comparisons:
            if c.place == self.place:
                if (c.first, c.second) == (first.stack.key, second.stack.key):
                    return c
                if (c.second, c.first) == (first.stack.key, second.stack.key):
                    return _turned(c)
        return None


def _figure(plain: Any, *, held: bool) -> Figure | None:
    """A declared figure; None where there is none or it is not a number."""
    value = plain.get("value") if isinstance(plain, dict) else None
    if not isinstance(value, (int, float)):
        return None
    what, score, aside = (str(plain.get(name) or "") for name in ("what", "score", "aside"))
    return Figure(float(value), what, score, held, aside)


def _turned(c: Comparison) -> Comparison:
    sides = {name: _inverse(e) if (e := getattr(c, name)) else None for name in ("undisturbed", "everything")}
    return _inverse(c).model_copy(update={"first": c.second, "second": c.first, **sides})


Judged = TypeVar("Judged", Comparison, Estimate)


def _inverse(found: Judged) -> Judged:
    """Ratio, intervals and verdict seen from the other stack."""

    def over(value: float | None) -> float | None:
        return 1 / value if value else None

    ends = {"low": over(found.high), "high": over(found.low)}
    ends |= {"simultaneous_low": over(found.simultaneous_high), "simultaneous_high": over(found.simultaneous_low)}
    word = {"faster": "slower", "slower": "faster"}.get(found.verdict, found.verdict)
    return found.model_copy(update={"ratio": 1 / found.ratio, "verdict": word, **ends})


def gather(results: Sequence[Result]) -> list[Work]:
    """Every workload variant of every run; same workload together, each declaration apart, in order of appearance."""
    works: list[Work] = []
    for result in results:
        declared = {d.place: d for d in result.declared}
        data = {d.place: d for d in result.data}
        for key in dict.fromkeys([*declared, *(r.place for r in result.rows)]):
            mine = [r for r in result.rows if r.place == key]
            rows, canaries = (tuple(r for r in mine if bool(r.stack.replica) == again) for again in (False, True))
            beside = tuple(b for b in result.baselines if b.place == key)
            works.append(Work(result, *key, declared.get(key), data.get(key), rows, beside, canaries))
    order = [list(dict.fromkeys(getattr(w, part) for w in works)) for part in ("workload", "key", "hash")]
    return sorted(works, key=lambda w: [order[0].index(w.workload), order[1].index(w.key), order[2].index(w.hash)])


def mixed(works: Sequence[Work]) -> dict[str, list[str]]:
    """Workload key -> declaration hashes, for those that were declared in more than one way."""
    hashes: dict[str, list[str]] = {}
    for work in works:
        if work.hash not in hashes.setdefault(work.key, []):
            hashes[work.key].append(work.hash)
    return {key: found for key, found in hashes.items() if len(found) > 1}


def measured(row: Row) -> list[Launch]:
    """Launches that count: ended well, with blocks."""
    return [launch for launch in row.launches if launch.status == "ok" and launch.blocks]


def blocks(row: Row) -> Iterator[Block]:
    for launch in measured(row):
        yield from launch.blocks


def cpu_step_seconds(row: Row) -> float | None:
    """Median over passes of the median CPU seconds per step."""
    launches = measured(row)
    return median(median(b.cpu_seconds / b.steps for b in la.counted_blocks) for la in launches) if launches else None


def latencies(row: Row, name: Literal["seconds", "first_seconds"] = "seconds") -> tuple[float, float, float] | None:
    """p50, p90 and p99 of single inference over the calls of all passes."""
    single = [la.inference.single for la in row.launches if la.status == "ok" and la.inference]
    seconds = [s for found in single for s in getattr(found, name)]
    if not seconds:
        return None
    p50, p90, p99 = (float(q) for q in np.quantile(seconds, [0.5, 0.9, 0.99]))
    return p50, p90, p99


def offline(row: Row) -> tuple[float, int] | None:
    """Best samples per second and its batch size; per batch size the median over passes."""
    rates: dict[int, list[float]] = {}
    for launch in row.launches:
        for entry in launch.inference.offline if launch.status == "ok" and launch.inference else []:
            rates.setdefault(entry.batch_size, []).append(entry.samples_per_second)
    return max(((median(found), size) for size, found in rates.items()), default=None)


def peak(row: Row, name: str) -> int | None:
    """Highest value of one memory mark over the launches that ended well."""
    values = [getattr(launch.memory, name) for launch in row.launches if launch.status == "ok"]
    return max((v for v in values if v is not None), default=None)


def final_metric(row: Row) -> float | None:
    """Mean over seeds of the metric after the last epoch."""
    found = [t.metric for t in row.accuracy.trainings if t.metric is not None] if row.accuracy else []
    return sum(found) / len(found) if found else None


def used(tensor: TensorError) -> float:
    """Share of its tolerance that a tensor's error takes; infinite where it is not finite or nothing is tolerated."""
    if tensor.error is None or not tensor.tolerance:
        return 0.0 if tensor.error == 0 else math.inf
    return tensor.error / tensor.tolerance


def worst(tensors: Sequence[TensorError]) -> TensorError | None:
    return max(tensors, key=used, default=None)


def certified(row: Row) -> bool:
    return row.certificate is not None and row.certificate.status == "ok"
