"""Who trains fastest, and how surely: the sentences of one :class:`Work`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from benchmarks import experiments
from benchmarks.analysis.ratios import PROVISIONAL_BELOW
from benchmarks.schema.results import Row
from reports import numbers
from reports.measure import Measure
from reports.ranking import TUNED, Ranking, Standing, Versus, rank
from reports.trust import checks, trust
from reports.work import Figure, Work, certified, final_metric, label, plain_mode


@dataclass(frozen=True)
class Sentence:
    """``headline`` is set in bold, ``text`` goes on from it, ``asides`` are sentences of their own."""

    standing: Standing
    headline: str
    text: str
    asides: tuple[str, ...]


def sentences(work: Work, ranking: Ranking | None = None) -> tuple[Sentence, ...]:
    """The headline, and where tuned stacks were measured too a second sentence about these."""
    if not work.timed:
        return (_untimed(work),)
    found = ranking or rank(work)
    first, *others = [_family(work, family) for family in found.families]
    return replace(first, asides=(*first.asides, *checks(work))), *others


def sentence(work: Work, ranking: Ranking | None = None) -> Sentence:
    """The headline alone."""
    return sentences(work, ranking)[0]


def _family(work: Work, found: Ranking) -> Sentence:
    if not found.ranked:
        headline, text = "No stack has a timing that counts", "; the reasons are below."
    else:
        say = {"settled": _settled, "shared": _shared, "provisional": _provisional}.get(found.standing, _alone)
        headline, text = say(found)
    apart = found.tuned is not None or found.title == TUNED
    asides = (*_asides(work, found), *trust(work, found))
    return Sentence(found.standing, f"{found.title}: {headline}" if apart else headline, text, asides)


def _rate(row: Row) -> str:
    return f"{numbers.number(row.samples_per_second())} {row.unit}/s"


def _times(versus: Versus, other: str) -> str:
    within = f" ({versus.within})" if versus.within else ""
    return f"{numbers.ratio(versus.ratio)} times the throughput of {other}{within}"


def _lead(found: Ranking) -> str:
    """Ratios to the next stack and to the slowest."""
    following = found.ranked[1]
    parts = [_times(found.against[following.stack.key], f"the next, {label(following.stack)}")]
    if len(found.ranked) > 2:
        last = found.ranked[-1]
        parts.append(_times(found.against[last.stack.key], f"the slowest, {label(last.stack)}"))
    return ", and ".join(parts)


def _settled(found: Ranking) -> tuple[str, str]:
    first = found.ranked[0]
    return f"{label(first.stack)} trains fastest", f": {_rate(first)}, {_lead(found)}."


def _provisional(found: Ranking) -> tuple[str, str]:
    first = found.ranked[0]
    if found.passes < PROVISIONAL_BELOW:
        why = f"Provisional: fewer than {PROVISIONAL_BELOW} passes ({found.passes}), so no stack is called fastest."
    else:
        why = "Provisional: the run holds no interval for some of these ratios, so no stack is called fastest."
    return f"{label(first.stack)} was measured ahead", f": {_rate(first)}, {_lead(found)}. {why}"


def _shared(found: Ranking) -> tuple[str, str]:
    first, *others = found.sharing
    names = numbers.words([label(r.stack) for r in found.sharing])
    ratios = [
        f"{label(r.stack)} took {numbers.ratio(v.ratio)} times as long per step ({v.told})"
        for r in others
        for v in [found.against[r.stack.key]]
    ]
    alike = all(found.against[r.stack.key].near for r in others)
    relation = "differ by less than 2 %" if alike else "this run cannot order them"
    text = f", and {relation}. {label(first.stack)}: {_rate(first)}; {numbers.words(ratios)}."
    behind = next((r for r in found.ranked if r not in found.sharing), None)
    if behind is not None:
        versus = found.against[behind.stack.key]
        text += f" Next is {label(behind.stack)} at {numbers.ratio(versus.ratio)} ({versus.interval})."
    return f"{names} share first place", text


def _alone(found: Ranking) -> tuple[str, str]:
    first = found.ranked[0]
    return (
        f"Only {label(first.stack)} has a timing that counts",
        f": {_rate(first)}; there is nothing to compare it with.",
    )


def _asides(work: Work, found: Ranking) -> list[str]:
    out: list[str] = []
    if unfit := [r for r in found.timed if not r.compiled_nothing]:
        names = numbers.words([label(r.stack) for r in unfit])
        verb = "was" if len(unfit) == 1 else "were"
        out.append(f"{names} {verb} timed but not ranked: see status and certificate.")
    bare = [r for r in found.ranked if not certified(r)]
    if bare and len(bare) == len(found.ranked):
        out.append("None of these timings has a valid certificate.")
    elif bare:
        out.append(f"Timing without valid certificate: {numbers.words([label(r.stack) for r in bare])}.")
    out += [
        f"{label(r.stack)} compiled nothing: it is {plain_mode(work, r.stack)} launched once more, and not ranked."
        for r in found.timed
        if r.compiled_nothing
    ]
    if found.untimed:
        out.append(f"No timing: {numbers.words([label(r.stack) for r in found.untimed])}.")
    return out


Judgement: TypeAlias = Literal["in range", "missed", "not judged", "unfinished", "not trained"]


def judgement(row: Row) -> Judgement:
    accuracy = row.accuracy
    if accuracy is None or not accuracy.trainings:
        return "not trained"
    metrics = [t.metric for t in accuracy.trainings]
    if None in metrics:
        return "unfinished"
    if not accuracy.judged or accuracy.low is None or accuracy.high is None:
        return "not judged"
    inside = all(m is not None and accuracy.low <= m <= accuracy.high for m in metrics)
    return "in range" if inside else "missed"


@dataclass(frozen=True)
class AgainstBook:
    """One stack's seeds, trained as the book trained, beside the book's figure: ``metrics`` by seed.

    ``low`` and ``high`` are the range over seeds; ``lower`` and ``upper`` widen it by two binomial standard errors
    where the figures are proportions of ``examples`` test examples. ``within``, of that wider range, is None where
    nothing can be said.
    """

    measure: Measure
    figure: float
    metrics: dict[int, float]
    examples: int | None

    @property
    def low(self) -> float:
        return min(self.metrics.values())

    @property
    def high(self) -> float:
        return max(self.metrics.values())

    @property
    def lower(self) -> float | None:
        return max(0.0, self.low - 2 * error) if (error := self._error(self.low)) is not None else None

    @property
    def upper(self) -> float | None:
        return min(1.0, self.high + 2 * error) if (error := self._error(self.high)) is not None else None

    @property
    def within(self) -> bool | None:
        if self.lower is None or self.upper is None:
            return None
        return self.lower <= self.figure <= self.upper

    @property
    def word(self) -> Literal["within", "outside", "better", "worse", ""]:
        """How the seeds stand to the book's figure; better and worse only where there is no standard error."""
        if self.measure.proportion or self.measure.lower is None:
            return "" if self.within is None else "within" if self.within else "outside"
        if self.low <= self.figure <= self.high:
            return "within"
        return "better" if (self.high < self.figure) == self.measure.lower else "worse"

    def _error(self, share: float) -> float | None:
        if not self.measure.proportion or not self.examples or not 0 <= share <= 1:
            return None
        return math.sqrt(share * (1 - share) / self.examples)


def as_the_book(work: Work, row: Row) -> bool:
    """Whether the stack was trained as the book trained: its recipe, the official data, the declared batch."""
    declared = work.get("batch_size")
    batch = not isinstance(declared, int) or row.batch_size == declared
    return row.accuracy is not None and row.accuracy.recipe == "book" and work.real and batch


def against_book(work: Work, row: Row) -> AgainstBook | None:
    """By the score that the book measured."""
    book = work.book
    if book is None or row.accuracy is None or not as_the_book(work, row):
        return None
    values = {t.seed: value for t in row.accuracy.trainings if (value := book.of(t)) is not None}
    examples = work.data.test_examples if work.data else None
    return AgainstBook(work.measure, book.value, values, examples) if values else None


def seed_range(work: Work, row: Row, figure: Figure | None = None) -> str:
    """Range over seeds and their number: ``0.9795 to 0.9812 over 3 seeds``; of what ``figure`` is about."""
    trainings = row.accuracy.trainings if row.accuracy else []
    values = [figure.of(t) if figure else t.metric for t in trainings]
    found = [value for value in values if value is not None]
    text = work.measure.text
    if len(found) < 2:
        return f"{text(found[0])} with one seed" if found else "no figure"
    return f"{text(min(found))} to {text(max(found))} over {len(found)} seeds"


def _printed_beside(work: Work, figure: Figure) -> str:
    whose = "The book also" if figure.aside else "Another book"
    return f"{whose} prints {work.printed(figure)} ({figure.what})."


def _untimed(work: Work) -> Sentence:
    """The run was not to time training: what it says of accuracy and certificates."""
    asides = ["Training was not timed in this run."]
    failed = [r for r in work.rows if r.status != "ok"]
    if failed:
        asides.append(f"Not all went well: {numbers.words([f'{label(r.stack)} ({_word(work, r)})' for r in failed])}.")
    held = [(r, b) for r in work.rows if (b := against_book(work, r)) is not None]
    if held:
        headline, text = _held(work, held)
        asides += [_printed_beside(work, f) for f in work.figures if not f.held]
        return Sentence("untimed", headline, text, tuple(asides))
    trained = [r for r in work.rows if r.accuracy is not None and r.accuracy.trainings]
    if trained:
        figures = [f"{label(r.stack)} {seed_range(work, r)} ({judgement(r)})" for r in trained]
        headline = f"{work.measure.title} alone was measured"
        return Sentence("untimed", headline, f": {numbers.words(figures)}.", tuple(asides))
    proven = [r for r in work.rows if r.certificate is not None]
    if proven:
        good = sum(certified(r) for r in proven)
        headline = f"{good} of {len(proven)} certificates passed"
        return Sentence("untimed", headline, ".", tuple(asides))
    mine = [a for a in work.result.answers if a.place == work.place]
    if any(a.status == "ok" for a in mine):
        asked = [experiments.schema(name).TITLE.lower() for name in dict.fromkeys(a.part for a in mine)]
        return Sentence(
            "untimed", "Speeds were not compared", f"; answered below: {numbers.words(asked)}.", tuple(asides)
        )
    return Sentence("untimed", "Nothing was measured", "; the reasons are below.", tuple(asides))


def _word(work: Work, row: Row) -> str:
    return row.status.replace("accuracy", work.measure.name).replace("_", " ")


def _held(work: Work, held: list[tuple[Row, AgainstBook]]) -> tuple[str, str]:
    assert work.book is not None
    printed = work.printed(work.book)
    book = f"The book's {printed}" if work.measure.proportion else f"The book's {work.measure.name} of {printed}"
    figures = numbers.words([f"{label(r.stack)} {seed_range(work, r, work.book)}" for r, _ in held])
    if not work.measure.proportion:
        return f"{book} {_standing(held)}", f": {figures}. Held against the range over seeds alone."
    inside = [label(r.stack) for r, b in held if b.within]
    outside = [label(r.stack) for r, b in held if b.within is False]
    if inside and outside:
        headline = f"{book} is met by {numbers.words(inside)}, not by {numbers.words(outside)}"
    elif inside:
        headline = f"{book} is met by {_every(inside)}"
    elif outside:
        headline = f"{book} is not met"
    else:
        headline = f"{book} stands beside these figures"
    examples = held[0][1].examples
    scale = f" Met: within the range over seeds ± 2 standard errors of {examples:,} test examples." if examples else ""
    return headline, f": {figures}.{scale}"


def _standing(held: list[tuple[Row, AgainstBook]]) -> str:
    """Of seeds without standard errors to the book's figure."""
    says = {"better": "is bettered by", "within": "lies among the seeds of", "worse": "is not reached by"}
    groups = {says[w]: [label(r.stack) for r, b in held if b.word == w] for w in says}
    parts = [(verb, names) for verb, names in groups.items() if names]
    if not parts:
        return "stands beside these figures"
    if len(parts) == 1:
        return f"{parts[0][0]} {_every(parts[0][1])}"
    return numbers.words([f"{verb} {numbers.words(names)}" for verb, names in parts])


def _every(names: list[str]) -> str:
    return {1: names[0], 2: "both stacks"}.get(len(names), f"all {len(names)} stacks")


def metric_line(work: Work) -> str:
    """The metric per trained stack, then the figures to hold it against. Empty where the sentence is about it."""
    if not work.timed:
        return ""
    measure = work.measure
    parts = [
        f"{label(r.stack)} {measure.text(value)} ({', '.join(filter(None, [over, judgement(r)]))})"
        for r in work.rows
        if r.accuracy is not None and r.accuracy.trainings
        for value in [final_metric(r)]
        for over in [measure.over(value, work.optimum)]
    ]
    text = f"{measure.title}{measure.direction}: {', '.join(parts)}." if parts else ""
    text = text or f"{measure.title} was not measured."
    if work.optimum is not None:
        text += f" {measure.bound.capitalize()} on this test set {measure.text(work.optimum)}."
    figures = [f" {f.name.capitalize()} {measure.text(f.value)} ({f.what})." for f in work.figures]
    return text + "".join(figures)
