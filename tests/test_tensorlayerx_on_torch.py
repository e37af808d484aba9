"""TensorLayerX on PyTorch: what is mended, what is told where torchvision is missing, and that every mode trains.

CI has no torchvision that was built as its PyTorch is. TensorLayerX needs it for operations on boxes only, which no
workload has, so an empty one stands in for it here.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from frameworks import need

from benchmarks.engine.availability import available
from benchmarks.engine.environment import ROOT
from benchmarks.frameworks.tensorlayerx_on_torch import (
    held_optimizer,
    step_held_optimizer,
    take_remove_duplicate,
    torchvision_advice,
)

MODES = ("torch-eager", "torch-trainonestep")
ABSENT = ModuleNotFoundError("No module named 'torchvision'")
MISFIT = RuntimeError("operator torchvision::nms does not exist")


# -- torchvision ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "error", "expected"),
    [
        ("2.13.0", ABSENT, "it is not installed: pip install torch==2.13.0 torchvision"),
        (
            "2.13.0+cpu",
            ABSENT,
            "pip install torch==2.13.0 torchvision --index-url https://download.pytorch.org/whl/cpu",
        ),
        (
            "2.13.0+cu130",
            MISFIT,
            "the one installed does not fit it (operator torchvision::nms does not exist): pip install "
            "--force-reinstall torch==2.13.0 torchvision --index-url https://download.pytorch.org/whl/cu130",
        ),
    ],
)
def test_what_to_install_is_told(version: str, error: Exception, expected: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: {"torch": version}[name])
    advice = torchvision_advice(error)
    assert advice.startswith("TensorLayerX on PyTorch needs torchvision, built as PyTorch is, and ")
    assert advice.endswith(expected)


def test_other_errors_are_left_alone(monkeypatch: Any) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0")
    assert torchvision_advice(ModuleNotFoundError("No module named 'torch'")) == ""


# -- modules ---------------------------------------------------------------------------------------------


class Old:
    """As TensorLayerX's module: no ``remove_duplicate``."""

    def _named_members(self, get_members_fn: Any, prefix: str = "", recurse: bool = True) -> Any:
        yield from [*get_members_fn(self), (prefix, recurse)]


def test_a_module_of_old_takes_remove_duplicate() -> None:
    class Module(Old): ...

    with pytest.raises(TypeError, match="remove_duplicate"):
        Module()._named_members(lambda module: [("weight", 1)], prefix="p", remove_duplicate=True)
    assert take_remove_duplicate(Module)
    named = Module()._named_members(lambda module: [("weight", 1)], prefix="p", recurse=False, remove_duplicate=True)
    assert list(named) == [("weight", 1), ("p", False)]
    with pytest.raises(NotImplementedError, match="once only"):
        Module()._named_members(lambda module: [], remove_duplicate=False)
    assert "remove_duplicate" not in inspect.signature(Old._named_members).parameters


def test_a_module_that_takes_it_is_left_alone() -> None:
    class Module(Old):
        def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
            return iter(())

    before = Module._named_members
    assert not take_remove_duplicate(Module)
    assert Module._named_members is before


@pytest.mark.framework
def test_parameters_of_a_module_of_old_can_be_listed() -> None:
    need("torch")
    import torch

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))

        def _named_members(self, get_members_fn, prefix="", recurse=True):
            yield from ((f"own/{name}", value) for name, value in get_members_fn(self))

    with pytest.raises(TypeError, match="remove_duplicate"):
        list(Module().named_parameters())
    assert take_remove_duplicate(Module)
    assert [name for name, _ in Module().named_parameters()] == ["own/weight"]


# -- optimisers ------------------------------------------------------------------------------------------


def of_old(step: Any) -> type:
    """An optimiser's class as TensorLayerX has them, whose own step is ``step``."""
    import torch

    class SGD:
        def __init__(self, lr=0.5):
            self.lr = lr

        def gradient(self, loss, weights):
            if not hasattr(self, "optimizer_sgd"):
                self.optimizer_sgd = torch.optim.SGD(weights, lr=self.lr)
            self.optimizer_sgd.zero_grad()
            loss.backward()
            return [weight.grad for weight in weights]

        apply_gradients = step

    return SGD


@pytest.mark.framework
@pytest.mark.parametrize("error", [TypeError("missing argument: 'maximize'"), RuntimeError("API has changed")])
def test_an_optimiser_whose_step_fails_takes_it_with_what_it_holds(error: Exception) -> None:
    need("torch")
    import torch

    def fail(self: Any, grads_and_vars: Any = None, closure: Any = None) -> None:
        raise error

    kind = of_old(fail)
    assert step_held_optimizer(kind)
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = kind()
    with pytest.raises(AttributeError, match=r"gradient\(loss, weights\) comes before"):
        optimizer.apply_gradients()
    values = []
    for rate in (0.5, 0.25, lambda: 0.125):  # also a schedule of TensorLayerX's, which is called
        optimizer.lr = rate
        optimizer.apply_gradients(zip(optimizer.gradient((2 * weight).sum(), [weight]), [weight], strict=True))
        values.append(weight.item())
    assert values == [2.0, 1.5, 1.25]
    assert isinstance(held_optimizer(optimizer), torch.optim.SGD)


@pytest.mark.framework
def test_an_optimiser_that_steps_is_left_alone() -> None:
    need("torch")
    kind = of_old(lambda self, grads_and_vars=None: self.optimizer_sgd.step())
    before = kind.apply_gradients
    assert not step_held_optimizer(kind)
    assert kind.apply_gradients is before


# -- TensorLayerX itself ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python_path(tmp_path_factory: Any) -> str:
    """A PYTHONPATH on which an empty torchvision lies."""
    need("tensorlayerx")
    need("torch")
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").touch()
    return str(folder)


STEPS = """
import json
from types import SimpleNamespace
import torch
from benchmarks.frameworks import tensorlayerx_adapter as adapter
tlx = adapter.tlx
adapter.Adapter(mode="torch-eager", device="cpu", threads=1, seed=0)
adapter.Adapter(mode="torch-trainonestep", device="cpu", threads=1, seed=0)  # mended once only
out = {}
for name in ("Adam", "SGD"):
    weights = [torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0])) for _ in range(2)]
    theirs = getattr(tlx.optimizers, name)(lr=0.5)
    plain = getattr(torch.optim, name)([weights[1]], lr=0.25)
    adapter.OnTorch.set_learning_rate(SimpleNamespace(optimizer=theirs), 0.25)  # before its first step
    for rate in (0.25, 0.25, 0.125):
        adapter.OnTorch.set_learning_rate(SimpleNamespace(optimizer=theirs), rate)
        plain.param_groups[0]["lr"] = rate
        theirs.apply_gradients(zip(theirs.gradient((weights[0] ** 2).sum(), weights[:1]), weights[:1]))
        plain.zero_grad()
        (weights[1] ** 2).sum().backward()
        plain.step()
    out[name] = [weight.tolist() for weight in weights]
print(json.dumps(out))
"""


@pytest.mark.framework
def test_steps_are_those_of_pytorch_at_every_rate(python_path: str, tmp_path: Path) -> None:
    env = {**os.environ, "TL_BACKEND": "torch", "PYTHONPATH": os.pathsep.join([python_path, str(ROOT)])}
    env |= {"HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", STEPS], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, (theirs, plain) in json.loads(done.stdout.splitlines()[-1]).items():
        assert theirs == plain, name
        assert theirs != [1.0, -2.0, 3.0]


@pytest.mark.slow
@pytest.mark.framework
def test_every_mode_on_pytorch_is_certified(python_path: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "run", "--measure", "certificate", "--profile", "smoke"]
    command += [word for mode in MODES for word in ("--stack", f"tensorlayerx:{mode}")]
    keys = ("mnist_mlp", "mnist_mlp_ablation/batchnorm", "lstm_text", "word2vec")
    command += [word for key in keys for word in ("--workload", key)]
    env = {**os.environ, "PYTHONPATH": python_path}
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "run")], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert (tmp_path / "run" / "result.json").exists(), done.stderr
    rows = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))["rows"]
    found = {(row["workload"], row["stack"]["mode"]): SimpleNamespace(**row) for row in rows}
    assert len(found) == len(keys) * len(MODES)
    for (workload, _), row in found.items():
        if workload in ("lstm_text", "word2vec"):
            assert row.status == "unavailable"
            assert row.reason.count("written for TensorLayerX's TensorFlow backend only: ") == 1
        else:
            assert (row.status, row.reason) == ("ok", "")
            assert row.certificate["status"] == "ok"


@pytest.mark.framework
@pytest.mark.parametrize("mode", MODES)
def test_a_mode_on_pytorch_is_available_or_says_what_to_install(mode: str) -> None:
    need("tensorlayerx")
    need("torch")
    can, reason = available("tensorlayerx", mode, "cpu")
    assert can == (reason == "")
    assert can or " torchvision" in reason.partition("pip install")[2]
