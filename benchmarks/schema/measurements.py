"""The schema of what parts of a run leave (:mod:`benchmarks.experiments`): one answer per part, workload and stack."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from benchmarks import experiments
from benchmarks.schema.samples import Status, Strict, field


class Answer(Strict):
    """What one part (--measure NAME) found for one stack, or for a workload as a whole."""

    part: str = field("name of the part, a folder in benchmarks/parts")
    workload: str = field("as in Row")
    variant: str = field("as in Row")
    stack: str = field("Stack.key")
    status: Status = field("ok, unavailable (the reason says why), or how it failed")
    reason: str = field("empty when ok; otherwise what happened, in a sentence", default="")
    log_tail: list[str] = field("last lines of the worker's log, when it failed", default_factory=list)
    value: dict[str, Any] | None = field("the part's own fields, see Value in its schema; None unless ok", default=None)

    @model_validator(mode="after")
    def _follows_its_part(self) -> Answer:
        if self.part not in experiments.names():
            raise ValueError(f"there is no part {self.part!r} in this version")
        if (self.status == "ok") != (self.value is not None):
            raise ValueError("an answer holds a value exactly when it is ok")
        if self.value is not None:
            experiments.schema(self.part).Value.model_validate(self.value)
        return self

    @property
    def typed(self) -> Any:
        """The value as the part's own model; only where there is one."""
        return experiments.schema(self.part).Value.model_validate(self.value)

    @property
    def key(self) -> str:
        name = self.workload if self.variant == "default" else f"{self.workload}/{self.variant}"
        return f"{self.part} of {name} on {self.stack}"
