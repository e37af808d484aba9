"""A valid result with documented and tuned stacks, and with what each process really used."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import result_factory

from benchmarks.analysis.agreement import agree_all
from benchmarks.analysis.verdicts import compare_all, rank_all
from benchmarks.schema import results as r

KEY = "mnist_mlp"
TUNED = {  # milliseconds a step
    ("torch", "eager-tuned"): 30.0,
    ("torch", "compile-tuned"): 24.0,
    ("tensorflow", "graph-tuned"): 21.0,
    ("tensorflow", "graph-onednn"): 20.0,
}


def used(stack: r.Stack) -> dict[str, Any]:
    """As on a CPU where TensorFlow leaves oneDNN off; one tuned stack has another allocator."""
    compiles = stack.mode.startswith(("compile", "graph"))
    return {
        "onednn": stack.framework == "torch" or stack.mode.endswith("-onednn"),
        "cpu_kernels": "AVX2",
        "allocator": "tcmalloc" if stack.mode == "eager-tuned" else "glibc",
        "optimizer": "Adam, foreach" if stack.framework == "torch" else "Adam (keras)",
        "compiled_graphs": 1 if compiles else None,
    }


def judged(result: r.Result, rows: Sequence[r.Row], **changes: Any) -> r.Result:
    """``result`` with these rows and what follows from them."""
    compared = compare_all(rows)
    derived = {"rows": list(rows), "comparisons": compared, "rankings": rank_all(rows, compared)}
    derived["agreements"] = agree_all(rows, changes.get("declared", result.declared), data="embedded")
    return result.model_copy(update={**derived, **changes})


def reading(row: r.Row, **values: Any) -> r.Row:
    """The row, its processes having read back ``values`` too."""
    launches = [la.model_copy(update={"used": la.used | values}) for la in row.launches]
    return row.model_copy(update={"launches": launches})


def make_tuned(*, passes: int = 6) -> r.Result:
    """The factory's MNIST MLP with four tuned rows: three with files of their own and one with oneDNN switched on."""
    base = result_factory.make(passes=passes, interrupted=False)
    rows, rng = [row for row in base.rows if row.workload == KEY], random.Random("tuned")
    for (framework, mode), ms in TUNED.items():
        like = next(row for row in rows if row.stack.framework == framework)
        stack = result_factory.stack(framework, mode, tuned=True)
        launches = [result_factory.launch(stack, p, ms / 1e3, rng) for p in range(passes)]
        rows.append(like.model_copy(update={"stack": stack, "launches": launches, "accuracy": None}))
    rows = [reading(row, **used(row.stack)) for row in rows]
    declared = [d for d in base.declared if d.name == KEY]
    return judged(base, rows, declared=declared, data=[d for d in base.data if d.workload == KEY])
