"""Where each stack's step goes: host, kernels, copies, idle; and what makes the slower stacks slower."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Patch

from benchmarks.experiments import typed
from benchmarks.experiments.profile.schema import PARTS, Compilation, Operator, Value
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Row, Stack
from benchmarks.schema.run_info import compiled_nothing
from reports import numbers as n
from reports import svg
from reports.charts import Chart
from reports.drawing import across, drawing
from reports.parts import Section, disturbed, unanswered, without
from reports.svg import INK, MUTED, WIDTH, variable
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

SHOWN = 5  # operators per stack
CLOSE = 1.1  # ratio of step times below which a stack is not called slower
MOST = 0.5  # share of the difference from which on one part explains it
DISTORTED = 1.5  # slow-down by the profiler from which on the split is doubted
WORDS = {
    "kernels": "in the operators themselves",
    "copies": "in copies",
    "host": "on the host, in Python and the framework's dispatch",
    "idle": "waiting",
}
STRETCH = "Disturbed: other work ran beside the profiled steps; nothing is concluded from them."
NOTE = (
    "Kernels: an operator computes, on any thread or stream. Copies: data are only moved. Idle: the host waits for a "
    "GPU that has nothing to do; on a CPU, no thread ran. Host: the rest. Bars are the step time without the "
    "profiler, divided as the profiled steps were; on a CPU an operator's own dispatch counts with its kernel."
)
Found = list[tuple[Row, Value]]


def show(work: Work, answers: Sequence[Answer], key: str) -> Section:
    rows = {row.stack.key: row for row in work.rows}
    found: Found = [(rows[a.stack], typed(a)) for a in answers if a.status == "ok"]
    found.sort(key=lambda f: f[1].step_seconds)
    split = _split_table(found)
    split.lines += without(work, answers)
    tables = [(f"Profile of {work.title}", split)]
    if found:
        tables.append((f"Operators of {work.title}, longest first", _operator_table(found)))
    return Section(
        "Why is it slower",
        _sentence(found) or unanswered(work, answers),
        charts=[_chart(work, found, key)] if found else [],
        tables=tables,
        caveats=_flags(found),
        notes=[NOTE, f"Traces, in the run's folder: {_traces(found)}. Open them in ui.perfetto.dev."] if found else [],
    )


def _flags(found: Found) -> list[str]:
    """Where a stack's work is not as declared; stacks of which the same is true share a sentence."""
    told: dict[str, list[str]] = {}
    for row, value in found:
        for flag in value.flags or []:
            told.setdefault(flag.sentence, []).append(label(row.stack))
    flags = [f"Flag, {n.words(names)}: {sentence}" for sentence, names in told.items()]
    unlisted = [f"{label(row.stack)} is not checked for flags: {v.unlisted}." for row, v in found if v.unlisted]
    return [*flags, *unlisted]


def _traces(found: Found) -> str:
    """The name of the only one, or a pattern: they begin with the workload's name."""
    names = {value.trace for _, value in found}
    return n.words(names if len(names) == 1 else sorted({f"{name.split('-')[0]}-*.json.gz" for name in names}))


def _split_table(found: Found) -> Table:
    table = Table(
        [
            Column("Stack", number=False),
            Column("Step, ms", "slow-down by the profiler"),
            *(Column(part.capitalize(), hint="share of the profiled wall time") for part in PARTS),
            Column("Graphs", "graph breaks / made again"),
        ]
    )
    for row, value in found:
        mark = ""
        if value.slow_down > DISTORTED:
            mark = table.mark(
                "The profiler slowed these steps so much that what it saw may not be how they usually go."
            )
        beside = disturbed.mark(table, [(b,) for b in value.unprofiled], "block")
        stretch = table.mark(STRETCH) if value.profiled.disturbed else ""
        shares = [value.split.share(part) for part in PARTS]
        table.rows.append(
            [
                Cell(label(row.stack), swatch=variable(row.stack), mark=stretch),
                Cell(
                    n.number(value.step_seconds * 1e3),
                    f"× {n.ratio(value.slow_down)}",
                    sort=value.step_seconds,
                    mark=", ".join(filter(None, (mark, beside))),
                ),
                *(Cell(n.percent(share), sort=share) for share in shares),
                _graphs(table, value.compilation),
            ]
        )
    return table


def _graphs(table: Table, made: Compilation | None) -> Cell:
    if made is None:
        return NONE
    breaks = n.NOTHING if made.graph_breaks is None else f"{made.graph_breaks:,}"
    mark = table.mark(f"Why: {_reasons(made)}") if made.reasons else ""
    return Cell(f"{made.graphs:,}", f"{breaks} / {made.recompiles:,}", sort=made.graphs, mark=mark)


def _operator_table(found: Found) -> Table:
    table = Table(
        [
            Column("Stack", number=False),
            Column("Operator", number=False),
            Column("Own time, ms per step"),
            Column("Calls per step"),
            Column("Share", hint="of the own times of all operators, host included"),
        ]
    )
    for row, value in found:
        for operator in value.operators[:SHOWN]:
            table.rows.append(_operator(row.stack, operator, value))
    return table


def _operator(stack: Stack, operator: Operator, value: Value) -> list[Cell]:
    each, calls = operator.seconds / value.steps, operator.calls / value.steps
    share = operator.seconds / value.operator_seconds
    return [
        Cell(label(stack), swatch=variable(stack)),
        Cell(svg.short(operator.name), operator.kind),
        Cell(n.number(each * 1e3), sort=each),
        Cell(n.number(calls), sort=calls),
        Cell(n.percent(share), sort=share),
    ]


def _chart(work: Work, found: Found, key: str) -> Chart:
    with drawing():
        fig = svg.figure(36.0 * len(found) + 66)
        axes = svg.area(fig, left=8, right=24, top=4, bottom=62)
        for y, (row, value) in enumerate(found):
            left = 0.0
            for shade, part in enumerate(PARTS):
                width = value.per_step(part) * 1e3
                colour = svg.colour(row.stack, shade)
                axes.barh(y, width, left=left, height=0.34, color=colour, linewidth=0)
                left += width
            axes.text(0, y - 0.24, svg.short(label(row.stack)), va="bottom", ha="left", color=INK)
        longest = max(value.step_seconds for _, value in found) * 1e3
        axes.set(xlim=(0, longest * 1.04), ylim=(len(found) - 0.6, -0.8))
        across(axes, "milliseconds per step")
        handles = [
            Patch(color=MUTED, alpha=1 - svg.TOWARDS[shade], linewidth=0, label=part)
            for shade, part in enumerate(PARTS)
        ]
        fig.legend(
            handles=handles, loc="lower left", ncols=4, bbox_to_anchor=(8 / WIDTH, 0), handlelength=1, borderpad=0
        )
        title = "Where a step goes"
        caption = "Step time without the profiler, divided as the profiled steps were."
        return Chart(title, caption, svg.inline(fig, key, f"{title}: {work.title}, per stack"))


def _sentence(found: Found) -> str:
    """Of the stacks that nothing disturbed; the others are named."""
    lost = [label(row.stack) for row, value in found if value.disturbed]
    untold = f"Nothing is said of {n.words(lost)}: other work ran beside." if lost else ""
    return f"{_compared([f for f in found if not f[1].disturbed])}{_declined(found)} {untold}".strip()


def _compared(found: Found) -> str:
    """Each slower stack against the fastest, its difference laid to the parts that grew."""
    if not found:
        return ""
    (first, fastest), rest = found[0], found[1:]
    largest = max(PARTS, key=fastest.split.share)
    out = f"{label(first.stack)} spends {n.percent(fastest.split.share(largest))} of its step {WORDS[largest]}"
    slower = [(row, v) for row, v in rest if v.step_seconds > CLOSE * fastest.step_seconds]
    if not slower:
        return f"{out}{'; no other stack is clearly slower' if rest else ''}."
    told: dict[str, list[str]] = {}
    for row, value in slower:
        more = n.milliseconds(value.step_seconds - fastest.step_seconds)
        told.setdefault(_cause(value, fastest), []).append(f"{label(row.stack)} (+{more}{_longest(value)})")
    clauses = "; ".join(f"{n.words(names)} mostly {cause}" for cause, names in told.items())
    doubted = [label(row.stack) for row, value in found if value.slow_down > DISTORTED]
    doubt = f" The profiler itself slowed {n.words(doubted)} much, so take that with care." if doubted else ""
    return f"{out} and is the fastest here. The others lose their time, as far as the profile shows: {clauses}.{doubt}"


def _reasons(made: Compilation) -> str:
    """As the compiler gave them, without its hints on what to do."""
    return " ".join(f"{reason.split(' Hint:')[0].strip().rstrip('.')}." for reason in made.reasons)


def _longest(value: Value) -> str:
    """The operator that computes longest, empty where computing is not most of the step."""
    kernels = [o for o in value.operators if o.kind == "kernel"]
    if not kernels or value.split.share("kernels") < MOST:
        return ""
    longest = kernels[0]
    return f"; longest operator {svg.short(longest.name)}, {n.percent(longest.seconds / value.operator_seconds)}"


def _declined(found: Found) -> str:
    """Stacks that are compiled in name only."""
    made = [(label(row.stack), v.compilation) for row, v in found if v.compilation]
    return "".join(
        f" {name} compiled nothing, so its steps are those of the mode without a compiler"
        + (f": {_reasons(compilation)}" if compilation.reasons else ".")
        for name, compilation in made
        if compiled_nothing([compilation.graphs])
    )


def _cause(value: Value, fastest: Value) -> str:
    """The part that makes up most of the difference, or the two that grew most."""
    more = {part: value.per_step(part) - fastest.per_step(part) for part in PARTS}
    ordered = sorted(more, key=lambda part: -more[part])
    if more[ordered[0]] >= MOST * (value.step_seconds - fastest.step_seconds):
        return WORDS[ordered[0]]
    return f"{WORDS[ordered[0]]} and {WORDS[ordered[1]]}"
