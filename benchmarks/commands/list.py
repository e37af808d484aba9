"""``list``: every workload on every stack, tuned ones marked, and whether it can run here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.engine.availability import Availability, stacks
from benchmarks.workload import discover


def print_list(impls: Path, env: Sequence[str], *, as_json: bool) -> None:
    """Print a table or, as JSON, an array of objects: one per workload variant and stack, with the fields below."""
    from benchmarks.engine.interpreters import interpreters

    found = discover(impls.resolve())
    rows = []
    for name, python in interpreters(env).items():
        availability = Availability(python=python, announce=lambda text: click.echo(f"{text} ...", err=True))
        for listed in stacks(found, availability=availability):
            rows.append(
                {
                    "workload": listed.found.workload.name,
                    "variant": listed.found.workload.variant,
                    "framework": listed.framework,
                    "mode": listed.mode,
                    "device": listed.device,
                    "interpreter": name,
                    "available": listed.available,
                    "reason": listed.reason,
                    "scope": listed.scope,
                    "tuned": listed.tuned,
                }
            )
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for workload in (f.workload for f in found):
        click.echo(f"{workload.key}  ({workload.title})")
        for r in rows:
            if (r["workload"], r["variant"]) != (workload.name, workload.variant):
                continue
            label = f"{r['framework']} {r['mode']} {r['device']}{' (tuned)' if r['tuned'] else ''}"
            if r["interpreter"] != "default":
                label += f" ({r['interpreter']})"
            click.echo(f"  {label:42} {'available' if r['available'] else 'unavailable: ' + str(r['reason'])}")
