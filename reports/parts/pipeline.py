"""Epochs with data resident, from the shared feed and from the framework's own loader."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.experiments import typed
from benchmarks.experiments.pipeline.schema import ENOUGH, Feed, Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Stack
from reports import numbers as n
from reports.parts import Section, disturbed, unanswered, without
from reports.parts.strips import Strip, strips
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

TITLE = "Input pipeline"
VARIES = "share of the loading that did not lengthen the epoch; – where epochs differ by more than the loading takes"
NEAR = 0.05  # of the epoch with data resident: costs nothing
WHOLE = "a whole epoch"
Found = Sequence[tuple[Stack, Value]]


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    stacks = {row.stack.key: row.stack for row in work.rows}
    found = [(stacks[a.stack], typed(a)) for a in answers if a.status == "ok"]
    drawn = [
        Strip(
            stack, f"{stack.known.framework}, {feed.name}", value.ratios(feed), value.ratio(feed), _aside(value, feed)
        )
        for stack, value in found
        for feed in value.feeds[1:]
    ]
    cut = not all(value.whole for _, value in found)
    caption = "Marks: every epoch against one with data resident beside it. Line: loading costs nothing."
    caption += " Epochs are cut, the wait for the first batch is left out." if cut else ""
    chart = strips(drawn, key, TITLE, caption, f"{TITLE}: {work.title}", "time over that with data resident")
    table = _table(work, found)
    table.lines += without(work, answers)
    return Section(
        TITLE,
        _sentence(found) or unanswered(work, answers),
        charts=[chart] if chart else [],
        tables=[(f"{'First steps of epochs' if cut else 'Epochs'} of {work.title}", table)],
        notes=_notes(found),
    )


def _aside(value: Value, feed: Feed) -> str:
    share = value.hidden(feed)
    if value.disturbed(feed):
        return "disturbed"
    return "" if share is None else f"{100 * share:.0f} % of loading hidden"


def _table(work: Work, found: Found) -> Table:
    table = Table(
        [
            Column("Stack", "feed", number=False),
            Column("Steps", "of an epoch"),
            Column("Time", hint="where the epoch is cut: after its first batch"),
            Column(f"{work.unit.capitalize()}/s"),
            Column("× resident"),
            Column("First batch", hint="from asking for an epoch to its first batch: processes, buffers, shuffling"),
            Column("Loading alone"),
            Column("Hidden", hint=VARIES),
            Column("First epoch", hint="with its start: processes, tracing"),
            Column("How it is written", number=False),
        ]
    )
    for stack, value in found:
        for feed in value.feeds:
            took, rate, share = value.seconds(feed), value.samples_per_second(feed), value.hidden(feed)
            loading, ratio, loaded = value.loading_seconds(feed), value.ratio(feed), feed is not value.resident
            mark = disturbed.mark(table, value.beside(feed), "epoch")
            alone = disturbed.mark(table, [(e,) for e in feed.loading], "epoch of loading")
            table.rows.append(
                [
                    Cell(label(stack), feed.name),
                    Cell(f"{value.steps:,}", f"{value.epoch_steps:,}", sort=value.steps),
                    Cell(n.duration(took), sort=took, mark=mark),
                    Cell(n.number(rate), sort=rate),
                    Cell(n.ratio(ratio), sort=ratio) if loaded else NONE,
                    Cell(n.duration(feed.start_seconds), sort=feed.start_seconds) if loaded else NONE,
                    NONE if loading is None else Cell(n.duration(loading), sort=loading, mark=alone),
                    NONE if share is None else Cell(f"{100 * share:.0f} %", sort=share),
                    Cell(n.duration(feed.first_seconds), sort=feed.first_seconds),
                    Cell(feed.written),
                ]
            )
    return table


def _sentence(found: Found) -> str:
    told: dict[str, list[str]] = {}
    untold = []
    for stack, value in found:
        name, best = stack.known.framework, value.best
        if best is not None:
            ratio, share = value.ratio(best), value.hidden(best)
            how = "as long" if abs(ratio - 1) <= NEAR else f"{n.ratio(ratio)} times as long"
            inside = [best.name] + ([] if share is None else [f"{100 * share:.0f} % of its loading hidden"])
            inside += [] if value.whole else [f"after {n.duration(best.start_seconds)} for the first batch"]
            told.setdefault(_much(value), []).append(f"{how} in {name} ({', '.join(inside)})")
        elif value.own:
            untold.append(f"Nothing is said of {name}: most of its epochs were disturbed.")
    out = [
        f"Fed by the framework's own loader {much} {'takes' if much == WHOLE else 'take'}, against the same with data "
        f"resident, {n.words(costs)}."
        for much, costs in told.items()
    ]
    return " ".join(out + untold)


def _much(value: Value) -> str:
    return WHOLE if value.whole else f"the first {value.steps:,} of {value.epoch_steps:,} steps of an epoch"


def _notes(found: Found) -> list[str]:
    cut = [f"{s.known.framework} {v.steps:,} of {v.epoch_steps:,}" for s, v in found if not v.whole]
    out = [f"Images were {text}." for text in dict.fromkeys(v.augmentation for _, v in found) if text]
    if cut:
        limit = max(value.limit_seconds for _, value in found)
        out.append(
            f"Not whole epochs: the first steps ({n.words(cut)}), by this profile's limits (no feed longer than about "
            f"{n.duration(limit)} an epoch). What a loader has buffered before its first batch counts as start-up, so "
            "short cuts flatter it."
        )
    for stack, value in found:
        for feed in value.own:
            places = feed.traced and [*zip(("rows", "columns"), (feed.traced.down, feed.traced.right), strict=True)]
            never = [word for word, counts in places or [] if sum(counts) >= ENOUGH and 0 in counts]
            if never:
                name = stack.known.framework
                out.append(f"In {name} {feed.name} left out one of the 9 {n.words(never)} that a cut may begin at.")
    return out
