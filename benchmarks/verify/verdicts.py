"""A verdict must follow from the samples in the file: comparisons, rankings and agreements are computed again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from benchmarks.analysis.agreement import agree_all
from benchmarks.analysis.ratios import PROVISIONAL_BELOW, ratio
from benchmarks.analysis.verdicts import compare_all, groups, rank_all, rows_as_judged
from benchmarks.schema.results import Comparison, Result

SAME = 1e-9


def verify_verdicts(result: Result) -> Iterator[str]:
    """Violations, in words. Results of an earlier rule are held to that one."""
    yield from _agreements(result)
    if result.verdict_rule == 1:
        yield from _first_rule(result)
        return
    rows = rows_as_judged(result)
    again = compare_all(rows)
    found, named = _by_pair(again), _by_pair(result.comparisons)
    if len(named) != len(result.comparisons):
        yield "a pair of stacks is compared twice"
    for key in named.keys() | found.keys():
        if key not in found:
            yield f"{_name(named[key])}: compares rows that are not there, or share no pass"
        elif key not in named:
            yield f"{_name(found[key])}: is not compared, although both were measured"
        else:
            yield from _pair(named[key], found[key])
    ranked = rank_all(rows, again)
    if ranked != result.rankings:
        wrong = {
            (r.workload, r.variant) for r in [*ranked, *result.rankings] if r not in ranked or r not in result.rankings
        }
        for workload, variant in sorted(wrong):
            yield f"{workload}/{variant}: the ranking does not follow from the samples"


def _agreements(result: Result) -> Iterator[str]:
    """By the criteria of the declarations as they were when the run ran."""
    again = agree_all(result.rows, result.declared, data=result.options.data)
    sides = (again, result.agreements)
    derived, given = ({(a.workload, a.variant, a.first, a.second): a for a in side} for side in sides)
    for key in derived.keys() | given.keys():
        if not near(derived.get(key), given.get(key)):
            yield f"{key[0]}/{key[1]}: agreement of {key[2]} and {key[3]} does not follow from the trainings"
    if len(given) != len(result.agreements):
        yield "an agreement is given twice"


def _by_pair(comparisons: list[Comparison]) -> dict[tuple[str, str, str, str], Comparison]:
    return {(c.workload, c.variant, c.first, c.second): c for c in comparisons}


def _name(c: Comparison) -> str:
    return f"{c.workload}/{c.variant}: {c.first} against {c.second}"


def _pair(file: Comparison, samples: Comparison) -> Iterator[str]:
    if samples.verdict != file.verdict or samples.passes != file.passes or not near(samples.ratio, file.ratio):
        ours, theirs = f"{samples.ratio:.4f} ({samples.verdict})", f"{file.ratio:.4f} ({file.verdict})"
        yield f"{_name(file)}: the samples give {ours}, the file says {theirs}"
        return
    if file.detectable is None and file.passes < PROVISIONAL_BELOW:
        samples = samples.model_copy(update={"detectable": None})  # older results do not say it of so few passes
    fields = {name: near(getattr(samples, name), getattr(file, name)) for name in type(file).model_fields}
    if wrong := [name for name, same in fields.items() if not same]:
        yield f"{_name(file)}: {', '.join(wrong)} {'does' if len(wrong) == 1 else 'do'} not follow from the samples"


def near(a: Any, b: Any) -> bool:
    """Equal, numbers up to rounding, also within objects of the schema."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= SAME * max(abs(a), abs(b))
    fields = getattr(type(a), "model_fields", None)
    if fields is not None and type(a) is type(b):
        return all(near(getattr(a, name), getattr(b, name)) for name in fields)
    return bool(a == b)


def _first_rule(result: Result) -> Iterator[str]:
    """As results were judged before intervals were simultaneous: each pair for itself, nothing left out.

    Rankings, pilots, carry-over and stacks alone came with the second rule: a result of the first cannot hold any.
    """
    for what in ("rankings", "pilots", "isolated", "carry_over"):
        if getattr(result, what):
            yield f"has {what}, which came after the first verdict rule"
    yield from _compared(result)
    for c in result.comparisons:
        try:
            rows = [result.row(c.workload, c.variant, key) for key in (c.first, c.second)]
        except KeyError:
            yield f"{_name(c)}: compares rows that are not there"
            continue
        a, b = (row.pass_step_seconds(clean=False) for row in rows)
        shared = sorted(a.keys() & b.keys())
        if not shared:
            yield f"{_name(c)}: the rows share no pass"
            continue
        r = ratio([a[p] for p in shared], [b[p] for p in shared])
        facts = {"passes": r.passes, "ratio": r.ratio, "low": r.low, "high": r.high, "verdict": r.verdict}
        bare = {"workload": c.workload, "variant": c.variant, "first": c.first, "second": c.second}
        yield from _pair(c, Comparison.model_validate(bare | facts))


def _compared(result: Result) -> Iterator[str]:
    """Every two stacks of a workload that share a pass are compared, once."""
    named = [(c.workload, c.variant, frozenset((c.first, c.second))) for c in result.comparisons]
    if len(set(named)) < len(named):
        yield "a pair of stacks is compared twice"
    for rows in groups(result.rows):
        for a, b in combinations(rows, 2):
            shared = a.pass_step_seconds(clean=False).keys() & b.pass_step_seconds(clean=False).keys()
            if shared and (a.workload, a.variant, frozenset((a.stack.key, b.stack.key))) not in named:
                yield (
                    f"{a.workload}/{a.variant}: {a.stack.key} against {b.stack.key}: is not compared, although both "
                    "were measured"
                )
