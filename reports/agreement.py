"""Whether the frameworks learned the same: the verdicts of a workload in a sentence and a table."""

from __future__ import annotations

from benchmarks.schema.comparisons import REFERENCE
from benchmarks.schema.results import Agreement
from benchmarks.workload.metrics import amount, percent
from reports import numbers as n
from reports.table import NONE, Cell, Column, Table, Tone
from reports.work import Work, label

TONES: dict[str, Tone] = {"agree": "good", "differ": "bad", "not shown": "warn", "not judged": "quiet"}


def judged(work: Work) -> list[Agreement]:
    """The agreements of this workload variant."""
    return [a for a in work.result.agreements if a.place == work.place]


def sentence(work: Work) -> str:
    """The verdicts, the worst first; empty where the run compares no trainings."""
    found, metric = judged(work), work.measure.name
    said: list[str] = []
    if pairs := _pairs(work, "differ"):
        said.append(f"Frameworks differ in what they learn: {pairs}.")
    if pairs := _pairs(work, "not shown"):
        said.append(f"Agreement in {metric} is not shown: {pairs}.")
    if why := dict.fromkeys(a.why for a in found if a.verdict == "not judged"):
        said.append(f"Agreement in {metric} is not judged: {n.words(why)}.")
    if found and not said:
        said.append(f"The frameworks agree in {metric}.")
    return " ".join(said)


def _pairs(work: Work, verdict: str) -> str:
    names = _names(work)
    return "; ".join(f"{names[a.first]} and {names[a.second]}" for a in judged(work) if a.verdict == verdict)


def _names(work: Work) -> dict[str, str]:
    names = {a: a for found in judged(work) for a in (found.first, found.second)}  # of rows that are not shown
    return names | {row.stack.key: label(row.stack) for row in work.rows} | {REFERENCE: "the declared reference"}


def table(work: Work) -> Table | None:
    """A row per pair: verdict, what the seeds show beside what is asked, and the training losses."""
    found, names, measure = judged(work), _names(work), work.measure
    if not found:
        return None
    locked = found[0].kind == "seed-locked"
    hint = "largest difference of a seed" if locked else "mean difference over seeds, 95 % confidence on either side"
    out = Table(
        [
            Column("Pair", "seeds", number=False),
            Column("Verdict", "", "; ".join(TONES)),
            Column(f"{measure.title} within", "limit", hint),
            Column("Training loss within", "limit", "mean over all epochs; the seed that differs most"),
        ]
    )
    for a in found:
        seeds = n.plural(len(a.seeds), "seed")
        loss = NONE
        if a.loss_difference is not None:
            limit = "not judged" if a.loss_margin is None else percent(a.loss_margin)
            loss = Cell(percent(a.loss_difference), limit, sort=a.loss_difference)
        shown = n.NOTHING if a.needed is None else amount(a.needed, measure)
        out.rows.append(
            [
                Cell(f"{names[a.first]} and {names[a.second]}", seeds),
                Cell(a.verdict, tone=TONES[a.verdict], mark=out.mark(a.why)),
                Cell(shown, amount(a.margin, measure), sort=a.needed),
                loss,
            ]
        )
    return out
