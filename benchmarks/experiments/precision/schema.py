"""What the part ``precision`` finds for one stack.

Which precision was *used* follows from the relative error (norms) of a product and a convolution of random normal
numbers against float64. Rounding both operands to a mantissa of so many bits causes, whatever the size: float32 (24
bits) up to 1e-6 with its sums; TF32 (11 bits) 2.6e-4 rounded to nearest, 6e-4 cut off; bfloat16 (8 bits) 2.1e-3, and
2.6e-3 where the result is rounded too. The bounds between them lie in the wide gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import TimedLaunch, doubts, mean_step
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Status, Strict, field
from benchmarks.workload.metrics import number

TITLE = "Precision"
QUESTION = "step time and accuracy in float32, TF32 (GPU) and bfloat16, and which precision was really used"

OFFERED = {"cpu": ("float32", "bf16"), "cuda": ("float32", "tf32", "bf16")}
BOUNDS = (("float32", 1e-5), ("tf32", 1e-3), ("bf16", 1e-2))  # the error stays below


def used(error: float) -> str:
    """The precision whose rounding explains ``error``."""
    return next((name for name, bound in BOUNDS if error < bound), "less than bf16")


class Launch(TimedLaunch):
    """One fresh process in one precision."""

    product_error: float = field("relative error of a 512 × 512 product against float64, in this stack's mode", ge=0)
    convolution_error: float | None = field(
        "the same of a 3 × 3 convolution; None where the workload has none", default=None, ge=0
    )


class Trained(Strict):
    """The run's recipe, trained once in this precision."""

    recipe: str = field("name of the declared recipe")
    seed: int = field("of weights and sample order")
    metric: float = field("the workload's metric after the last epoch, whole test set, in this precision")
    also: dict[str, float] = field("other scores after the last epoch, by name", default_factory=dict)
    curve: list[float] = field("the metric after every epoch")
    low: float | None = field(
        "accepted range of the recipe; None where none is declared, or for another batch size or text"
    )
    high: float | None = field("as low")

    @property
    def in_range(self) -> bool | None:
        """None where there is no range."""
        return None if self.low is None or self.high is None else self.low <= self.metric <= self.high


class Asked(Strict):
    """One precision that was asked for."""

    precision: str = field("float32 (strict), tf32 or bf16 (mixed: parameters stay float32)")
    status: Status = field("unavailable where the framework has no such precision; the first launch that failed")
    reason: str = field("empty when ok", default="")
    launches: list[Launch] = field("fresh processes, taken in turns with those of the other precisions")
    trained: Trained | None = field("None where it was not trained", default=None)
    untrained: str = field("why it was not trained, in a sentence; empty where it was", default="")

    @property
    def step_seconds(self) -> float:
        return mean_step(self.launches)

    @property
    def spoilt(self) -> bool:
        """Whether a launch of it was disturbed so much that no verdict may rest on it."""
        return any(la.spoilt for la in self.launches)

    @property
    def doubts(self) -> str:
        """As :func:`benchmarks.experiments.quiet.doubts`."""
        return doubts([la.blocks for la in self.launches], settled=all(la.settled for la in self.launches))

    @property
    def used(self) -> tuple[str, ...]:
        """Probed precision of products, then of convolutions: by the largest error of all launches."""
        errors = [[la.product_error for la in self.launches]]
        errors.append([la.convolution_error for la in self.launches if la.convolution_error is not None])
        return tuple(used(max(seen)) for seen in errors if seen)

    @property
    def mismatch(self) -> str:
        """``asked bf16, used float32``; empty where what was asked for was used."""
        found = self.used
        if self.status != "ok" or set(found) == {self.precision}:
            return ""
        if len(set(found)) == 1:
            return f"asked {self.precision}, used {found[0]}"
        return f"asked {self.precision}, used {found[0]} in products and {found[1]} in convolutions"


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    precisions: list[Asked] = field("what the device offers, float32 first")

    @property
    def measured(self) -> list[Asked]:
        return [a for a in self.precisions if a.status == "ok"]

    def pairs(self, asked: Asked) -> list[tuple[Launch, Launch]]:
        """Launches in this precision and in float32, of the same turn."""
        base = {la.launch: la for la in self.precisions[0].launches}
        return [(la, base[la.launch]) for la in asked.launches if la.launch in base]

    def ratios(self, asked: Asked) -> list[float]:
        """Per launch that both have: step time in this precision over that in float32."""
        return [la.step_seconds / base.step_seconds for la, base in self.pairs(asked)]

    def decides(self, asked: Asked) -> bool:
        """Whether a verdict may rest on the ratio to float32: neither side was mostly disturbed."""
        return not any(la.spoilt or base.spoilt for la, base in self.pairs(asked))

    def ratio(self, asked: Asked) -> float | None:
        """Geometric mean of :meth:`ratios`; None where float32 was not measured."""
        found = self.ratios(asked)
        return math.exp(sum(map(math.log, found)) / len(found)) if found else None


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    if tuple(a.precision for a in value.precisions) != OFFERED[answer.stack.split(":")[2]]:
        yield "its precisions are not those that its device offers"
    if not value.measured:
        yield "it is ok without a single precision measured"
    for a in value.precisions:
        yield from (f"{a.precision}: {violation}" for violation in _check(result, answer, a))


def _check(result: Result, answer: Answer, asked: Asked) -> Iterator[str]:
    if (asked.status == "ok") == bool(asked.reason):
        yield "a reason belongs to every status but ok"
    if asked.status == "ok" and not asked.launches:
        yield "ok without a launch"
    if asked.status == "ok" and (asked.trained is None) != bool(asked.untrained):
        yield "either it was trained, or it says why not"
    if asked.trained is None:
        return
    if asked.trained.recipe != result.options.recipe:
        yield f"it was trained by recipe {asked.trained.recipe}, the run's is {result.options.recipe}"
    if not asked.trained.curve or asked.trained.curve[-1] != asked.trained.metric:
        yield "its curve does not end in its metric"
    place = answer.place
    declared: dict[str, Any] = next((d.declaration for d in result.declared if d.place == place), {})
    recipe: dict[str, Any] = next((r for r in declared.get("recipes", []) if r["name"] == asked.trained.recipe), {})
    accepted = recipe.get("accepted", {}) if declared.get("batch_size") == _batch(answer) else {}
    corpus = next((d.corpus for d in result.data if d.place == place), None)
    accepted = accepted if accepted.get("corpus") in (None, corpus) else {}
    if (accepted.get("low"), accepted.get("high")) != (asked.trained.low, asked.trained.high):
        yield "its accepted range is not the declared one"


def _batch(answer: Answer) -> int:
    value: Value = typed(answer)
    return value.batch_size


def words(value: Value) -> str:
    parts = []
    for a in value.precisions:
        if a.status != "ok":
            parts.append(f"{a.precision} {a.status}: {a.reason}")
            continue
        ratio = value.ratio(a)
        text = f"{a.precision} {number(a.step_seconds * 1e3)} ms"
        text += f" ({number(ratio)} × float32)" if ratio is not None and a is not value.precisions[0] else ""
        text += f", metric {number(a.trained.metric, 4)}" if a.trained else ""
        text += ", out of range" if a.trained and a.trained.in_range is False else ""
        text += ", mostly disturbed" if a.spoilt else ""
        parts.append(text + (f" ({a.mismatch})" if a.mismatch else ""))
    return "; ".join(parts)
