"""What the part ``loops`` finds for one framework."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import counted, mostly_disturbed
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Call, Strict, field

TITLE = "As people write it"
QUESTION = "what the high-level loops of books and tutorials cost beside the bare loop of steps"
PER_FRAMEWORK = True

BARE = "bare"
# Error up to which two loops count as the same work: five times the largest seen. Measured on two CPU cores, after
# eight steps of 16 samples (``run --profile smoke --batch-size 16 --measure loops``): 0 for every loop of mnist_mlp
# (all frameworks), mnist_cnn (TensorFlow, TensorLayerX), cifar10_resnet (PyTorch, TensorFlow), lstm_text and word2vec
# (PyTorch); 1.9e-5 for PyTorch's DataLoader on mnist_cnn, whose one-channel images have other strides than the
# engine's, so that another kernel sums in another order. No GPU has been measured.
TOLERANCE = 1e-4


class Loop(Strict):
    """One way to write the training loop, over the same NumPy arrays, batches and order as the others."""

    name: str = field("bare, which is the engine's own loop; or the name of a high-level one")
    written: str = field("how it is written, in a sentence")
    set_up_seconds: float = field(
        "wall seconds of its first call beyond those of a later one: tracing, compiling", ge=0
    )
    calls: list[Call] = field("each later call", min_length=1)
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
    loops: list[Loop] = field("the bare loop first; calls took turns, so the i-th of each belong together")

    @property
    def bare(self) -> Loop:
        return self.loops[0]

    def step_seconds(self, loop: Loop) -> float:
        """Median over calls, quiet ones where there are enough; seconds."""
        return median(c.seconds for (c,) in counted([(c,) for c in loop.calls])) / (self.steps * self.epochs)

    def beside(self, loop: Loop) -> list[tuple[Call, Call]]:
        """Each call with the bare loop's call beside it."""
        return list(zip(loop.calls, self.bare.calls, strict=True))

    def ratios(self, loop: Loop) -> list[float]:
        """Of each call to the bare loop's call beside it."""
        return [a.seconds / b.seconds for a, b in self.beside(loop)]

    def ratio(self, loop: Loop) -> float:
        """Median of :meth:`ratios`, over quiet pairs where there are enough."""
        return median(a.seconds / b.seconds for a, b in counted(self.beside(loop)))

    def disturbed(self, loop: Loop) -> bool:
        """Whether most pairs of calls were, so that nothing is said of their ratio."""
        return mostly_disturbed(self.beside(loop))


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    if not value.loops or value.bare.name != BARE or value.bare.error is not None:
        yield "its first loop is not the bare one"
        return
    for loop in value.loops[1:]:
        if len(loop.calls) != len(value.bare.calls):
            yield f"{loop.name} was not called as often as the bare loop"
        if loop.error is None or loop.error > TOLERANCE:
            yield f"{loop.name} was not proven to do the same work, error {loop.error}, tolerance {TOLERANCE:.0e}"
    if len({loop.name for loop in value.loops}) != len(value.loops):
        yield "two loops share a name"


def words(value: Value) -> str:
    bare = f"bare step {value.step_seconds(value.bare) * 1e3:.3g} ms"
    others = [
        f"{loop.name} × {value.ratio(loop):.3g}{' (disturbed)' if value.disturbed(loop) else ''}"
        for loop in value.loops[1:]
    ]
    return ", ".join([bare, *others])
