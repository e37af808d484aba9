"""The operators of a training step in PyTorch, taken one by one from the dispatcher while an eager step runs."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.errors import Unavailable
from benchmarks.workload import Workload
from benchmarks.workload.operations import Array, Operator, Product, convolution, matmul

MULTIPLIES = re.compile(r"(mm|matmul|mv|dot|conv\w*|rnn\w*|lstm|gru|attention\w*|einsum|bilinear)(_|$)")


def operators(adapter: Any, implementation: Any, workload: Workload, batch: Sequence[Any]) -> list[Operator]:
    """Those of one step of an eager program: compiled modes run the same model, so their twin is listed."""
    twin = copy.copy(adapter)
    twin.mode = "eager"
    program = twin.build(implementation, workload)
    program.train_step(*batch)  # an optimiser makes its state in its first step
    return record(lambda: program.train_step(*batch))


def record(step: Callable[[], Any]) -> list[Operator]:
    """The operators that ``step`` calls."""
    seen = _Seen()
    with seen:
        step()
    return seen.operators


class _Seen(TorchDispatchMode):  # type: ignore[misc]  # frameworks are untyped to mypy
    """Sees what lies below autograd, so forward and backward alike, and no composite operator but its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[Operator] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [_dense(t) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        held = {t.untyped_storage().data_ptr() for t in given}
        made = [_dense(t) for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        new = [t for t in made if t.numel() and t.untyped_storage().data_ptr() not in held]
        name = func.overloadpacket.__name__
        self.operators.append(
            Operator(
                name=str(func.overloadpacket).replace(".", "::"),
                inputs=tuple(tuple(t.shape) for t in given),
                outputs=tuple(Array(tuple(t.shape), t.numel() * t.element_size()) for t in new),
                products=tuple(_products(name, args, made)),
                batched=name in ("bmm", "baddbmm", "addbmm"),
            )
        )
        return out


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    """What a sparse tensor holds: its rows."""
    return tensor._values() if tensor.is_sparse else tensor


def _products(name: str, args: Any, made: Sequence[torch.Tensor]) -> Iterator[Product]:
    if name in ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv"):
        a, b = args[1:3] if name.startswith(("add", "badd")) else args[:2]
        columns = b.shape[-1] if b.ndim > 1 else 1
        yield matmul(a.shape[-2], a.shape[-1], columns, batch=math.prod(a.shape[:-2]))
    elif name == "convolution":
        yield _convolution(made[0], args[1], transposed=args[6])
    elif name == "convolution_backward":
        one = _convolution(args[0], args[2], transposed=args[7])
        yield from [one] * sum(args[10][:2])
    elif name in ("mkldnn_rnn_layer", "_cudnn_rnn"):
        yield from _recurrent(args)
    elif name in ("mkldnn_rnn_layer_backward", "_cudnn_rnn_backward"):
        yield from [*_recurrent(args)] * 2
    elif MULTIPLIES.search(name):
        raise Unavailable(f"nobody has told how much aten::{name} multiplies")


def _convolution(out: torch.Tensor, weight: torch.Tensor, *, transposed: bool) -> Product:
    if transposed:
        raise Unavailable("transposed convolutions are not counted")
    samples, filters, *image = out.shape
    return convolution(samples, tuple(image), tuple(weight.shape[2:]), weight.shape[1], filters)


def _recurrent(args: Any) -> Iterator[Product]:
    """The fused layer: all steps' inputs and all steps' states times their weights."""
    x = args[0]
    weights = args[1] if isinstance(args[1], (list, tuple)) else args[1:3]
    for weight in weights[:2]:
        yield matmul(x.shape[0] * x.shape[1], weight.shape[1], weight.shape[0])
