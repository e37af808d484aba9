"""What the part ``loops`` finds for one framework."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.answers import Answer
from benchmarks.results import Result
from benchmarks.samples import Strict, field

TITLE = "As people write it"
QUESTION = "what the high-level loops of books and tutorials cost beside the bare loop of steps"
PER_FRAMEWORK = True

BARE = "bare"


class Loop(Strict):
    """One way to write the training loop, over the same NumPy arrays, batches and order as the others."""

    name: str = field("bare, which is the engine's own loop; or the name of a high-level one")
    written: str = field("how it is written, in a sentence")
    set_up_seconds: float = field(
        "wall seconds of its first call beyond those of a later one: tracing, compiling", ge=0
    )
    seconds: list[float] = field("wall seconds of each later call, device synchronised at both ends", min_length=1)
    error: float | None = field(
        "proof of equal work: how far this loop's steps moved the worst tensor from where the bare loop's moved it, "
        "over the length of that move; None for the bare loop itself",
        default=None,
    )


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    steps: int = field("training steps of an epoch over the arrays", gt=0)
    epochs: int = field("epochs of one timed call", gt=0)
    proof_steps: int = field("steps after which tensors were compared, without dropout", gt=0)
    proof_batch: int = field("samples per step of these; as timed, but 16 in smoke runs", gt=0)
    tolerance: float = field("error up to which two loops count as the same work", gt=0)
    loops: list[Loop] = field("the bare loop first; calls took turns, so the i-th of each belong together")

    @property
    def bare(self) -> Loop:
        return self.loops[0]

    def step_seconds(self, loop: Loop) -> float:
        """Median over calls, seconds."""
        return median(loop.seconds) / (self.steps * self.epochs)

    def ratios(self, loop: Loop) -> list[float]:
        """Of each call to the bare loop's call beside it."""
        return [a / b for a, b in zip(loop.seconds, self.bare.seconds, strict=True)]


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = answer.typed
    if not value.loops or value.bare.name != BARE or value.bare.error is not None:
        yield "its first loop is not the bare one"
        return
    for loop in value.loops[1:]:
        if len(loop.seconds) != len(value.bare.seconds):
            yield f"{loop.name} was not called as often as the bare loop"
        if loop.error is None or loop.error > value.tolerance:
            yield f"{loop.name} was not proven to do the same work, error {loop.error}"
    if len({loop.name for loop in value.loops}) != len(value.loops):
        yield "two loops share a name"


def words(value: Value) -> str:
    bare = f"bare step {value.step_seconds(value.bare) * 1e3:.3g} ms"
    others = [f"{loop.name} × {median(value.ratios(loop)):.3g}" for loop in value.loops[1:]]
    return ", ".join([bare, *others])
