"""Other programs on a workload's data: shown beside the stacks, never ranked with them or put into a ratio."""

from __future__ import annotations

from benchmarks.schema.results import Baseline
from reports import numbers as n
from reports.table import NONE, Cell, Column, Line, Table, words
from reports.work import Work

LABEL = "baseline: other algorithm, not certified, not equal work"


def table(work: Work) -> Table | None:
    """One row per program that ran, a line for each that did not. None where the workload has no baseline."""
    if not work.baselines:
        return None
    units = n.words(dict.fromkeys(f"{b.unit}/s" for b in work.baselines))
    names = dict.fromkeys(name for b in work.baselines for name in b.scores)
    out = Table(
        [
            Column("Program", "version", "not a stack of this suite", number=False),
            Column("Training", f"{units}; time", "throughput in the program's own unit; import and counting excluded"),
            Column("Threads", "", "as many as every stack had"),
            *(Column(name.replace("_", " "), "", "by the same scorer as the stacks'") for name in names),
        ]
    )
    for b in work.baselines:
        rate = b.units_per_second()
        if rate is None:
            out.lines.append(Line((b.label,), words(b.status), b.reason))
            continue
        scores = [Cell(n.score(b.scores[x]), sort=b.scores[x]) if x in b.scores else NONE for x in names]
        speed = Cell(n.number(rate), n.duration(b.seconds), sort=rate)
        name = Cell(b.label, b.version or "", mark=out.mark(about(b)))
        out.rows.append([name, speed, Cell(n.count(b.threads)), *scores])
    return out


def about(b: Baseline) -> str:
    """What the program does and was told, in a sentence."""
    told = ", ".join(f"{name} {value}" for name, value in b.settings.items())
    return f"{b.label}: {b.description}. Recipe {b.recipe}, seed {b.seed}; {told}."


def line(b: Baseline) -> str:
    """For a text without tables."""
    name = " ".join(filter(None, [b.label, b.version]))
    rate = b.units_per_second()
    if rate is None:
        return f"{name} ({LABEL}): {words(b.status)}: {b.reason}."
    scores = n.words(f"{score.replace('_', ' ')} {n.score(value)}" for score, value in b.shares().items())
    return f"{name} ({LABEL}): {n.number(rate)} {b.unit}/s; {scores}."
