"""A declaration as results keep it, read back as the object that it was."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks import layers, workload
from benchmarks.workload import DeclarationError, Workload

# Type -> fields that it had once. They judged the work and did not change it.
GIVEN_UP = {"Accepted": {"margin"}}


def read_back(plain: dict[str, Any]) -> Workload:
    """Invert :meth:`benchmarks.workload.Workload.declaration`; raise DeclarationError if it is of another suite."""
    try:
        found = declared_object(plain)
    except (TypeError, ValueError, KeyError) as error:
        raise DeclarationError(f"this version cannot read the declaration: {error}") from error
    if not isinstance(found, Workload):
        raise DeclarationError(f"this is no workload but a {type(found).__name__}")
    return found


def declared_object(plain: Any) -> Any:
    """Return a part of a declaration as the object that it was."""
    if isinstance(plain, list):
        return tuple(declared_object(value) for value in plain)
    if not isinstance(plain, dict):
        return plain
    without = {"type"} | GIVEN_UP.get(plain.get("type", ""), set())
    fields = {name: declared_object(value) for name, value in plain.items() if name not in without}
    if "type" not in plain:
        return fields
    kind = getattr(layers, plain["type"], None) or getattr(workload, plain["type"], None)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise DeclarationError(f"this version has no {plain['type']}")
    return kind(**fields)
