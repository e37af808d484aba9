"""The schema of what ``--budget`` came to: time taken, passes given up on the way, what the passes could find.

Part of the result schema (:mod:`benchmarks.schema.results`).
"""

from __future__ import annotations

from benchmarks.schema.samples import OfWorkload, Strict, field


class Cut(OfWorkload):
    """Passes of a workload that the time did not allow, decided by times alone and never by a ratio."""

    planned: int = field("passes planned, by estimate")
    passes: int = field("passes made", ge=1)
    spent_seconds: float = field("time the run had taken when that was decided", gt=0)


class Finds(OfWorkload):
    """What the passes of a workload could find, with the spread of its own launches."""

    stacks: int = field("stacks compared, without the canary")
    pairs: int = field("pairs of them that are judged together")
    passes: int = field("passes, disturbed ones left out, of the pair that has fewest")
    spread: float = field(
        "standard deviation of log step seconds over launches of one stack, from the log ratios of pairs over passes"
    )
    ratio: float | None = field(
        "the smallest ratio above 1 that these passes find with a probability of 90 % if all pairs are close; None "
        "below 5 passes, where every verdict is provisional",
        default=None,
    )


class Budget(Strict):
    """What became of ``--budget``."""

    spent_seconds: float | None = field("time taken, all sessions of the run together; None before any is known")
    cuts: list[Cut] = field("workload variants that got fewer passes than planned")
    finds: list[Finds] = field("one per workload variant with two passes or more")
