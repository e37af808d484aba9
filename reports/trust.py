"""What the verdicts of one :class:`Work` rest on, in sentences."""

from __future__ import annotations

from benchmarks.analysis.ratios import PROVISIONAL_BELOW
from benchmarks.schema.results import Row
from reports import numbers
from reports.ranking import Ranking, size, versus
from reports.work import Work, label


def trust(work: Work, found: Ranking) -> list[str]:
    """What the verdicts of one family rest on: passes, what those could have found, and what speaks against them."""
    out = [
        f"{label(r.stack)}: untrustworthy, {v.why}."
        for r in found.ranked[1:]
        if (v := found.against[r.stack.key]).word == "untrustworthy" and v.why
    ]
    if (places := work.places([r.stack.key for r in found.ranked])) is not None:
        out.append(_places(work, places.ranks))
    finds = [v.detectable for r in found.ranked[1:] if (v := found.against[r.stack.key]).detectable is not None]
    if finds:
        least, most = size(min(finds)), size(max(finds))
        span = least if least == most else f"{least} to {most}, depending on the pair,"
        few = f", if {PROVISIONAL_BELOW} were not the least for a verdict" if found.passes < PROVISIONAL_BELOW else ""
        out.append(
            f"{numbers.plural(found.passes, 'pass', 'es')} would have found differences of {span} "
            f"with a probability of 90 %{few}."
        )
    return out


def checks(work: Work) -> list[str]:
    """What holds for all stacks alike: how many passes there are and why, and the canary."""
    out = []
    if work.pilot is not None:
        out.append(f"Decided after {numbers.plural(work.pilot.pilot, 'pass', 'es')}: {work.pilot.words}.")
    return out + [line for again in work.canaries if (line := _canary(work, again))]


def _places(work: Work, ranks: dict[str, int]) -> str:
    """``Places: 1 PyTorch eager and TensorFlow graph; 3 TensorFlow XLA.``"""
    names = {r.stack.key: label(r.stack) for r in work.rows}
    shared: dict[int, list[str]] = {}
    for key, place in sorted(ranks.items(), key=lambda item: item[1]):
        shared.setdefault(place, []).append(names.get(key, key))
    return f"Places: {'; '.join(f'{place} {numbers.words(who)}' for place, who in shared.items())}."


def _canary(work: Work, again: Row) -> str:
    """Two launches of one stack, compared as any pair; they should not differ."""
    twin = next((r for r in work.rows if r.stack == again.stack.model_copy(update={"replica": 0})), None)
    c = work.comparison(twin, again) if twin is not None else None
    if twin is None or c is None:
        return f"The canary, a second launch of a stack, was not measured: {again.reason or again.status}."
    stands = versus(work, twin, again)
    within = f" ({stands.within})" if stands.within else ""
    ok = c.verdict in ("equivalent", "undecided", "provisional") or c.negligible
    says = "as it should be" if ok else "an alarm: no smaller difference is to be trusted"
    off = numbers.number(abs(c.ratio - 1) * 100, 2)
    return f"Canary: two launches of {label(twin.stack)} differ by {off} %{within}, {stands.word}: {says}."
