"""The wrong-benchmark museum: each classic mistake switched on, beside the right measurement of the same run.

``benchmarks/museum/exhibits/NAME.py`` is an exhibit; there is no registry. It needs NumPy only and holds

* ``TITLE``; ``MISTAKE``, what is done wrong and why it looks reasonable; ``PREVENTED``, what keeps Bookbench from it;
* ``RIGHT`` and ``WRONG``, what the two numbers are, in a few words;
* ``PLACES``, the workloads and stacks on which it is shown;
* ``look(room)``, done by the parent: fields of :class:`benchmarks.museum.schema.Case` (see
  :class:`benchmarks.museum.hall.Room` for what a room offers);
* ``inside(session, **fields)``, done inside the worker, see :mod:`benchmarks.museum.inside`;
* if it has more to tell than how far the number moved: ``remark(case)``, a sentence made from the raw samples.

What needs a framework stands in ``museum_FRAMEWORK.py``. Whatever cannot be shown on a machine
raises ``Unavailable`` with the reason.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "exhibits"


@dataclass(frozen=True)
class Place:
    """Where an exhibit is shown: a workload variant, a FRAMEWORK:MODE, and the form of the mistake if it has several.

    ``judged``: certificates are asked for there too; ``trained``: the recipe is trained, right and wrong.
    """

    workload: str
    stack: str
    form: str = ""
    judged: bool = False
    trained: bool = False


@cache
def names() -> tuple[str, ...]:
    """Every exhibit there is, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")))


def exhibit(name: str) -> Any:
    return importlib.import_module(f"benchmarks.museum.exhibits.{name}")
