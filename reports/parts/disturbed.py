"""How parts tell of calls that others' work ran beside."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.experiments.quiet import is_quiet, mostly_disturbed
from benchmarks.schema.samples import Sample
from reports import numbers as n
from reports.table import Table


def mark(table: Table, groups: Sequence[Sequence[Sample]], noun: str) -> str:
    """The letter of a note on the disturbed ones of ``groups``, each a ``noun``; empty where all were quiet."""
    count = sum(not is_quiet(group) for group in groups)
    if not count:
        return ""
    most = mostly_disturbed(groups)
    what = "all are counted and nothing is concluded from them" if most else "the figure is that of the others"
    return table.mark(f"Disturbed: other work ran beside {count} of {n.plural(len(groups), noun)}; {what}.")
