"""What TensorLayerX 0.5.8 needs to train on today's PyTorch: two changes, each only where it is needed.

Its PyTorch backend was written for PyTorch 1.10. Since then

* ``Module._named_members`` is called with ``remove_duplicate`` (2.0), which TensorLayerX's own version does not take;
* the private functions of ``torch.optim`` that its optimisers call want other arguments (1.12). Every one of these
  optimisers holds the public optimiser of ``torch.optim`` of the same settings, so that takes the step.

Layers, losses, gradients and ``TrainOneStep`` stay as they are. Importing TensorLayerX on PyTorch imports torchvision,
which must be built as PyTorch is: :func:`torchvision_advice`.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Iterator
from typing import Any

OPTIMIZERS = ("Adam", "SGD")  # those that a workload uses


def take_remove_duplicate(module: Any) -> bool:
    """Let ``module._named_members`` take ``remove_duplicate``; return False where it does already.

    TensorLayerX names a tensor once only, as PyTorch does unless it is told otherwise.
    """
    own = module._named_members
    if "remove_duplicate" in inspect.signature(own).parameters:
        return False

    def named_members(
        self: Any, get_members_fn: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        if not remove_duplicate:
            raise NotImplementedError("TensorLayerX names a tensor once only: remove_duplicate=False is not there")
        out: Iterator[tuple[str, Any]] = own(self, get_members_fn, prefix, recurse)
        return out

    module._named_members = named_members
    return True


def torchvision_advice(error: BaseException) -> str:
    """Return what to install where torchvision made the import of TensorLayerX fail; an empty string elsewhere."""
    if "torchvision" not in str(error):
        return ""
    try:
        version, _, build = importlib.metadata.version("torch").partition("+")
    except importlib.metadata.PackageNotFoundError:
        return ""
    absent = isinstance(error, ModuleNotFoundError)
    wrong = "it is not installed" if absent else f"the one installed does not fit it ({' '.join(str(error).split())})"
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return (
        f"TensorLayerX on PyTorch needs torchvision, built as PyTorch is, and {wrong}: "
        f"pip install{'' if absent else ' --force-reinstall'} torch=={version} torchvision{index}"
    )


def held_optimizer(optimizer: Any) -> Any:
    """Return the public optimiser that TensorLayerX made at its first ``gradient`` call."""
    held = next((v for v in vars(optimizer).values() if hasattr(v, "param_groups")), None)
    if held is None:
        raise AttributeError(f"{type(optimizer).__name__}: gradient(loss, weights) comes before apply_gradients")
    return held


def step_held_optimizer(kind: Any) -> bool:
    """Let ``kind``, an optimiser's class, take its steps with what it holds; return False where its own step works."""
    import torch

    weight = torch.nn.Parameter(torch.ones(1))
    trial = kind()
    trial.gradient(weight.sum(), [weight])
    try:
        trial.apply_gradients()
    except (TypeError, RuntimeError):  # arguments that are missing, or of another type than before
        kind.apply_gradients = apply_gradients
        return True
    return False


def apply_gradients(self: Any, grads_and_vars: Any = None, closure: Any = None) -> None:
    """Step at the rate that stands in ``self.lr``; like TensorLayerX's own, on the gradients that the weights hold."""
    held = held_optimizer(self)
    for group in held.param_groups:
        group["lr"] = self.lr() if callable(self.lr) else self.lr
    held.step(closure)


def mend(tlx: Any) -> None:
    """Make ``tlx.nn.Module`` and the optimisers work with this PyTorch."""
    take_remove_duplicate(tlx.nn.Module)
    for name in OPTIMIZERS:
        step_held_optimizer(getattr(tlx.optimizers, name))
