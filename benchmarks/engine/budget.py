"""``--budget``: fit a run into a time, and say what it could therefore detect."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from benchmarks.analysis.detectable import detectable
from benchmarks.analysis.pilot import LEAST, MOST, TYPICAL_SPREAD
from benchmarks.engine.context import NONE, Experiments
from benchmarks.engine.estimate import estimate, judged_together
from benchmarks.engine.plan import Plan
from benchmarks.errors import Problem
from benchmarks.schema.budget import Budget, Cut
from benchmarks.schema.results import Options

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
SHARE = 0.9  # of the time that may be planned for: estimates err


def seconds(text: str) -> float:
    """Of ``90s``, ``5m`` or ``1.5h``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or float(found[1]) == 0:
        raise Problem(f"--budget takes a time such as 90s, 5m or 1.5h, got {text!r}")
    return float(found[1]) * UNITS[found[2]]


def fit(plan: Plan, budget: float, experiments: Experiments = NONE, *, fixed: Collection[str] = ()) -> Plan:
    """The plan with amounts that fit into ``budget`` seconds by estimate, and a note that says what was chosen.

    ``fixed`` names options that were asked for and stay: passes, rounds, accuracy_seeds, measure, workload. What is
    given up, in this order, until five passes fit: accuracy seeds beyond the first, rounds beyond five, inference,
    rounds beyond three, accuracy. Certificates are never given up. Where five passes never fit, verdicts are
    provisional anyway, and the fullest run of at least two passes is taken. Where that does not fit either, workloads
    are left out, the costliest first; of workloads that were named, one pass is taken.
    """
    counts = [plan.options.passes] if "passes" in fixed else list(range(MOST, 0, -1))
    plans = [plan] if "workload" in fixed else list(_fewer(plan, experiments))
    tries = [(p, min(least, counts[0])) for p in plans for least in (LEAST, 2)] + [(plans[-1], 1)]
    for fewer, least in tries:
        for given_up, change in _levels(fewer, fixed):
            for passes in (n for n in counts if n >= least):
                # The budget decides how many passes there are; a pilot would decide again.
                chosen = fewer.with_request(**change, passes=passes, pilot=None, budget_seconds=budget)
                needed = estimate(chosen, experiments)
                if needed <= SHARE * budget:
                    left = [e.key for e in plan.entries if e not in chosen.entries]
                    given_up += [f"the workload{'s' * (len(left) > 1)} {', '.join(left)}"] if left else []
                    told = [*plan.notes, _note(chosen, given_up, needed)]
                    return chosen.model_copy(update={"notes": told, "passes_fixed": "passes" in fixed})
    smallest = plans[-1].with_request(**list(_levels(plans[-1], fixed))[-1][1], passes=min(counts), pilot=None)
    what = f"{_plural(smallest.options.passes, 'pass', 'es')} of {_plural(smallest.options.rounds, 'round')}"
    raise Problem(
        f"--budget {duration(budget)} is too short: {what} of {', '.join(e.key for e in smallest.entries)} takes about "
        f"{duration(estimate(smallest, experiments) / SHARE)}; name fewer workloads or stacks, or give more time"
    )


def _fewer(plan: Plan, experiments: Experiments) -> Iterator[Plan]:
    """The plan, then without its costliest workload, and so on down to the cheapest one."""
    cost = {e.key: estimate(plan.model_copy(update={"entries": [e]}), experiments) for e in plan.entries}
    for left_out in range(len(plan.entries)):
        keep = sorted(cost, key=lambda key: cost[key])[: len(cost) - left_out]
        entries = [e for e in plan.entries if e.key in keep]
        yield plan.model_copy(update={"entries": entries}).with_request(workloads=[e.key for e in entries])


def _levels(plan: Plan, fixed: Collection[str]) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """What is given up, in words and as options: first nothing, then more and more."""
    given_up: list[str] = []
    o = plan.options
    change: dict[str, Any] = {"accuracy_seeds": o.accuracy_seeds, "rounds": o.rounds, "measure": list(o.measure)}
    yield list(given_up), dict(change)
    if "accuracy" in o.measure and o.accuracy_seeds > 1 and "accuracy_seeds" not in fixed:
        change["accuracy_seeds"] = 1
        given_up.append("accuracy seeds beyond the first")
        yield list(given_up), dict(change)
    for part in (5, "inference", 3, "accuracy"):
        if isinstance(part, int) and part < change["rounds"] and "rounds" not in fixed:
            change["rounds"] = part
            given_up = [*(g for g in given_up if "rounds" not in g), f"rounds beyond {part}"]
        elif part in change["measure"] and len(change["measure"]) > 1 and "measure" not in fixed:
            change["measure"] = [m for m in change["measure"] if m != part]
            given_up.append(str(part))
        else:
            continue
        yield list(given_up), dict(change)


def _note(plan: Plan, given_up: Sequence[str], needed: float) -> str:
    o = plan.options
    amounts = [_plural(o.passes, "pass", "es"), _plural(o.rounds, "round")]
    if "accuracy" in o.measure:
        amounts.append(_plural(o.accuracy_seeds, "accuracy seed"))
    text = f"--budget {duration(o.budget_seconds or 0)}: {', '.join(amounts)}; about {duration(needed)} by estimate"
    text += f"; given up: {', '.join(given_up)}" if given_up else "; nothing given up"
    if "training" not in o.measure:
        return text + "."
    return f"{text}. {_finds(o.passes, max(map(judged_together, plan.entries)))}"


def _finds(passes: int, stacks: int) -> str:
    pairs = max(1, stacks * (stacks - 1) // 2)
    ratio = detectable(passes, TYPICAL_SPREAD, pairs=pairs) if passes >= LEAST else None
    return _finding(passes, TYPICAL_SPREAD, stacks, pairs, ratio, "a typical")


def _finding(passes: int, sd: float, stacks: int, pairs: int, ratio: float | None, whose: str) -> str:
    if ratio is None:
        return f"Fewer than {LEAST} passes detect no difference for certain: every verdict is provisional."
    among = "" if pairs == 1 else f", among the {pairs} pairs of {stacks} stacks,"
    return (
        f"With {whose} standard deviation of {sd:.1%} over launches, {passes} passes{among} find a ratio of "
        f"{ratio:.3f} or more nine times in ten."
    )


def cut_words(cut: Cut) -> str:
    """The decision in a sentence without its full stop."""
    text = f"--budget: {cut.place} got {cut.passes} of {cut.planned} passes, more did not fit into the time"
    return text + ("; its verdicts are provisional" if cut.passes < LEAST <= cut.planned else "")


def notes(found: Budget, options: Options) -> list[str]:
    """What a reader is told when the run has ended: passes given up, what was detectable, the time taken."""
    out = [cut_words(cut) for cut in found.cuts]
    for f in found.finds:
        out.append(f"--budget: {f.place}: {_finding(f.passes, f.spread, f.stacks, f.pairs, f.ratio, 'a measured')}")
    if found.spent_seconds is not None and options.budget_seconds is not None:
        out.append(f"--budget: took {duration(found.spent_seconds)} of {duration(options.budget_seconds)}")
    return out


def duration(value: float) -> str:
    """``45 s``, ``12 min`` or ``1.5 h``."""
    if value < 100:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 100 * 60 else f"{value / 3600:.1f} h"


def _plural(count: int, noun: str, ending: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else ending}"
