"""Parity certificates: one line per stack, and each in full."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.schema.results import Row, TensorError
from reports import numbers as n
from reports import tables
from reports.table import NONE, Cell, Column, Line, Table, grouped, words
from reports.work import Work, certified, label, used

CHECKS = {
    "forward": "Forward",
    "loss": "Loss",
    "gradient": "Gradient",
    "update": "Update",
    "running_statistics": "Running statistics",
    "state": "State",
    "evaluation": "Evaluation",
    "transplanted_evaluation": "Transplanted evaluation",
}


@dataclass(frozen=True)
class CertificateView:
    """One stack's certificate in full."""

    name: str
    status: str
    reason: str
    basis: str
    tensors: Table
    pairs: list[tuple[str, str]]
    probes: Table
    log: str


def checks(work: Work) -> Table:
    """Worst error and tolerance of every check, one row per stack."""
    compared = {t.check for row in work.rows if row.certificate for t in row.certificate.tensors}
    names = [check for check in CHECKS if check in compared]
    table = Table(
        [
            Column("Stack", number=False),
            Column("Result", number=False),
            *(Column(CHECKS[c], "error of tolerance") for c in names),
        ]
    )
    without = []
    for row in work.rows:
        if row.certificate is None:
            without.append(row)
            continue
        result = tables.certificate_cell(table, row)
        passed = Cell("passed" if certified(row) else result.text, tone=result.tone, mark=result.mark)
        cells = [_worst([t for t in row.certificate.tensors if t.check == check]) for check in names]
        table.rows.append([Cell(label(row.stack)), passed, *cells])
    table.lines = grouped((r for r in without if r.status != "ok"), work.measure.name)
    bare = tuple(label(r.stack) for r in without if r.status == "ok")
    if bare:
        table.lines.append(Line(bare, "missing", "This run did not measure it: timing without valid certificate."))
    return table


def _worst(tensors: Sequence[TensorError]) -> Cell:
    if not tensors:
        return NONE
    most = max(tensors, key=used)
    failed = not all(t.passed for t in tensors)
    if most.error is None:
        return Cell("not finite", f"of {n.number(most.tolerance)}", tone="bad")
    return Cell(n.number(most.error), f"of {n.number(most.tolerance)}", sort=most.error, tone="bad" if failed else "")


def certificate(row: Row) -> CertificateView:
    found = row.certificate
    assert found is not None
    tensors = Table(
        [
            Column("Check", number=False),
            Column("Tensor", number=False),
            Column("Error"),
            Column("Tolerance"),
            Column("Used"),
            Column("Result", number=False),
        ]
    )
    for t in found.tensors:
        share = used(t) if math.isfinite(used(t)) else None
        error = Cell("not finite", tone="bad") if t.error is None else Cell(n.number(t.error), sort=t.error)
        result = Cell("passed", tone="good") if t.passed else Cell("failed", tone="bad")
        tensors.rows.append(
            [
                Cell(CHECKS[t.check]),
                Cell(t.tensor),
                error,
                Cell(n.number(t.tolerance), sort=t.tolerance),
                Cell(n.percent(share), sort=share),
                result,
            ]
        )
    probes = Table([Column("Probe", number=False), Column("Result", number=False), Column("Seen", number=False)])
    for p in found.probes:
        result = Cell("passed", tone="good") if p.passed else Cell("failed", tone="bad")
        probes.rows.append([Cell(p.name), result, Cell(p.detail)])
    pairs = [(f"Convention: {name}", value) for name, value in found.conventions.items()]
    pairs += [
        (f"With {name} the reference would differ by", n.number(value))
        for name, value in found.difference_of_forms.items()
    ]
    basis = f"{n.plural(found.steps, 'optimiser step')} at batch {found.batch_size:,}"
    status = "passed" if found.status == "ok" else words(found.status)
    log = "\n".join(found.log_tail)
    return CertificateView(label(row.stack), status, found.reason, basis, tensors, pairs, probes, log)
