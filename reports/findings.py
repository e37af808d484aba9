"""How sound the timings of one :class:`Work` are, in sentences: disturbance, groups, stalls, carry-over, isolation."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean, median

from benchmarks.schema.results import Isolated, Row
from reports import numbers as n
from reports.work import Work, label, measured

STALLS = 1.03  # mean over median above which the median hides something
SIGNIFICANT = 0.05


def findings(work: Work) -> list[str]:
    """Everything worth a sentence beside the table of disturbances; nothing for results that hold no such facts."""
    return [*_repeats(work), *_groups(work), *_stalls(work), *_carry_over(work)]


def _names(work: Work) -> dict[str, str]:
    return {row.stack.key: label(row.stack) for row in work.rows}


def _repeats(work: Work) -> Iterator[str]:
    timed = [(la.pass_index, b) for row in work.rows for la in measured(row) for b in la.blocks]
    found = {(index, b.round) for index, b in timed if b.round_disturbed}
    again = {(index, b.round) for index, b in timed if b.repeats is not None}
    if found:
        yield (
            f"{n.plural(len(found), 'round')} of this workload {'was' if len(found) == 1 else 'were'} disturbed and "
            f"{len(again):,} measured again for all stacks; figures are from quiet rounds, and all blocks are kept."
        )
    passes = sorted({p for row in work.rows for p in row.disturbed_passes()})
    if passes:
        yield (
            f"Too few rounds were quiet in {n.words(f'pass {p + 1}' for p in passes)}: no verdict may rest on that, "
            "and the step times of such passes are over all rounds."
        )


def _groups(work: Work) -> Iterator[str]:
    for row in work.rows:
        for found in row.multimodal:
            where = "launches" if found.pass_index is None else f"blocks of pass {found.pass_index + 1}"
            yield (
                f"{label(row.stack)}: the {where} fall into two groups, {found.low_count} at "
                f"{n.milliseconds(found.low_seconds)} and {found.high_count} at {n.milliseconds(found.high_seconds)} a "
                "step; the median says little of either."
            )


def mean_over_median(row: Row) -> float | None:
    """The largest over the passes of a row, of its blocks and of its unbroken stretch; None without blocks."""
    found = []
    for la in measured(row):
        steps = [b.seconds / b.steps for b in la.counted_blocks]
        found += [mean(steps) / median(steps), *([la.stretch.mean_over_median] if la.stretch else [])]
    return max(found, default=None)


def _stalls(work: Work) -> Iterator[str]:
    for row in work.rows:
        worst = max((la.stretch.mean_over_median for la in measured(row) if la.stretch), default=0.0)
        if worst > STALLS:
            yield (
                f"{label(row.stack)} stalls now and then: in an unbroken stretch the mean step takes {worst:.2f} times "
                "the median."
            )


def _carry_over(work: Work) -> Iterator[str]:
    names = _names(work)
    for c in work.result.carry_over:
        if c.place == work.place:
            size = f"{(c.effect - 1) * 100:+.1f} % after {names.get(c.preceding, c.preceding)}"
            if c.p < SIGNIFICANT:
                yield (
                    f"Blocks depend on the stack timed before them (p {c.p:.3f}, if they vary independently "
                    f"otherwise); the largest effect is {size}."
                )
            else:
                yield f"No carry-over from the stack timed before is seen (p {c.p:.2f}; the largest effect is {size})."


def alone(work: Work) -> str:
    """Whether the verdicts stand with each top stack alone on the machine. Empty without ``--solo``."""
    for found in work.result.isolated:
        if found.place == work.place:
            return _alone(found, _names(work))
    return ""


def _alone(found: Isolated, names: dict[str, str]) -> str:
    if not found.standings:
        return "Measured again alone: no two stacks could be compared."
    by: dict[str, list[str]] = {}
    for s in found.standings:
        pair = f"{names.get(s.first, s.first)} against {names.get(s.second, s.second)}"
        ratios = f"{n.ratio(s.ratio)} together, {n.ratio(s.isolated_ratio)} alone"
        told = f"{pair}: {s.interleaved} together, {s.isolated} alone" if s.stands == "falls" else pair
        by.setdefault(s.stands, []).append(f"{told} ({ratios})")
    says = {
        "falls": "With each stack alone on the machine other verdicts follow for",
        "stands": "Alone on the machine the same verdict follows for",
        "open": "Alone or together one of the two verdicts is open for",
    }
    return " ".join(f"{text} {n.words(by[word])}." for word, text in says.items() if word in by)
