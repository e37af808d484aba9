"""What a file of a workload's folder assigns, read without importing it: the file imports its framework."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any


def literals(path: Path, *names: str) -> dict[str, Any]:
    """Return those of ``names`` to which the module assigns a literal."""
    out: dict[str, Any] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and target.id in names and value is not None:
                out[target.id] = ast.literal_eval(value)
    return out
