"""Whether frameworks learn the same: trainings of one recipe compared pair by pair, as its declaration says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from benchmarks.analysis.ratios import PROVISIONAL_BELOW, margin_exceeded, margin_needed, seeds_needed
from benchmarks.analysis.verdicts import groups
from benchmarks.schema.comparisons import REFERENCE
from benchmarks.schema.results import Agreement, Declared, Row, Training
from benchmarks.workload.metrics import Metric, amount, metric, percent

ROUNDING = 1e-9  # of an accuracy's difference: a multiple of one image is no binary fraction


def agree_all(rows: Sequence[Row], declared: Sequence[Declared], *, data: str) -> list[Agreement]:
    """Return the agreements of every workload variant, by the declarations of the run."""
    plain = {d.place: d.declaration for d in declared}
    found = [agreements(same, plain.get(same[0].place, {}), data=data) for same in groups(rows)]
    return [agreement for some in found for agreement in some]


def agreements(rows: Sequence[Row], declared: Mapping[str, Any], *, data: str) -> list[Agreement]:
    """Return what the rows of one workload variant show, from its declaration as plain JSON types.

    Empty where fewer than two frameworks trained and the recipe has no references, or where it declares no agreement.
    ``data`` is the source of the data: references are of embedded data.
    """
    chosen = representatives(rows)
    recipes = {r["name"]: r for r in declared.get("recipes", [])}
    trained = [a.recipe for row in chosen if (a := row.accuracy)]
    criterion = recipes[trained[0]].get("agreement") if trained and trained[0] in recipes else None
    if criterion is None:
        return []
    judge = _Judge(criterion, metric(declared.get("metric")), declared["batch_size"])
    found = [judge.pair(one, two) for one, two in combinations(chosen, 2)]
    references = dict(enumerate(criterion.get("references") or ()))
    if data == "embedded" and references:
        found += [judge.alone(row, references) for row in chosen]
    return found


def representatives(rows: Sequence[Row]) -> list[Row]:
    """For each framework, device and interpreter the row that stands for it.

    It is the documented mode that trained from most seeds, the first of several; tuned modes are compared by nobody.
    """
    kinds: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if not (row.stack.tuned or row.stack.replica) and finished(row):
            kinds.setdefault(row.stack.kind, []).append(row)
    return [max(same, key=lambda row: len(finished(row))) for same in kinds.values()]


def finished(row: Row) -> dict[int, Training]:
    """Trainings by seed that ended with a metric."""
    trainings = row.accuracy.trainings if row.accuracy else []
    return {t.seed: t for t in trainings if t.status == "ok" and t.metric is not None}


def mean_loss(training: Training) -> float | None:
    """Of all steps of the training, whose epochs are equally long; None where an epoch's is not finite."""
    losses = [point.loss for point in training.curve if point.loss is not None]
    return fmean(losses) if losses and len(losses) == len(training.curve) else None


def loss_difference(one: Training, two: Training) -> float | None:
    """Of the mean training losses, relative to the larger; None where there is none."""
    a, b = mean_loss(one), mean_loss(two)
    return None if a is None or b is None or max(a, b) <= 0 else abs(a - b) / max(a, b)


def difference(one: float, two: float, measure: Metric) -> float:
    """Of two metrics: an accuracy's as it is, any other's as a logarithm, which adds up over seeds."""
    return one - two if measure.proportion else math.log(one / two)


class _Judge:
    def __init__(self, criterion: Mapping[str, Any], measure: Metric, batch_size: int) -> None:
        self.locked = criterion["type"] == "SeedLocked"
        self.margin: float = criterion["tolerance" if self.locked else "margin"]
        self.loss: float | None = criterion.get("loss")
        self.measure, self.batch_size = measure, batch_size

    def pair(self, one: Row, two: Row) -> Agreement:
        a, b = finished(one), finished(two)
        seeds = sorted(a.keys() & b.keys())
        losses = {s: found for s in seeds if (found := loss_difference(a[s], b[s])) is not None}
        metrics = {s: difference(_metric(a[s]), _metric(b[s]), self.measure) for s in seeds}
        return self._judged(one, two.stack.key, metrics, losses)

    def alone(self, row: Row, references: Mapping[int, float]) -> Agreement:
        seeds = {s: t for s, t in finished(row).items() if s in references}
        metrics = {s: difference(_metric(t), references[s], self.measure) for s, t in seeds.items()}
        return self._judged(row, REFERENCE, metrics, {})

    def _judged(self, row: Row, second: str, metrics: Mapping[int, float], losses: Mapping[int, float]) -> Agreement:
        values = list(metrics.values())
        fields: dict[str, Any] = {"loss_margin": self.loss, "loss_difference": max(losses.values(), default=None)}
        if row.batch_size != self.batch_size:
            fields |= {"verdict": "not judged", "why": f"declared for batch size {self.batch_size}"}
        elif not values:
            fields |= {"verdict": "not judged", "why": "no seed was trained to its end in both"}
        elif self.loss is not None and (seed := _beyond(losses, self.loss)) is not None:
            apart, limit = percent(losses[seed]), percent(self.loss)
            fields |= {"verdict": "differ", "why": f"training losses of seed {seed} differ by {apart}, limit {limit}"}
        else:
            fields |= self._seed_by_seed(metrics) if self.locked else self._on_average(values)
        if values:
            most = max(values, key=abs) if self.locked else fmean(values)
            fields["difference"] = most if self.measure.proportion else math.expm1(most)
        return Agreement(
            workload=row.workload,
            variant=row.variant,
            first=row.stack.key,
            second=second,
            kind="seed-locked" if self.locked else "equivalence",
            seeds=sorted(metrics),
            margin=self.margin,
            **fields,
        )

    def _seed_by_seed(self, metrics: Mapping[int, float]) -> dict[str, Any]:
        sizes = {s: self._plain(abs(value)) for s, value in metrics.items()}
        needed = max(sizes.values())
        seed = _beyond(sizes, self.margin + ROUNDING)
        if seed is None:
            return {"verdict": "agree", "needed": needed}
        apart, limit = self._text(sizes[seed]), self._text(self.margin)
        why = f"{self.measure.name} of seed {seed} differs by {apart}, limit {limit}"
        return {"verdict": "differ", "needed": needed, "why": why}

    def _on_average(self, values: Sequence[float]) -> dict[str, Any]:
        if len(values) < PROVISIONAL_BELOW:
            return {"verdict": "not judged", "why": f"needs five seeds, has {len(values)}"}
        margin = self.margin if self.measure.proportion else math.log1p(self.margin)
        needed = margin_needed(values)
        fields = {"needed": self._plain(needed)}
        if needed <= margin:
            return fields | {"verdict": "agree"}
        mean = self._text(self._plain(abs(fmean(values))))
        if margin_exceeded(values, margin):
            return fields | {"verdict": "differ", "why": f"means differ by {mean}, margin {self._text(self.margin)}"}
        seeds = seeds_needed(values, margin)
        cure = f"about {seeds} seeds would show it" if seeds else f"no number of seeds, if the means stay {mean} apart"
        why = f"within {self._text(self._plain(needed))} so far, margin {self._text(self.margin)}; {cure}"
        return fields | {"verdict": "not shown", "why": why}

    def _plain(self, size: float) -> float:
        return size if self.measure.proportion else math.expm1(size)

    def _text(self, size: float) -> str:
        return amount(size, self.measure)


def _beyond(sizes: Mapping[int, float], limit: float) -> int | None:
    """The seed with the largest size, if that is beyond the limit."""
    seed = max(sizes, key=lambda s: sizes[s], default=None)
    return seed if seed is not None and sizes[seed] > limit else None


def _metric(training: Training) -> float:
    assert training.metric is not None
    return training.metric


def words(agreement: Agreement, measure: Metric) -> str:
    """The verdict in a sentence without subject and full stop."""
    a = agreement
    if a.verdict in ("differ", "not judged"):
        return f"{a.verdict}: {a.why}"
    if a.verdict == "not shown":
        return f"agreement not shown: {a.why}"
    assert a.needed is not None
    what = f"every seed's {measure.name}" if a.kind == "seed-locked" else f"mean {measure.name}"
    loss = "" if a.loss_difference is None else f", training losses within {percent(a.loss_difference)}"
    seeds = f"{len(a.seeds)} seed{'s' if len(a.seeds) > 1 else ''}"
    return f"agree: {what} within {amount(a.needed, measure)} (limit {amount(a.margin, measure)}){loss}; {seeds}"
