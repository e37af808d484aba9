"""The operators of a training step in TensorFlow, read from the graph of the traced step, before Grappler or XLA."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from benchmarks.errors import Unavailable
from benchmarks.workload import Workload
from benchmarks.workload.operations import Array, Operator, Product, convolution, matmul

# They make no array: constants, names for what is there, other shapes of it.
PASSIVE = ("Const", "Placeholder", "Identity", "IdentityN", "Reshape", "ExpandDims", "Squeeze", "StopGradient", "NoOp")
# Operators that run functions of the graph, and which; of a condition either side may run, so both are listed.
CALLS = {
    "PartitionedCall": ("f",),
    "StatefulPartitionedCall": ("f",),
    "If": ("then_branch", "else_branch"),
    "StatelessIf": ("then_branch", "else_branch"),
    "While": ("body",),
    "StatelessWhile": ("body",),
}
MULTIPLIES = re.compile(r"MatMul|Conv\dD|Einsum|LSTM|GRU|R[Nn][Nn]|XlaDot")
SCATTERS = re.compile(r"ResourceSparseApply|ResourceScatter")


def operators(adapter: Any, implementation: Any, workload: Workload, batch: Sequence[Any]) -> list[Operator]:
    """Those of one step as this mode runs it; of an eager step all that Python calls, of a graph what it keeps."""
    program, mode = adapter.build(implementation, workload), adapter.mode.split("-")[0]
    if mode == "eager":
        program.train_step(*batch)  # an optimiser may make its variables in its first step, which no trace can
    return record(program.train_step, batch, mode)


def record(step: Callable[..., Any], batch: Sequence[Any], mode: str) -> list[Operator]:
    """The operators of ``step``, a function or ``tf.function``; only tracing runs it."""
    traced = step if hasattr(step, "get_concrete_function") else tf.function(step)
    return list(_of_graph(traced.get_concrete_function(*batch).graph, mode))


def _of_graph(graph: Any, mode: str) -> Iterator[Operator]:
    every = graph.get_operations() if mode == "eager" else _needed(graph)
    # A variable that is updated by rows is copied whenever it is read whole; others, and XLA's, are not.
    copied = mode != "xla" and any(SCATTERS.match(op.type) for op in every)
    for op in every:
        if op.type in CALLS:
            inside = [graph._get_function(op.get_attr(name).name).graph for name in CALLS[op.type]]
            for _ in range(_rounds(op, graph) if "While" in op.type else 1):
                for function in inside:
                    yield from _of_graph(function, mode)
        else:
            silent = op.type in PASSIVE or (op.type == "ReadVariableOp" and not copied)
            yield Operator(
                name=op.type,
                inputs=tuple(tuple(t.shape) for t in op.inputs if t.shape.is_fully_defined()),
                outputs=() if silent else tuple(_arrays(op.outputs)),
                products=tuple(_products(op)),
                batched=op.type.startswith("BatchMatMul"),
            )


def _rounds(loop: Any, graph: Any) -> int:
    """How often a loop's body runs: it counts from 0 to a number, or is the gradient of a loop that does."""
    condition = graph._get_function(loop.get_attr("cond").name).graph
    outside = {inner.name: outer for inner, outer in zip(condition.inputs, loop.inputs, strict=True)}
    limits = [op.inputs[1] for op in condition.get_operations() if op.type == "Less"]
    known = [tf.get_static_value(outside.get(limit.name, limit)) for limit in limits]
    if numbers := [int(number) for number in known if number is not None]:
        return min(numbers)
    before = [t.op for t in loop.inputs if "While" in t.op.type]
    if not before:
        raise Unavailable(f"how often the loop {loop.name} runs is not known from the graph")
    return _rounds(before[0], graph)


def _needed(graph: Any) -> list[Any]:
    """What the results and the side effects of ``graph`` need."""
    todo = [*(t.op for t in graph.outputs), *graph.control_outputs]
    seen = set(todo)
    while todo:
        op = todo.pop()
        before = {t.op for t in op.inputs} | set(op.control_inputs)
        todo.extend(before - seen)
        seen |= before
    return [op for op in graph.get_operations() if op in seen]


def _arrays(tensors: Sequence[Any]) -> Iterator[Array]:
    """Those whose size the graph knows; how many ids differ in a batch, say, it does not."""
    for t in tensors:
        if t.shape.is_fully_defined() and t.dtype.size:
            yield Array(tuple(t.shape), math.prod(t.shape) * t.dtype.size)


def _products(op: Any) -> Iterator[Product]:
    if not MULTIPLIES.search(op.type):
        return
    every = [*op.inputs, *op.outputs]
    if not all(t.shape.is_fully_defined() for t in every):
        raise Unavailable(f"{op.type} {op.name} has shapes that are known only when it runs")
    shapes = [tuple(t.shape) for t in every]
    inputs, out = shapes[: len(op.inputs)], shapes[-1]
    if op.type in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        (rows, columns), turned = out[-2:], op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
        yield matmul(rows, inputs[0][-2 if turned else -1], columns, batch=math.prod(out[:-2]))
    elif op.type in ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"):
        kernel = out if op.type == "Conv2DBackpropFilter" else inputs[1]
        made = out if op.type == "Conv2D" else inputs[2]
        image = made[2:] if op.get_attr("data_format") == b"NCHW" else made[1:3]
        yield convolution(made[0], image, kernel[:2], kernel[2], kernel[3])
    elif op.type in ("BlockLSTM", "BlockLSTMV2", "BlockLSTMGrad", "BlockLSTMGradV2"):
        (steps, samples, _), (inner, gates) = inputs[1], inputs[4]
        yield from [matmul(samples * steps, inner, gates)] * (2 if "Grad" in op.type else 1)
    else:
        raise Unavailable(f"nobody has told how much {op.type} multiplies")
