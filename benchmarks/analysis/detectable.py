"""How small a difference the passes of a run can find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from benchmarks.analysis import ratios
from benchmarks.analysis.pilot import LEAST
from benchmarks.analysis.ratios import FAMILY_ERROR
from benchmarks.analysis.verdicts import families, groups, undisturbed_pair
from benchmarks.schema.budget import Finds
from benchmarks.schema.results import Row


def detectable(passes: int, sd: float, *, pairs: int = 1) -> float:
    """The ratio of step times that a paired t test over ``passes`` finds with a probability of 90 %.

    ``sd`` is of log step times over launches of one stack. All ``pairs`` are assumed close, the worst case of the
    step-down procedure of the verdicts.
    """
    if passes < 2:
        return math.inf
    return math.exp(float(ratios.detectable(sd * math.sqrt(2 / passes), passes - 1, FAMILY_ERROR / pairs)))


def finds(rows: Sequence[Row]) -> list[Finds]:
    """What the passes of each workload variant could find, by the spread of its own launches.

    Only what verdicts rest on: no canary, no disturbed rounds, no passes that stayed disturbed. Of the largest family
    of pairs, which finds least. Nothing of a workload of which no two stacks share two such passes.
    """
    out = []
    for group in groups(rows):
        compared = [
            [p for a, b in family if (p := undisturbed_pair(a, b)) is not None and len(p.a) > 1]
            for family in families(group)
        ]
        pairs = max(compared, key=len)
        pairs = [p for p in pairs if p.judged] or pairs
        if not pairs:
            continue
        logs = [[math.log(a / b) for a, b in zip(p.a, p.b, strict=True)] for p in pairs]
        squares = sum((x - fmean(row)) ** 2 for row in logs for x in row)
        spread = math.sqrt(squares / sum(len(row) - 1 for row in logs) / 2)
        passes = min(map(len, logs))
        out.append(
            Finds(
                workload=group[0].workload,
                variant=group[0].variant,
                stacks=len({name for p in pairs for name in (p.first, p.second)}),
                pairs=len(pairs),
                passes=passes,
                spread=spread,
                ratio=detectable(passes, spread, pairs=len(pairs)) if passes >= LEAST else None,
            )
        )
    return out
