"""What the part ``profile`` finds for one stack."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Literal

from benchmarks.experiments import typed
from benchmarks.experiments.quiet import median_step, spoilt
from benchmarks.schema.measurements import Answer
from benchmarks.schema.results import Result
from benchmarks.schema.samples import Block, Call, Strict, field

TITLE = "Why is it slower"
QUESTION = "a profile of a few steps: host, kernels, copies, idle; top operators, graph breaks, a trace to open"
PARTS = ("kernels", "copies", "host", "idle")


class Split(Strict):
    """A profiled stretch of steps, every instant of it in one of four; see timeline.py."""

    wall: float = field("wall seconds of the stretch, synchronised at both ends", gt=0)
    kernels: float = field("seconds in which an operator computes, on whatever thread or stream", ge=0)
    copies: float = field("seconds in which data are only moved: host to device, layouts, types", ge=0)
    host: float = field("the rest: Python, dispatch, views, allocation, gaps between operators", ge=0)
    idle: float = field(
        "GPU: seconds in which the host waits for a device that has nothing to do; CPU: seconds outside kernels and "
        "copies in which no thread ran, as far as the process used less CPU time than passed (estimated)",
        ge=0,
    )

    def share(self, part: str) -> float:
        """Of the wall time."""
        value: float = getattr(self, part) / self.wall
        return value


class Operator(Strict):
    """All calls of one name in the stretch; on a GPU kernels and copies are the device's."""

    name: str = field("as the framework's profiler calls it; in TensorFlow the kind of operator, or XLA's fusion")
    kind: Literal["kernel", "copy", "host"] = field("as in Split")
    seconds: float = field("own seconds, without operators called from within, all threads and streams together", ge=0)
    calls: int = field("calls in the stretch", gt=0)


class Compilation(Strict):
    """What the compiler of this mode did to the training step, warm-up included."""

    graphs: int = field(
        "graphs compiled or traced for the training step; 0: the compiler declined, and the steps ran without it", ge=0
    )
    graph_breaks: int | None = field(
        "places where a graph ended early; None where the mode has none", default=None, ge=0
    )
    recompiles: int = field("graphs made again because a guard or an input's shape no longer fitted", ge=0)
    reasons: list[str] = field("why graphs broke or were made again, in the compiler's words", default_factory=list)


class Flag(Strict):
    """One way in which a step is not as declared; see benchmarks/workload/operations.py."""

    kind: Literal["rank", "multiply-adds", "undeclared", "size", "table"] = field(
        "a batched product; more or fewer multiply-adds of a layer; a product of no layer; an array beyond any that "
        "the declaration needs; all rows of a table where a few are needed"
    )
    subject: str = field("the operator, layer or table")
    sentence: str = field("what is done and what is declared, in words")


class Value(Strict):
    batch_size: int = field("samples per step, as timed", gt=0)
    steps: int = field("profiled training steps, after a warm-up", gt=0)
    split: Split = field("the profiled stretch")
    profiled: Call = field("the profiled stretch on the clock of the others, its evidence with it")
    cpu_seconds: float = field("CPU seconds of the process in the stretch, all threads", ge=0)
    unprofiled: list[Block] = field("the same steps with the profiler off, just before", min_length=1)
    operators: list[Operator] = field("those that took longest, longest first")
    operator_seconds: float = field("own seconds of all operators, also those not listed", ge=0)
    compilation: Compilation | None = field("None where the mode compiles nothing", default=None)
    flags: list[Flag] | None = field(
        "where the operators of one step are not as declared; None where they were not listed", default=None
    )
    unlisted: str = field("why its operators were not listed; empty where they were or nobody asked", default="")
    trace: str = field("Chrome trace, gzipped, in the run's folder: chrome://tracing or ui.perfetto.dev opens it")

    @property
    def step_seconds(self) -> float:
        """With the profiler off; median over blocks, quiet ones where there are enough."""
        return median_step(self.unprofiled)

    @property
    def disturbed(self) -> bool:
        """Whether others worked beside the profiled stretch or most of the blocks, so that nothing is said of them."""
        return self.profiled.disturbed or spoilt(self.unprofiled)

    @property
    def slow_down(self) -> float:
        """What profiling did to the step."""
        return self.split.wall / self.steps / self.step_seconds

    def per_step(self, part: str) -> float:
        """Seconds of an unprofiled step, divided as the profiled ones were."""
        return self.step_seconds * self.split.share(part)


def check(result: Result, answer: Answer) -> Iterator[str]:
    value: Value = typed(answer)
    parts = sum(getattr(value.split, part) for part in PARTS)
    if not math.isclose(parts, value.split.wall, rel_tol=1e-6):
        yield f"its parts add up to {parts:.6g} s of {value.split.wall:.6g} s"
    seconds = [o.seconds for o in value.operators]
    if seconds != sorted(seconds, reverse=True):
        yield "its operators are not in order"
    if sum(seconds) > value.operator_seconds * (1 + 1e-9):
        yield "its listed operators take longer than all of them together"
    if not re.fullmatch(r"traces/[^/\\]+\.json\.gz", value.trace):
        yield f"its trace {value.trace!r} does not lie in the run's folder traces"


def words(value: Value) -> str:
    parts = ", ".join(f"{part} {value.split.share(part):.0%}" for part in PARTS)
    made = value.compilation
    breaks = "" if made is None else f"; {made.graphs} graphs, {made.recompiles} made again"
    breaks += "" if made is None or made.graph_breaks is None else f", {made.graph_breaks} graph breaks"
    told = f"{parts} (profiled steps {value.slow_down:.2f} times as long){breaks}"
    told += f"; flags: {len(value.flags)}" if value.flags else ""
    told += "; disturbed" if value.disturbed else ""
    return f"{told}; {value.trace}"
