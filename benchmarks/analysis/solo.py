"""``--solo``: which stacks are measured again alone, and what that says of the verdicts of interleaved passes."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.analysis.verdicts import compare_all
from benchmarks.protocol.profiles import FASTEST
from benchmarks.schema.results import Alone, Comparison, Isolated, Launch, Row, Standing

DECIDED = ("faster", "slower", "equivalent")


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
