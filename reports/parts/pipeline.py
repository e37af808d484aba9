"""Epochs with data resident, from the shared feed and from the framework's own loader."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.answers import Answer
from benchmarks.parts.pipeline.schema import Feed, Value
from benchmarks.results import Stack
from reports import numbers as n
from reports.parts import Section, unanswered, without
from reports.parts.strips import Strip, strips
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, framework_name, label

TITLE = "Input pipeline"
NEAR = 0.05  # of the epoch with data resident: costs nothing


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    stacks = {row.stack.key: row.stack for row in work.rows}
    found = [(stacks[a.stack], a.typed) for a in answers if a.status == "ok"]
    drawn = [
        Strip(stack, feed.name, _ratios(value, feed), aside=_hidden(value, feed))
        for stack, value in found
        for feed in value.feeds[1:]
    ]
    caption = "Marks: every epoch against one with data resident beside it. Line: loading costs nothing."
    chart = strips(drawn, key, TITLE, caption, f"{TITLE}: {work.title}", "epoch over one with data resident")
    table = _table(work, found)
    table.lines += without(work, answers)
    return Section(
        TITLE,
        _sentence(found) or unanswered(work, answers),
        charts=[chart] if chart else [],
        tables=[(f"Epochs of {work.title}", table)],
        notes=_notes(work, found),
    )


def _ratios(value: Value, feed: Feed) -> list[float]:
    return [a / b for a, b in zip(feed.epoch_seconds, value.resident.epoch_seconds, strict=True)]


def _hidden(value: Value, feed: Feed) -> str:
    share = value.hidden(feed)
    return "" if share is None else f"{100 * share:.0f} % of loading hidden"


def _table(work: Work, found: Sequence[tuple[Stack, Value]]) -> Table:
    table = Table(
        [
            Column("Stack", "feed", number=False),
            Column("Epoch"),
            Column(f"{work.unit.capitalize()}/s"),
            Column("× resident"),
            Column("Loading alone"),
            Column("Hidden", hint="share of the loading that did not lengthen the epoch"),
            Column("First epoch"),
            Column("How it is written", number=False),
        ]
    )
    for stack, value in found:
        for feed in value.feeds:
            took, rate, share = median(feed.epoch_seconds), value.samples_per_second(feed), value.hidden(feed)
            loading = median(feed.loading_seconds) if feed.loading_seconds else None
            ratio = value.ratio(feed)
            table.rows.append(
                [
                    Cell(label(stack), feed.name),
                    Cell(n.duration(took), sort=took),
                    Cell(n.number(rate), sort=rate),
                    NONE if feed is value.resident else Cell(n.ratio(ratio), sort=ratio),
                    NONE if loading is None else Cell(n.duration(loading), sort=loading),
                    NONE if share is None else Cell(f"{100 * share:.0f} %", sort=share),
                    Cell(n.duration(feed.first_seconds), sort=feed.first_seconds),
                    Cell(feed.written),
                ]
            )
    return table


def _sentence(found: Sequence[tuple[Stack, Value]]) -> str:
    told = []
    for stack, value in found:
        best = value.best
        if best is None:
            continue
        ratio, share = value.ratio(best), value.hidden(best)
        how = "as long" if abs(ratio - 1) <= NEAR else f"{n.ratio(ratio)} times as long"
        hidden = f"{best.name}, {100 * (share or 0):.0f} % of its loading hidden"
        told.append(f"{how} in {framework_name(stack.framework)} ({hidden})")
    if not told:
        return ""
    return f"Fed by the framework's own loader an epoch takes, against one with data resident, {n.words(told)}."


def _notes(work: Work, found: Sequence[tuple[Stack, Value]]) -> list[str]:
    sizes = n.words(f"{framework_name(stack.framework)} {value.steps:,}" for stack, value in found)
    what = {value.augmentation for _, value in found}
    out = [f"Steps of an epoch as it was cut: {sizes}."] if found else []
    return out + [f"Images were {text}." for text in what if text]
