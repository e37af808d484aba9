"""What the museum's exhibits need of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.errors import Unavailable


def soft_max(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(-1)


def replaced_model(module: Any, change: Callable[[Any], None]) -> None:
    """Let ``module.build`` give a model that ``change`` has had its hands on."""
    build = module.build

    def wrong(workload: Any) -> Any:
        model = build(workload)
        change(model)
        return model

    module.build = wrong


def in_evaluation(module: Any) -> None:
    """``model.eval()`` once, as after looking at the validation set, and never ``model.train()`` again."""

    def change(model: Any) -> None:
        model.eval()
        model.train = lambda mode=True: model

    replaced_model(module, change)


def in_precision(module: Any, form: str) -> None:
    """``float64``: what NumPy's default makes of a model; ``bfloat16 autocast``: forward pass in 16 bits."""

    def change(model: Any) -> None:
        forward = model.forward

        def double(*inputs: Any) -> Any:
            return forward(*(x.double() if x.is_floating_point() else x for x in inputs))

        def half(*inputs: Any) -> Any:
            with torch.autocast(inputs[0].device.type, torch.bfloat16):
                return forward(*inputs).float()

        if form == "float64":
            model.double()
        model.forward = double if form == "float64" else half

    replaced_model(module, change)


@contextmanager
def unsynchronised(session: Any) -> Iterator[Callable[[], None]]:
    """Steps may return before they are done; gives what waits for them."""
    if session.adapter.device.type == "cpu":
        raise Unavailable("PyTorch's operations on a CPU return when they are done, so there is nothing to leave out")
    yield session.adapter.synchronize


@contextmanager
def threads(count: int) -> Iterator[None]:
    kept = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(kept)
