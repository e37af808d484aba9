"""Recompute what a result derives from its samples, with the functions that derived it, and compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from benchmarks.analysis import multimodal
from benchmarks.analysis.agreement import agree_all
from benchmarks.analysis.carry_over import carry_over
from benchmarks.analysis.detectable import finds
from benchmarks.analysis.evidence import contradicts
from benchmarks.analysis.pilot import MOST, MOST_BEFORE, judge_pilot
from benchmarks.analysis.rounds import mark_rounds
from benchmarks.analysis.solo import isolated
from benchmarks.analysis.verdicts import compare_all, rank_all
from benchmarks.engine.plan import combined_hash
from benchmarks.protocol import steady
from benchmarks.protocol.profiles import PROFILES
from benchmarks.schema.results import Accuracy, CarryOver, Isolated, Launch, Options, Result, Row, Stack, WarmUp
from benchmarks.workload import Accepted, hash_declaration
from benchmarks.workload.read_back import declared_object

Key = tuple[str, str]
SAME = (1e-9, 0.0)  # relative and absolute: sums of floats
# Linear algebra differs in the last digits from machine to machine, and may move a permutation or two.
TOLERANCE: dict[tuple[type[BaseModel], str], tuple[float, float]] = {
    (CarryOver, "effect"): (1e-6, 0.0),
    (CarryOver, "p"): (0.0, 0.01),
}
IDENTITY = (
    "name",
    "workload",
    "variant",
    "stack",
    "first",
    "second",
    "pass_index",
    "round",
    "check",
    "tensor",
    "tuned",
)


def check(result: Result) -> Iterator[str]:
    """Yield one sentence per derived field that does not follow from the rest of the file."""
    return differences(result, recomputed(result))


def recomputed(result: Result) -> Result:
    """Return the result with every derived field computed again, each from the other fields as the file has them."""
    pilot, comparisons = result.options.pilot, compare_all(result.rows)
    groups: dict[Key, list[Row]] = {}
    for row in result.rows:
        groups.setdefault((row.workload, row.variant), []).append(row)
    return result.model_copy(
        update={
            "declared": [d.model_copy(update={"hash": _hash(d.declaration)}) for d in result.declared],
            "rows": _rows(result, groups),
            "comparisons": comparisons,
            "rankings": rank_all(result.rows, comparisons),
            "agreements": agree_all(result.rows, result.declared, data=result.options.data),
            "pilots": [
                judge_pilot(rows, pilot=pilot, most=MOST_BEFORE if p.most_passes == MOST_BEFORE else MOST)
                for p in result.pilots
                if pilot is not None and (rows := groups.get((p.workload, p.variant)))
            ],
            "carry_over": [found for rows in groups.values() if (found := carry_over(rows)) is not None],
            "isolated": [
                _isolated(result, alone, rows)
                for alone in result.isolated
                if (rows := groups.get((alone.workload, alone.variant)))
            ],
            "budget": result.budget and result.budget.model_copy(update={"finds": finds(result.rows)}),
        }
    )


def _hash(declaration: dict[str, Any]) -> str:
    return hash_declaration(declaration) if "recipes" in declaration else "none, without recipes"


def _rows(result: Result, groups: dict[Key, list[Row]]) -> list[Row]:
    """In the order of the file; rounds are marked within each workload variant."""
    marked = {key: iter(mark_rounds(rows)) for key, rows in groups.items()}
    return [_row(result, row, next(marked[row.workload, row.variant])) for row in result.rows]


def _row(result: Result, row: Row, marked: Row) -> Row:
    certificate = row.certificate
    if certificate is not None:
        tensors = [
            t.model_copy(update={"passed": t.error is not None and t.error <= t.tolerance}) for t in certificate.tensors
        ]
        certificate = certificate.model_copy(update={"tensors": tensors})
    return row.model_copy(
        update={
            "implementation_hash": combined_hash(row.implementation),
            "launches": _launches(marked.launches, result.options),
            "multimodal": multimodal.find(row.launches),
            "certificate": certificate,
            "accuracy": row.accuracy and _accuracy(result, row, row.accuracy),
        }
    )


def _launches(marked: Sequence[Launch], options: Options) -> list[Launch]:
    """Return launches, in whose blocks rounds are marked, with blocks and warm-ups judged again."""
    out = []
    for la in marked:
        blocks = [
            b.model_copy(update={"disturbed": b.disturbed != contradicts(b, cpus=options.threads)}) for b in la.blocks
        ]
        warm = la.phases.warm_up and _warm_up(la.phases.warm_up, options)
        out.append(la.model_copy(update={"blocks": blocks, "phases": la.phases.model_copy(update={"warm_up": warm})}))
    return out


def _warm_up(warm: WarmUp, options: Options) -> WarmUp:
    settled, start = False, 0
    if warm.window_seconds and min(warm.window_seconds) > 0:
        found = steady.judge(warm.window_seconds, least=PROFILES[options.profile].warm_windows)
        settled, start = found.steady, found.start
    changes = {"settled": settled, "steady_from": start if settled else None, "steady_rule": steady.RULE}
    return warm.model_copy(update=changes)


def accepted(result: Result, row: Row, recipe: str) -> Accepted | None:
    """Return the range as it was declared when the run ran; None where the recipe had none, or was not declared."""
    plain = next((r["accepted"] for r in declaration(result, row).get("recipes", []) if r["name"] == recipe), None)
    found = declared_object(plain)
    return found if isinstance(found, Accepted) else None


def declaration(result: Result, row: Row) -> dict[str, Any]:
    """Return the row's declaration, empty where the result has none."""
    place = (row.workload, row.variant)
    return next((d.declaration for d in result.declared if (d.name, d.variant) == place), {})


def _accuracy(result: Result, row: Row, accuracy: Accuracy) -> Accuracy:
    """A range judges exactly the trainings that it is of: of its recipe, its batch size and its text."""
    found = accepted(result, row, accuracy.recipe)
    if found is None:
        return accuracy.model_copy(update={"low": None, "high": None, "judged": False})
    corpus = next((d.corpus for d in result.data if (d.workload, d.variant) == (row.workload, row.variant)), None)
    judged = row.batch_size == declaration(result, row)["batch_size"] and not found.elsewhere(corpus)
    return accuracy.model_copy(update={"low": found.low, "high": found.high, "judged": judged})


def _isolated(result: Result, alone: Isolated, rows: Sequence[Row]) -> Isolated:
    launches = {}
    for one in alone.stacks:
        (marked,) = mark_rounds([rows[0].model_copy(update={"launches": one.launches})])
        launches[one.stack] = _launches(marked.launches, result.options)
    place = (alone.workload, alone.variant)
    return isolated(rows, launches, [c for c in result.comparisons if (c.workload, c.variant) == place])


def differences(file: Any, again: Any, path: str = "", tolerance: tuple[float, float] = SAME) -> Iterator[str]:
    """Yield where two values of one shape differ, numbers by more than rounding, lists of objects in any order."""
    if file == again or (
        isinstance(file, float)
        and isinstance(again, float)
        and math.isclose(file, again, rel_tol=tolerance[0], abs_tol=tolerance[1])
    ):
        return
    if isinstance(file, BaseModel) and type(file) is type(again):
        for name in type(file).model_fields:
            where = f"{path}.{name}" if path else name
            yield from differences(
                getattr(file, name), getattr(again, name), where, TOLERANCE.get((type(file), name), SAME)
            )
    elif isinstance(file, list) and isinstance(again, list) and all(isinstance(x, BaseModel) for x in file + again):
        yield from _lists(file, again, path)
    else:
        yield f"{path}: the file says {_brief(file)}, its samples give {_brief(again)}"


def _lists(file: Sequence[BaseModel], again: Sequence[BaseModel], path: str) -> Iterator[str]:
    named, found = ({_identity(x): x for x in side} for side in (file, again))
    for name in dict.fromkeys([*named, *found]):
        if sum(_identity(x) == name for x in file) > 1:
            yield f"{path}[{name}]: the file has it twice"
        if name not in named:
            yield f"{path}[{name}]: the file has none, its samples give one"
        elif name not in found:
            yield f"{path}[{name}]: the file has one, its samples give none"
        else:
            yield from differences(named[name], found[name], f"{path}[{name}]")


def _identity(item: BaseModel) -> str:
    parts = [getattr(item, name) for name in IDENTITY if name in type(item).model_fields]
    return " ".join(part.key if isinstance(part, Stack) else str(part) for part in parts)


def _brief(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "one" if isinstance(value, BaseModel) else str(value)
