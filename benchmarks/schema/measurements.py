"""The schema of what experiments leave: one answer per experiment, workload and stack.

A value is typed by its experiment's own schema: :func:`benchmarks.experiments.typed`.
"""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from benchmarks.schema.samples import Key, Status, Strict, field


class Answer(Strict):
    """What one part (--measure NAME) found for one stack, or for a workload as a whole."""

    part: str = field("name of the part, a folder in benchmarks/experiments")
    workload: str = field("as in Row")
    variant: str = field("as in Row")
    stack: str = field("Stack.key")
    status: Status = field("ok, unavailable (the reason says why), or how it failed")
    reason: str = field("empty when ok; otherwise what happened, in a sentence", default="")
    log_tail: list[str] = field("last lines of the worker's log, when it failed", default_factory=list)
    value: dict[str, Any] | None = field("the part's own fields, see Value in its schema; None unless ok", default=None)

    @model_validator(mode="after")
    def _holds_a_value_when_ok(self) -> Answer:
        if (self.status == "ok") != (self.value is not None):
            raise ValueError("an answer holds a value exactly when it is ok")
        return self

    @property
    def place(self) -> Key:
        return Key(self.workload, self.variant)

    @property
    def key(self) -> str:
        return f"{self.part} of {self.place} on {self.stack}"
