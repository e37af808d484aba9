"""How soon each framework reaches the declared target, in steps and apart from that in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.lines import Line2D

from benchmarks.experiments import typed
from benchmarks.experiments.time_to_accuracy.compare import MARGIN, Pair, Unit, comparable, compare
from benchmarks.experiments.time_to_accuracy.schema import Value
from benchmarks.experiments.time_to_accuracy.survival import Time, median, median_interval, waiting
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row
from reports import cost, svg
from reports import numbers as n
from reports.charts import Chart
from reports.drawing import drawing, legend, legend_height, look
from reports.parts import Section, unanswered, without
from reports.svg import variable
from reports.table import Cell, Column, Table, Tone
from reports.work import Work, label

NOTE = (
    "The target was declared beforehand ({protocol}). {validation} examples of the training data are held out to "
    "judge; the test set takes no part. A training ends at the first evaluation that reaches the target, one every "
    "{every} steps, or with its recipe after {steps} steps: then it is censored, which the estimate of Kaplan and "
    "Meier keeps in count. Seconds run from building the model on, compiling with empty caches included; import and "
    "evaluation are left out."
)
PAIRS_NOTE = (
    "Stacks are compared by seed: t tests on logarithms of ratios, simultaneous over the pairs (Holm, 5 %). Equal says "
    f"that two one-sided t tests put the ratio within {100 * MARGIN:.0f} %, what lies between two evaluations taken "
    "off; a mean difference smaller than that distance decides nothing. Seconds leave out seeds of which either "
    "training was disturbed; with fewer than half left there is no verdict. A stack that missed the target with some "
    "seed is not compared."
)


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: list[tuple[Row, Value]] = [(rows[a.stack], typed(a)) for a in answers if a.status == "ok"]
    found.sort(key=lambda f: (median(f[1].second_times) is None, median(f[1].second_times) or 0.0))
    table = _table(work, found)
    table.lines += without(work, [a for a in answers if a.status != "ok"])
    names = {row.stack.key: label(row.stack) for row, _ in found}
    values = {row.stack.key: value for row, value in found}
    pairs: dict[Unit, list[Pair]] = {unit: compare(values, unit) for unit in ("seconds", "steps")}
    tables = [(f"Time to accuracy of {work.title}", table)]
    if pairs["seconds"]:
        tables.append((f"Time to accuracy of {work.title}, pair by pair", _pairs(pairs, names)))
    charts = [_chart(work, found, unit, f"{key}{unit}") for unit in ("seconds", "steps")] if found else []
    return Section(
        "Time to accuracy",
        _sentence(work, found) + _compared(values, pairs, names) + _disturbed(found) or unanswered(work, answers),
        charts=charts,
        tables=tables,
        notes=[_note(work, found[0][1]), *([PAIRS_NOTE] if pairs["seconds"] else [])] if found else (),
    )


def _note(work: Work, value: Value) -> str:
    protocol = (work.recipe(value.recipe).get("target") or {}).get("protocol", "its protocol is not in this result")
    numbers = {"validation": n.count(value.validation_examples), "every": n.count(value.every)}
    return NOTE.format(protocol=protocol, steps=n.count(value.steps), **numbers)


def _table(work: Work, found: list[tuple[Row, Value]]) -> Table:
    table = Table(
        [
            Column("Stack", number=False),
            Column("Reached", "seeds"),
            Column("Steps", "median, interval"),
            Column("Seconds", "median, interval"),
            Column("Evaluation, s", "not counted", "mean over seeds"),
            Column("Disturbed", "seeds"),
        ]
    )
    price = work.result.options.price_per_hour
    table.columns += [Column("Cost", f"at {n.number(price)} an hour")] if price else []
    for row, value in found:
        seconds, hit = median(value.second_times), _hit(value)
        evaluation = sum(t.evaluation_seconds for t in value.trainings) / len(value.trainings)
        cells = [
            Cell(label(row.stack), swatch=variable(row.stack)),
            Cell(f"{value.count_reached} of {len(value.trainings)}", sort=value.count_reached / len(value.trainings)),
            _median(value.step_times, _count),
            _median(value.second_times, n.number),
            Cell(n.number(evaluation), sort=evaluation),
            Cell(
                f"{len(hit)} of {len(value.trainings)}",
                n.words(map(str, hit)),
                sort=len(hit),
                tone="warn" if hit else "",
            ),
        ]
        cells += [Cell(n.number(cost.of(seconds, price)), sort=seconds)] if price else []
        table.rows.append(cells)
    for count in sorted({len(value.trainings) for _, value in found}):
        sure = median_interval([Time(value=1.0, happened=True)] * count).confidence
        table.mark(f"Interval over {n.plural(count, 'seed')}: holds the median with {100 * sure:.0f} % confidence.")
    return table


def _count(steps: float) -> str:
    return f"{steps:,.0f}"


def _median(times: list[Time], text: Callable[[float], str]) -> Cell:
    centre, interval = median(times), median_interval(times)
    high = "not reached" if interval.high is None else text(interval.high)
    told = "not reached" if centre is None else text(centre)
    return Cell(told, f"{text(interval.low)} to {high}", sort=centre)


def _sentence(work: Work, found: list[tuple[Row, Value]]) -> str:
    if not found:
        return ""
    value, measure = found[0][1], work.measure
    times = [(label(row.stack), median(v.step_times), median(v.second_times)) for row, v in found]
    there = [(name, steps, seconds) for name, steps, seconds in times if steps is not None and seconds is not None]
    provisional = [len(v.trainings) for _, v in found if v.provisional]
    aside = f"provisional, {n.plural(min(provisional), 'seed')}" if provisional else ""
    target = f"{measure.name} {measure.text(value.target)} on validation data"
    missed = [name for name, _, seconds in times if seconds is None]
    short = f" {n.words(missed)} did not, in most seeds." if missed else ""
    if not there:
        told = f" ({aside})" if aside else ""
        return f"No framework reached {target} within {value.steps:,} steps in most of its seeds{told}."
    clauses = n.words(f"{name} after {n.number(seconds)} s" for name, _, seconds in there)
    return f"{target[:1].upper()}{target[1:]} is reached by {clauses} ({aside or 'medians over seeds'}).{short}"


def _hit(value: Value) -> list[int]:
    """Seeds whose training was disturbed."""
    return [t.seed for t in value.trainings if t.disturbed]


def _disturbed(found: list[tuple[Row, Value]]) -> str:
    told = [
        f"{'seed' if len(hit) == 1 else 'seeds'} {n.words(map(str, hit))} of {label(row.stack)}"
        for row, value in found
        if (hit := _hit(value))
    ]
    return f" Disturbed while they trained: {'; '.join(told)}." if told else ""


def _compared(values: dict[str, Value], pairs: dict[Unit, list[Pair]], names: dict[str, str]) -> str:
    """Which are apart in seconds, and which in steps, that is apart from speed."""
    if len(values) < 2 or all(value.provisional for value in values.values()):
        return ""
    if len(comparable(values)) < 2:
        return " Nothing is compared, because it was missed with some seed."
    return "".join(f" In {unit} {_verdicts(unit, found, names)}." for unit, found in pairs.items())


def _verdicts(unit: Unit, pairs: list[Pair], names: dict[str, str]) -> str:
    alike = "as long as" if unit == "seconds" else "as many as"
    ahead: dict[str, list[str]] = {}
    for p in pairs:
        if p.verdict in ("sooner", "later"):
            first, second, ratio = (
                (p.first, p.second, p.ratio) if p.verdict == "sooner" else (p.second, p.first, 1 / p.ratio)
            )
            ahead.setdefault(names[first], []).append(f"{n.ratio(ratio)} times {alike} {names[second]}")
    clauses = [f"{name} takes {n.words(than)}" for name, than in ahead.items()]
    for verdict in ("equal", "disturbed", "undecided"):
        of = [p for p in pairs if p.verdict == verdict]
        if not of:
            continue
        seeds = " or ".join(map(str, sorted({p.seeds for p in of})))
        word = _word(of[0]) if verdict == "disturbed" else f"{_word(of[0])} at {seeds} seeds"
        if verdict == "undecided":  # the table tells which
            clauses.append(f"otherwise {word}" if clauses else word)
        else:
            whom = n.words(f"{names[p.first]} against {names[p.second]}" for p in of)
            clauses.append(word if len(of) == len(pairs) else f"{word}: {whom}")
    return "; ".join(clauses)


def _word(p: Pair) -> str:
    if p.verdict == "disturbed":
        return "disturbed: no verdict"
    return p.verdict + (f" within {100 * MARGIN:.0f} %" if p.verdict == "equal" else "")


def _pairs(pairs: dict[Unit, list[Pair]], names: dict[str, str]) -> Table:
    table = Table([Column("Stack", number=False), Column("against", number=False)])
    for unit, alike in (("seconds", "as long"), ("steps", "as many")):
        table.columns += [Column(f"{unit.capitalize()}, ×", "interval", f"times {alike}")]
        table.columns += [Column(f"in {unit}", "seeds", number=False)]
    for seconds, steps in zip(pairs["seconds"], pairs["steps"], strict=True):
        table.rows.append([Cell(names[seconds.first]), Cell(names[seconds.second]), *_cells(seconds), *_cells(steps)])
    return table


def _cells(p: Pair) -> list[Cell]:
    tones: dict[str, Tone] = {"undecided": "quiet", "disturbed": "warn"}
    ratio = Cell(n.ratio(p.ratio), n.interval(p.low, p.high), sort=p.ratio)
    return [ratio, Cell(_word(p), n.plural(p.seeds, "seed"), tone=tones.get(p.verdict, ""))]


def _chart(work: Work, found: list[tuple[Row, Value]], unit: str, key: str) -> Chart:
    """Share of seeds that have reached the target; a tick where a training ended without."""
    handles, ends = [], []
    with drawing():
        below = legend_height(len(found))
        fig = svg.figure(210.0 + below)
        axes = svg.area(fig, left=56, right=24, top=8, bottom=36 + below)
        for row, value in found:
            times = value.second_times if unit == "seconds" else value.step_times
            style = {"color": look(row.stack)["color"], "linewidth": 1.4}
            x, y = _steps(times)
            axes.plot(x, y, drawstyle="steps-post", zorder=3, **style)
            censored = [t.value for t in times if not t.happened]
            axes.plot(censored, [y[-1]] * len(censored), "|", markersize=9, zorder=4, **style)
            ends.append(x[-1])
            handles.append(Line2D([], [], label=svg.short(label(row.stack), 30), **style))
        axes.set(xlim=(0, max(ends) * 1.04), ylim=(0, 1.04), xlabel=unit, ylabel="share of seeds that reached it")
        axes.grid(axis="y")
        legend(fig, handles)
    title = f"Target reached, by {unit}"
    caption = "Share of seeds (Kaplan and Meier). Tick: a training that ended without reaching it."
    return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, per framework"))


def _steps(times: list[Time]) -> tuple[list[float], list[Any]]:
    """Corners of the curve, to the last time of all."""
    course = [(0.0, 0.0), *((value, 1 - share) for value, share in waiting(times))]
    course.append((max(t.value for t in times), course[-1][1]))
    return [x for x, _ in course], [y for _, y in course]
