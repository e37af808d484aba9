"""Parts: further questions that a run can be asked with ``--measure NAME``, one folder each and no registry.

``benchmarks/experiments/NAME/`` holds

* ``schema.py``: ``TITLE``; ``QUESTION``, a sentence for ``--help``; ``Value``, the model of one answer;
  ``check(result, answer)``, violations in words for ``verify``; ``words(value)``, the answer in one line for the
  terminal. It imports nothing that measures, because reports read it. With ``PER_FRAMEWORK = True`` one stack answers
  for all modes of its framework.
* ``measure.py``: ``measure(ctx, entry)`` asks every stack that the journal holds no answer of (see
  :mod:`benchmarks.experiments.answering`), and ``seconds(plan, entry, planned)`` estimates what that takes for one
  stack: :class:`benchmarks.engine.context.Experiment`.
* ``worker.py``: ``answer(session, **fields)``, done inside the worker; framework-free. What needs a framework stands in
  ``NAME_FRAMEWORK.py`` beside it and is loaded with :func:`of_framework`.

``reports/parts/NAME.py`` shows the answers.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.errors import Unavailable
from benchmarks.schema.results import Answer, Result, read

FOLDER = Path(__file__).resolve().parent


@cache
def names() -> tuple[str, ...]:
    """Every part there is, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/schema.py")))


def chosen(measure: Iterable[str]) -> list[str]:
    """The parts among what is to be measured."""
    return [name for name in measure if name in names()]


def schema(name: str) -> Any:
    return importlib.import_module(f"benchmarks.experiments.{name}.schema")


class _Measuring(Mapping[str, Any]):
    """Each experiment's ``measure`` module, imported when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        if name not in names():
            raise KeyError(name)
        return importlib.import_module(f"benchmarks.experiments.{name}.measure")

    def __iter__(self) -> Iterator[str]:
        return iter(names())

    def __len__(self) -> int:
        return len(names())


MEASURING = _Measuring()


def typed(answer: Answer) -> Any:
    """Return an answer's value as its experiment's own model.

    Raises ValueError where this version has no such experiment, and pydantic.ValidationError, which is one too, where
    the value is not as the experiment declares it.
    """
    if answer.part not in names():
        raise ValueError(f"there is no part {answer.part!r} in this version")
    return schema(answer.part).Value.model_validate(answer.value)


def read_result(path: Path) -> Result:
    """Read a result file and check the value of every answer; raises OSError or ValueError."""
    result = read(path)
    for answer in result.answers:
        if answer.value is not None or answer.part not in names():
            typed(answer)
    return result


def of_framework(framework: str, name: str, *, room: str = "") -> Any:
    """Load, inside a worker, what ``name`` needs of a framework; raise Unavailable where nobody wrote it.

    ``room``: the package of its files; the experiment of that name if not given.
    """
    module = f"benchmarks.{room or f'experiments.{name}'}.{name}_{framework}"
    if importlib.util.find_spec(module) is None:
        raise Unavailable(f"{name.replace('_', ' ')} is not written for {framework}")
    return importlib.import_module(module)
