"""The check of what parts of a run found."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import parts
from benchmarks.results import Result


def check(result: Result) -> Iterator[str]:
    """Every part asked for has answered once for every stack that can run, with a reason where it did not measure."""
    asked = parts.chosen(result.options.measure)
    declared = {(d.name, d.variant) for d in result.declared}
    seen = [a.key for a in result.answers]
    yield from (f"{key}: answered twice" for key in dict.fromkeys(seen) if seen.count(key) > 1)
    for a in result.answers:
        if a.part not in asked:
            yield f"{a.key}: answered without being asked"
        if (a.workload, a.variant) not in declared:
            yield f"{a.key}: its workload is not declared in this result"
        if a.status != "ok" and not a.reason:
            yield f"{a.key}: status {a.status} without a reason"
        if a.value is not None:
            yield from (f"{a.key}: {violation}" for violation in parts.schema(a.part).check(result, a))
    if not result.complete:
        return
    answered = {(a.part, a.workload, a.variant, a.stack) for a in result.answers}
    kinds = {(r.workload, r.variant, r.stack.key): r.stack.kind for r in result.rows}
    by_kind = {(*a[:3], kinds.get(a[1:])) for a in answered}
    for row in result.rows:
        if row.status == "unavailable" or row.stack.replica:
            continue
        for part in asked:
            place = (part, row.workload, row.variant)
            once = getattr(parts.schema(part), "PER_FRAMEWORK", False) and (*place, row.stack.kind) in by_kind
            if not once and (*place, row.stack.key) not in answered:
                yield f"{part} of {row.workload}/{row.variant} on {row.stack.key}: asked for and not answered"
