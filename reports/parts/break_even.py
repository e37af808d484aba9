"""Where compiling has paid for itself: cumulative curves per framework, and where they cross."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.experiments import typed
from benchmarks.experiments.break_even.curves import BreakEven, derive
from benchmarks.experiments.break_even.schema import Launch, Value, declined
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row
from reports import numbers as n
from reports.break_even_chart import chart
from reports.parts import Section, unanswered, without
from reports.svg import variable
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

NOTES = (
    "A curve is what a training run pays: building, every step, and the first evaluation, which compiles anew for its "
    "batch size, at the end of the first epoch. The import is left out for all. Cold launches get an empty cache "
    "folder, warm ones that of an earlier launch; where neither stack keeps files there, they are of one kind. Beyond "
    "the measured steps a curve goes on at the steady step time; steps taken several at a time are paid call by call. "
    "Break-even is the number of steps from which on the compiled stack has never taken longer, as a geometric mean "
    "over pairs of launches. Pairs of which one was disturbed are left out; where fewer than half would remain there "
    "is no verdict."
)
KEEPS_NONE = "keeps no cache on disk"


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    values: dict[str, Value] = {a.stack: typed(a) for a in answers if a.status == "ok"}
    plain = {key: row.stack.uncompiled for key, row in rows.items()}
    found = derive(answers, {key: row.stack for key, row in rows.items()})
    charts = [
        chart(work, {k: v for k, v in values.items() if base in (k, plain[k])}, rows, base, found, f"{key}{i}")
        for i, base in enumerate(dict.fromkeys(plain[b.stack] for b in found))
    ]
    table = _table(values, rows, found)
    table.lines += without(work, [a for a in answers if a.status != "ok"])
    notes = (NOTES,) if values else ()
    return Section(
        "Compile break-even",
        (_sentence(rows, found) or unanswered(work, answers) or "Nothing was measured that could be held against it.")
        + _declined(rows, values)
        + _disturbed(rows, values),
        charts=charts,
        tables=[(f"Compile break-even of {work.title}", table)],
        notes=notes,
    )


def _table(values: dict[str, Value], rows: dict[str, Row], found: list[BreakEven]) -> Table:
    table = Table(
        [
            Column("Stack", number=False),
            Column("First step done, s", "cold / warm caches", "building included; of a mode with several, the call"),
            Column("Cache, files", "", "files in the cache folder that a warm launch found; the fewest"),
            Column("Steady step, ms"),
            Column("× uncompiled", "interval", "ratio of steady step times"),
            Column("Break-even, steps", "cold caches"),
            Column("Break-even, steps", "warm caches"),
            Column("Disturbed", "launches"),
        ]
    )
    for stack, value in values.items():
        row = rows[stack]
        mine = {b.caches: b for b in found if b.stack == stack}
        kinds = [value.of("cold"), value.of("warm")] if value.keeps_cache else [value.launches]
        first = [median(_first_done(launches)) if launches else None for launches in kinds]
        steady = median(la.steady_seconds for la in value.launches)
        files = min((la.cached_files for la in value.of("warm")), default=0)
        cells = [
            Cell(label(row.stack), swatch=variable(row.stack)),
            Cell(" / ".join(n.NOTHING if s is None else n.number(s) for s in first), sort=first[0]),
            Cell(n.count(files), sort=files) if value.keeps_cache else Cell("none", tone="quiet", sort=0),
            Cell(n.number(steady * 1e3), sort=steady),
        ]
        ratio = next(iter(mine.values())).ratio if mine else None
        cells.append(Cell(n.ratio(ratio.value), n.interval(ratio.low, ratio.high), sort=ratio.value) if ratio else NONE)
        if "none" in mine:
            cells += [_crossing(table, mine["none"]), Cell("the same", KEEPS_NONE, tone="quiet")]
        else:
            cells += [_crossing(table, mine.get("cold")), _crossing(table, mine.get("warm"))]
        hit = _hit(value.launches)
        table.rows.append(
            [*cells, Cell(f"{len(hit)} of {len(value.launches)}", n.words(hit), tone="warn" if hit else "")]
        )
    for how in dict.fromkeys(e.how for b in found for e in (b.ratio, b.steps) if e):
        table.mark(f"Intervals: {how} over pairs of launches.")
    return table


def _crossing(table: Table, b: BreakEven | None) -> Cell:
    if b is None:
        return NONE
    if b.verdict == "disturbed":
        return Cell("disturbed: no verdict", tone="warn")
    if b.steps is None:
        return Cell(b.verdict, tone="quiet" if b.verdict == "undecided" else "")
    mark = table.mark("Beyond the measured steps.") if b.extrapolated else ""
    sub = f"{_steps(b.steps.low)} to {_steps(b.steps.high)}; {_epochs(b)}"
    return Cell(_steps(b.steps.value), sub, sort=b.steps.value, mark=mark)


def _first_done(launches: Iterable[Launch]) -> list[float]:
    return [launch.build_seconds + launch.call_seconds[0] for launch in launches]


def _hit(launches: Iterable[Launch]) -> list[str]:
    """Names of the disturbed launches: ``cold 2``."""
    seen = {"cold": 0, "warm": 0}
    out = []
    for launch in launches:
        seen[launch.caches] += 1
        out += [f"{launch.caches} {seen[launch.caches]}"] if launch.disturbed else []
    return out


def _declined(rows: dict[str, Row], values: dict[str, Value]) -> str:
    """The first thing to know of a compiler that took nothing on."""
    names = [label(rows[s].stack) for s, value in values.items() if declined(rows[s].stack, value)]
    if not names:
        return ""
    told = "left nothing in the cache for compiled code, so nothing was compiled (--measure profile says why)"
    return f" {n.words(names)} {told}."


def _disturbed(rows: dict[str, Row], values: dict[str, Value]) -> str:
    told = [
        f"{'all' if len(hit) == len(value.launches) else n.words(hit)} of {label(rows[s].stack)}"
        for s, value in values.items()
        if (hit := _hit(value.launches))
    ]
    return f" Disturbed launches: {'; '.join(told)}." if told else ""


def _steps(value: float) -> str:
    whole = max(1, round(value))
    return f"{whole:,}" if whole < 1000 else n.number(float(whole))


def _epochs(b: BreakEven) -> str:
    assert b.epochs is not None
    return f"{n.number(b.epochs, 2)} epochs"


def _sentence(rows: dict[str, Row], found: list[BreakEven]) -> str:
    """``PyTorch compile pays after about 2,300 steps (4.6 epochs) with cold caches, 300 with warm ones; ...``."""
    told: dict[str, list[str]] = {}
    for stack in dict.fromkeys(b.stack for b in found):
        mine: dict[str, BreakEven] = {b.caches: b for b in found if b.stack == stack}
        told.setdefault(_outcome(mine), []).append(label(rows[stack].stack))
    if not told:
        return ""
    plain = n.words(dict.fromkeys(label(rows[rows[b.stack].stack.uncompiled].stack) for b in found))
    clauses = "; ".join(f"{n.words(names)} {outcome}" for outcome, names in told.items())
    return f"Against {plain}, {clauses}." if len({b.stack for b in found}) > 1 else f"{clauses} (against {plain})."


def _after(b: BreakEven) -> str:
    assert b.steps is not None
    aside = [f"it {KEEPS_NONE}"] if b.caches == "none" else []
    if b.steps.value < 1.5:
        return "from the first step on" + "".join(f" ({word})" for word in aside)
    return f"after about {_steps(b.steps.value)} steps ({'; '.join([_epochs(b), *aside])})"


def _outcome(mine: dict[str, BreakEven]) -> str:
    words = {"cold": " with cold caches", "warm": " with warm ones", "none": ""}
    paid = [f"{_after(b)}{words[b.caches]}" for b in mine.values() if b.steps]
    lost = [words[b.caches] for b in mine.values() if b.verdict == "disturbed"]
    if paid:
        return f"pays {', '.join(paid)}" + (f"; disturbed: no verdict{lost[0]}" if lost else "")
    first = next(iter(mine.values()))
    if lost:
        return "got no verdict (disturbed)"
    if first.verdict == "never":
        return f"never pays (a step takes {n.ratio(first.ratio.value)} times as long)"
    return "may pay or not: its step takes as long, as far as these launches tell"
