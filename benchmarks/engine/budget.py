"""``--budget``: fit a run into a time, and say what it could therefore detect."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from statistics import fmean
from typing import Any

from benchmarks.analysis import ratios
from benchmarks.analysis.ratios import FAMILY_ERROR
from benchmarks.analysis.verdicts import families, groups, undisturbed_pair
from benchmarks.engine.estimate import estimate
from benchmarks.engine.plan import Plan
from benchmarks.errors import Problem
from benchmarks.schema.budget import Budget, Cut, Finds
from benchmarks.schema.results import Options, Row

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
SHARE = 0.9  # of the time that may be planned for: estimates err
ENOUGH, MOST = 5, 20  # passes: below the first every verdict is provisional, above the second little is gained
TYPICAL_SD = 0.02  # of log step times over launches of one stack (1 to 4 % was measured), until it is known better


def seconds(text: str) -> float:
    """Of ``90s``, ``5m`` or ``1.5h``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or float(found[1]) == 0:
        raise Problem(f"--budget takes a time such as 90s, 5m or 1.5h, got {text!r}")
    return float(found[1]) * UNITS[found[2]]


def fit(plan: Plan, budget: float, *, fixed: Collection[str] = ()) -> Plan:
    """The plan with amounts that fit into ``budget`` seconds by estimate, and a note that says what was chosen.

    ``fixed`` names options that were asked for and stay: passes, rounds, accuracy_seeds, measure, workload. What is
    given up, in this order, until five passes fit: accuracy seeds beyond the first, rounds beyond five, inference,
    rounds beyond three, accuracy. Certificates are never given up. Where five passes never fit, verdicts are
    provisional anyway, and the fullest run of at least two passes is taken. Where that does not fit either, workloads
    are left out, the costliest first; of workloads that were named, one pass is taken.
    """
    counts = [plan.options.passes] if "passes" in fixed else list(range(MOST, 0, -1))
    plans = [plan] if "workload" in fixed else list(_fewer(plan))
    tries = [(p, min(least, counts[0])) for p in plans for least in (ENOUGH, 2)] + [(plans[-1], 1)]
    for fewer, least in tries:
        for given_up, change in _levels(fewer, fixed):
            for passes in (n for n in counts if n >= least):
                # The budget decides how many passes there are; a pilot would decide again.
                chosen = changed(fewer, **change, passes=passes, pilot=None, budget_seconds=budget)
                needed = estimate(chosen)
                if needed <= SHARE * budget:
                    left = [e.key for e in plan.entries if e not in chosen.entries]
                    given_up += [f"the workload{'s' * (len(left) > 1)} {', '.join(left)}"] if left else []
                    told = [*plan.notes, _note(chosen, given_up, needed)]
                    return chosen.model_copy(update={"notes": told, "passes_fixed": "passes" in fixed})
    smallest = changed(plans[-1], **list(_levels(plans[-1], fixed))[-1][1], passes=min(counts))
    what = f"{_plural(smallest.options.passes, 'pass', 'es')} of {_plural(smallest.options.rounds, 'round')}"
    raise Problem(
        f"--budget {duration(budget)} is too short: {what} of {', '.join(e.key for e in smallest.entries)} takes about "
        f"{duration(estimate(smallest) / SHARE)}; name fewer workloads or stacks, or give more time"
    )


def _fewer(plan: Plan) -> Iterator[Plan]:
    """The plan, then without its costliest workload, and so on down to the cheapest one."""
    cost = {e.key: estimate(plan.model_copy(update={"entries": [e]})) for e in plan.entries}
    for left_out in range(len(plan.entries)):
        keep = sorted(cost, key=lambda key: cost[key])[: len(cost) - left_out]
        entries = [e for e in plan.entries if e.key in keep]
        yield changed(plan.model_copy(update={"entries": entries}), workloads=[e.key for e in entries])


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


def changed(plan: Plan, **options: Any) -> Plan:
    """The plan with other options."""
    return plan.model_copy(update={"options": plan.options.model_copy(update=options)})


def _note(plan: Plan, given_up: Sequence[str], needed: float) -> str:
    o = plan.options
    amounts = [_plural(o.passes, "pass", "es"), _plural(o.rounds, "round")]
    if "accuracy" in o.measure:
        amounts.append(_plural(o.accuracy_seeds, "accuracy seed"))
    text = f"--budget {duration(o.budget_seconds or 0)}: {', '.join(amounts)}; about {duration(needed)} by estimate"
    text += f"; given up: {', '.join(given_up)}" if given_up else "; nothing given up"
    if "training" not in o.measure:
        return text + "."
    able = [[p.stack.tuned for p in e.runnable() if not p.stack.replica] for e in plan.entries]  # no canary
    stacks = max(tuned.count(which) for tuned in able for which in (False, True))  # judged together
    return f"{text}. {_finds(o.passes, stacks)}"


def _finds(passes: int, stacks: int) -> str:
    pairs = max(1, stacks * (stacks - 1) // 2)
    ratio = detectable(passes, TYPICAL_SD, pairs=pairs) if passes >= ENOUGH else None
    return _finding(passes, TYPICAL_SD, stacks, pairs, ratio, "a typical")


def _finding(passes: int, sd: float, stacks: int, pairs: int, ratio: float | None, whose: str) -> str:
    if ratio is None:
        return f"Fewer than {ENOUGH} passes detect no difference for certain: every verdict is provisional."
    among = "" if pairs == 1 else f", among the {pairs} pairs of {stacks} stacks,"
    return (
        f"With {whose} standard deviation of {sd:.1%} over launches, {passes} passes{among} find a ratio of "
        f"{ratio:.3f} or more nine times in ten."
    )


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
                ratio=detectable(passes, spread, pairs=len(pairs)) if passes >= ENOUGH else None,
            )
        )
    return out


def cut_words(cut: Cut) -> str:
    """The decision in a sentence without its full stop."""
    name = cut.workload if cut.variant == "default" else f"{cut.workload}/{cut.variant}"
    text = f"--budget: {name} got {cut.passes} of {cut.planned} passes, more did not fit into the time"
    return text + ("; its verdicts are provisional" if cut.passes < ENOUGH <= cut.planned else "")


def notes(found: Budget, options: Options) -> list[str]:
    """What a reader is told when the run has ended: passes given up, what was detectable, the time taken."""
    out = [cut_words(cut) for cut in found.cuts]
    for f in found.finds:
        name = f.workload if f.variant == "default" else f"{f.workload}/{f.variant}"
        out.append(f"--budget: {name}: {_finding(f.passes, f.spread, f.stacks, f.pairs, f.ratio, 'a measured')}")
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
