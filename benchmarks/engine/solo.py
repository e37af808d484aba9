"""``--isolated``: the top stacks of a workload measured again, one worker on the machine at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.analysis.verdicts import compare_all
from benchmarks.engine.journal import Event
from benchmarks.engine.orders import launch_order
from benchmarks.engine.plan import Entry
from benchmarks.schema.results import Alone, Comparison, Isolated, Launch, Row, Standing
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.engine.run import Run

ALONE = "!alone"  # after a row's name in the journal
FASTEST = 3
DECIDED = ("faster", "slower", "equivalent")


def measure_isolated(run: Run, entry: Entry, workload: Workload, rows: Sequence[Row]) -> None:
    """Every pass that the journal does not hold yet, of the stacks that ``rows`` put on top; their choice is kept."""
    if not run.journal.of("isolated", workload=entry.key):
        run.journal.add("isolated", workload=entry.key, stacks=top(rows))
    keys = chosen(run.journal.events, entry.key)
    planned = [p for p in entry.runnable() if p.stack.key in keys]
    for index in range(len(run.journal.of("pass", workload=entry.key))):
        if run.journal.of("isolated_pass", workload=entry.key, index=index):
            continue
        for i in launch_order(len(planned), seed=run.options.seed, workload=f"{entry.key}{ALONE}", pass_index=index):
            run.group(entry, workload, index, [planned[i]], interleaved=False, alone=True)
        run.journal.add("isolated_pass", workload=entry.key, index=index)


def top(rows: Sequence[Row]) -> list[str]:
    """Keys of the fastest three stacks that ended well, and of those that the run cannot tell from the fastest.

    Of the documented stacks, and of the tuned ones if there are any.
    """
    good = [r for r in rows if not r.stack.replica and r.status in ("ok", "interrupted") and r.pass_step_seconds()]
    good.sort(key=lambda r: -(r.samples_per_second() or 0.0))
    families = [[r for r in good if r.stack.tuned == tuned] for tuned in (False, True)]
    return [key for family in families if family for key in _top(family)]


def _top(good: Sequence[Row]) -> list[str]:
    first, fastest = good[0].stack.key, [r.stack.key for r in good[:FASTEST]]
    for c in compare_all(good):
        if first in (c.first, c.second) and c.verdict in ("undecided", "equivalent"):
            fastest.append(c.second if c.first == first else c.first)
    return list(dict.fromkeys(fastest))


def isolated(rows: Sequence[Row], launches: dict[str, list[Launch]], comparisons: Sequence[Comparison]) -> Isolated:
    """What the launches of stacks alone (by Stack.key) say of the verdicts of the interleaved ``rows``."""
    again = [r.model_copy(update={"launches": launches[r.stack.key]}) for r in rows if r.stack.key in launches]
    stacks = []
    for row in again:
        bad = next((la for la in row.launches if la.status != "ok"), None)
        reason = f"pass {bad.pass_index + 1}: {bad.reason}" if bad else ""
        status = bad.status if bad else "ok"
        stacks.append(Alone(stack=row.stack.key, status=status, reason=reason, launches=row.launches))
    before = {(c.first, c.second): c for c in comparisons}
    standings = [_standing(before[pair], c) for c in compare_all(again) if (pair := (c.first, c.second)) in before]
    return Isolated(workload=rows[0].workload, variant=rows[0].variant, stacks=stacks, standings=standings)


def _standing(before: Comparison, after: Comparison) -> Standing:
    return Standing(
        first=before.first,
        second=before.second,
        interleaved=before.verdict,
        isolated=after.verdict,
        ratio=before.ratio,
        isolated_ratio=after.ratio,
        stands=stands(before, after),  # type: ignore[arg-type]  # one of the three words
    )


def stands(interleaved: Comparison, alone: Comparison) -> str:
    """``stands``, ``falls`` or ``open``, see :class:`benchmarks.schema.results.Standing`."""
    if interleaved.verdict not in DECIDED or alone.verdict not in DECIDED:
        return "open"
    return "stands" if agree(interleaved, alone) else "falls"


def agree(one: Comparison, other: Comparison) -> bool:
    """Whether two decided verdicts can both be right: equivalent and negligibly faster both say within 2 %."""
    if one.verdict == other.verdict:
        return True
    same = [c for c in (one, other) if c.verdict == "equivalent"]
    return len(same) == 1 and (one.negligible or other.negligible)


def chosen(events: Sequence[Event], workload: str) -> list[str]:
    """Stack keys that a run measures alone; empty before it has chosen."""
    found = [e["stacks"] for e in events if e["event"] == "isolated" and e["workload"] == workload]
    return list(found[-1]) if found else []
