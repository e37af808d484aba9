"""What the processes really used: a line for each default on which stacks of a table differ, and a table of it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.schema.results import Row
from reports import numbers as n
from reports.ranking import TUNED, Ranking, versus
from reports.table import NONE, Cell, Column, Table
from reports.work import Work, label

COMMON = {"onednn": "oneDNN", "cpu_kernels": "CPU kernels", "allocator": "Allocator"}  # every framework has one
UNKNOWN = ("not known", "not said")  # by the process itself
LACKING, NAMED = "built without ", 2  # instruction sets that a line names; the details have them all
OWN = {"optimizer": "Optimiser", "compiled_graphs": "Compiled graphs"}
SWITCH = {"onednn": "TF_ENABLE_ONEDNN_OPTS"}  # variable with which a user decides, where a framework does not


def lines(work: Work, found: Ranking) -> list[str]:
    """A line for each fact on which the stacks of one table differ, or that a switch measured in the run turns.

    None where workers did not read it back.
    """
    return [line for key in COMMON if (line := _line(work, found, (*found.ranked, *found.timed), key))]


def _line(work: Work, found: Ranking, rows: Sequence[Row], key: str) -> str:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if (value := _value(row, key)) and value not in UNKNOWN:
            groups.setdefault(value, []).append(row)
    clauses = _switched(work, found, key)
    if len(groups) < 2:
        return f"{COMMON[key]}: {'; '.join([f'{next(iter(groups))} in all', *clauses])}." if groups and clauses else ""
    parts = []
    for value, mine in sorted(groups.items(), key=lambda group: group[0] == "off"):  # what is on first
        others = [r for other, theirs in groups.items() if other != value for r in theirs]
        who = n.words(_names(mine, others))
        parts.append(f"{_brief(value)} in {who}")
    between = "; " if any("," in _brief(value) for value in groups) else ", "
    default = _by_default(found, rows, key)
    return f"{COMMON[key]}: {'; '.join([between.join(parts) + default, *clauses])}."


def _value(row: Row, key: str) -> str:
    """As the launches read it back, ``on and off`` where they differ; empty where none did."""
    seen = [la.used[key] for la in row.launches if la.status == "ok" and la.used.get(key) is not None]
    return n.words(dict.fromkeys(_word(value) for value in seen))


def _word(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _brief(value: str) -> str:
    """With the first of the instruction sets that a build lacks."""
    kind, lacking, names = value.partition(LACKING)
    sets = names.split()
    if len(sets) <= NAMED:
        return value
    return f"{kind}{lacking}{', '.join(sets[:NAMED])} and {len(sets) - NAMED} more"


def _names(mine: Sequence[Row], others: Sequence[Row]) -> list[str]:
    """A framework where all of its stacks agree, otherwise stack by stack."""
    apart = {row.stack.framework for row in others}
    names = [label(r.stack) if r.stack.framework in apart else r.stack.known.framework for r in mine]
    return list(dict.fromkeys(names))


def _by_default(found: Ranking, rows: Sequence[Row], key: str) -> str:
    """Where nobody decided it otherwise for a documented stack: that each framework did, looking at the CPU."""
    told = any(SWITCH.get(key) in la.environment for row in rows for la in row.launches)
    return "" if key not in SWITCH or found.title == TUNED or told else " (defaults on this CPU)"


def _switched(work: Work, found: Ranking, key: str) -> list[str]:
    """What a switch makes of step times, where this run measured a mode and its twin that turns nothing else."""
    told: dict[str, list[str]] = {}
    pairs = [(plain, other) for plain in found.ranked for other in (found.tuned.ranked if found.tuned else ())]
    for plain, other in pairs:
        twins = (other.stack.kind, other.stack.known.twin_of) == (plain.stack.kind, plain.stack.mode)
        same = other.implementation == plain.implementation
        if key in SWITCH and twins and same and _value(other, key) != _value(plain, key):
            word = f"switched {_value(other, key)}"
            v = versus(work, other, plain)
            sure = "" if v.word in ("faster", "slower") else v.word
            inside = ", ".join(filter(None, [v.interval, sure]))
            verb = "" if word in told else " takes"
            share = n.ratio(v.ratio) + (f" ({inside})" if inside else "")
            told.setdefault(word, []).append(f"{label(plain.stack)}{verb} {share}")
    return [f"{word}, {n.words(shares)} of the time" for word, shares in sorted(told.items(), reverse=True)]


def table(work: Work) -> Table | None:
    """Every stack beside what its workers read back; None where none of them did."""
    rows = [row for row in work.rows if any(la.used for la in row.launches)]
    seen = dict.fromkeys(key for row in rows for la in row.launches for key in la.used)
    names = COMMON | OWN
    keys = [*(key for key in names if key in seen), *(key for key in seen if key not in names)]
    if not keys:
        return None
    titles = ["Stack", *(names.get(key, key.replace("_", " ").capitalize()) for key in keys)]
    shown = Table([Column(title, number=False) for title in titles])
    for row in rows:
        values = [_value(row, key) for key in keys]
        shown.rows.append([Cell(label(row.stack)), *(Cell(value) if value else NONE for value in values)])
    return shown
