"""A run that was asked for one part, with answers built by hand, for the tests of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from result_factory import make, on_gpu

from benchmarks.schema import results as r
from benchmarks.verify.experiments import check
from reports.parts import Section, sections
from reports.work import gather

WORKLOAD, VARIANT = "mnist_mlp_ablation", "linear"
BATCH = 64


def blocks(step: float, count: int = 3) -> list[dict[str, Any]]:
    """Blocks around ``step`` seconds; their median is ``step``."""
    return [
        {"seconds": 20 * step * (1 + 0.01 * (k - count // 2)), "steps": 20, "cpu_seconds": 0.1,
         "foreign_cpu_seconds": 0.0, "disturbed": False}
        for k in range(count)
    ]  # fmt: skip


def calls(*seconds: float, disturbed: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Timed calls as a worker tells them; those whose index is in ``disturbed`` had others' work beside them."""
    return [
        {"seconds": s, "foreign_cpu_seconds": s if i in disturbed else 0.0, "disturbed": i in disturbed}
        for i, s in enumerate(seconds)
    ]


def launch(index: int, step: float, **more: Any) -> dict[str, Any]:
    return {"launch": index, "settled": True, "blocks": blocks(step), **more}


def result(part: str, values: Mapping[str, Any], *, gpu: bool = False) -> r.Result:
    """A finished run of one workload; ``values`` are by FRAMEWORK:MODE:DEVICE, a string says why there is none."""
    base = make(interrupted=False)
    rows = [row for row in base.rows if (row.workload, row.variant) == (WORKLOAD, VARIANT)]
    if gpu:
        moved = [row for row in on_gpu(base).rows if (row.workload, row.variant) == (WORKLOAD, VARIANT)]
        rows += moved
    rows = [row for row in rows if row.stack.key.rsplit(":", 1)[0] in values]
    answers = []
    for key, value in values.items():
        place = {"part": part, "workload": WORKLOAD, "variant": VARIANT, "stack": f"{key}:default"}
        ended = {"status": "unavailable", "reason": value} if isinstance(value, str) else {"status": "ok"}
        answers.append(r.Answer(**place, **ended, value=None if isinstance(value, str) else value))
    declared = [d for d in base.declared if (d.name, d.variant) == (WORKLOAD, VARIANT)]
    data = [d for d in base.data if (d.workload, d.variant) == (WORKLOAD, VARIANT)]
    options = base.options.model_copy(update={"measure": [part], "workloads": [f"{WORKLOAD}/{VARIANT}"]})
    changes = {"options": options, "rows": rows, "answers": answers, "declared": declared, "data": data}
    return base.model_copy(update={**changes, "comparisons": [], "rankings": []})


def violations(made: r.Result) -> list[str]:
    return list(check(made))


def section(made: r.Result) -> Section:
    (work,) = gather([made])
    (found,) = sections(work, "w0")
    return found


def cells(found: Section) -> list[list[str]]:
    """Texts of the first table, row by row."""
    return [[c.text for c in row] for row in found.tables[0][1].rows]
