"""PyTorch: eager and ``torch.compile``, tuned or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.frameworks.base import (
    Conventions,
    ImplementationError,
    beside_layers,
    check_precision,
    check_shape,
    describe_optimizer,
    find_layer,
)
from benchmarks.frameworks.torch_modes import MODES
from benchmarks.layers import LSTM, BatchNorm, Conv2D, Dense, Embedding, Placed, Shape
from benchmarks.workload import Workload, base_mode

PRESETS = ("reduce-overhead", "max-autotune")  # modes of torch.compile's own, by its names

Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where a declared tensor lives in the model, and the way from the canonical layout (``load``) and back."""

    tensor: torch.Tensor
    load: Convert = lambda array: array
    dump: Convert = lambda array: array

    def read(self, values: torch.Tensor | None = None) -> np.ndarray:
        """A canonical copy of the tensor, or of ``values`` in its layout (a gradient)."""
        source = self.tensor if values is None else values
        source = source.to_dense() if source.is_sparse else source
        return np.array(self.dump(source.detach().cpu().numpy()), order="C")

    def write(self, array: np.ndarray) -> None:
        with torch.no_grad():
            self.tensor.copy_(torch.from_numpy(np.ascontiguousarray(self.load(array))))


def dense_weight(tensor: torch.Tensor, image: Shape | None) -> Slot:
    """``nn.Linear`` keeps (outputs, inputs); after a flatten its inputs come channel first."""
    if image is None:
        return Slot(tensor=tensor, load=np.transpose, dump=np.transpose)
    height, width, channels = image

    def load(array: np.ndarray) -> np.ndarray:
        return array.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(array.shape[::-1])

    def dump(array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, channels, height, width).transpose(2, 3, 1, 0).reshape(array.shape[::-1])

    return Slot(tensor=tensor, load=load, dump=dump)


def conv_weight(tensor: torch.Tensor) -> Slot:
    """PyTorch keeps (outputs, inputs, height, width)."""
    return Slot(tensor=tensor, load=lambda a: a.transpose(3, 2, 0, 1), dump=lambda a: a.transpose(2, 3, 1, 0))


def dense_slots(layer: Any, placed: Placed) -> dict[str, Slot]:
    return {"weight": dense_weight(layer.weight, placed.flattened_from), "bias": Slot(tensor=layer.bias)}


def conv_slots(layer: Any, placed: Placed) -> dict[str, Slot]:
    return {"weight": conv_weight(layer.weight)} | ({} if layer.bias is None else {"bias": Slot(tensor=layer.bias)})


def embedding_slots(layer: Any, placed: Placed) -> dict[str, Slot]:
    return {"weight": Slot(tensor=layer.weight)}


def lstm_slots(layer: Any, placed: Placed) -> dict[str, Slot]:
    """``nn.LSTM`` has two biases: the recurrent one must stay 0 and out of training."""
    if layer.bias_hh_l0.requires_grad or bool(layer.bias_hh_l0.any()):
        raise ImplementationError(f"{type(layer).__name__}: bias_hh_l0 must be 0 and not trained, one bias is declared")
    turned = {"load": np.transpose, "dump": np.transpose}
    return {
        "input_weight": Slot(tensor=layer.weight_ih_l0, **turned),
        "recurrent_weight": Slot(tensor=layer.weight_hh_l0, **turned),
        "bias": Slot(tensor=layer.bias_ih_l0),
    }


def norm_slots(layer: Any, placed: Placed) -> dict[str, Slot]:
    return {
        "weight": Slot(tensor=layer.weight),
        "bias": Slot(tensor=layer.bias),
        "running_mean": Slot(tensor=layer.running_mean),
        "running_variance": Slot(tensor=layer.running_var),
    }


def column(tensor: torch.Tensor) -> Slot:
    """A bias that may lie as (rows, 1): only tables of rows have sparse gradients."""
    return Slot(tensor=tensor, load=lambda a: a.reshape(len(a), *tensor.shape[1:]), dump=np.ravel)


FindSlots = Callable[[Any, Placed], dict[str, Slot]]
LAYERS: dict[type, tuple[type, FindSlots]] = {
    Dense: (nn.Linear, dense_slots),
    Conv2D: (nn.Conv2d, conv_slots),
    BatchNorm: (nn.modules.batchnorm._BatchNorm, norm_slots),
    Embedding: (nn.Embedding, embedding_slots),
    LSTM: (nn.LSTM, lstm_slots),
}


def find_slots(model: Any, workload: Workload, layers: dict[type, tuple[type, FindSlots]]) -> dict[str, Slot]:
    """Declared tensor name -> slot, for every tensor of ``workload``."""
    out: dict[str, Slot] = {}
    for placed in workload.leaves:
        layer: Any = placed.layer
        if placed.tensors:
            kind, slots = layers[type(layer)]
            found = slots(find_layer(model, layer.name, kind), placed)
            out |= {f"{layer.name}.{part}": slot for part, slot in found.items()}
    for owner, part in beside_layers(workload):
        tensor = find_layer(model, f"{owner}_{part}", torch.Tensor)
        out[f"{owner}.{part}"] = column(tensor) if part == "bias" else Slot(tensor=tensor)
    for declared in workload.tensors:
        slot = out[declared.name]
        check_shape(declared.name, slot.load(np.empty(declared.shape)).shape, tuple(slot.tensor.shape))
    return out


class Program:
    def __init__(self, adapter: Adapter, implementation: Any, workload: Workload) -> None:
        self.adapter = adapter
        self.implementation = implementation
        self.model = adapter.in_precision(implementation.build(workload).to(adapter.device))
        self.slots = find_slots(self.model, workload, LAYERS)
        self.trained = [t.name for t in workload.tensors if t.trainable]
        self.dropouts = {layer.name: find_layer(self.model, layer.name, nn.Dropout) for layer in workload.dropouts}
        self.optimizer = implementation.optimizer(workload, self.model)
        self._step, self._predict = implementation.train_step, implementation.predict
        self.drop = self._drop
        if MODES[adapter.mode].compiles:
            preset = adapter.mode if adapter.mode in PRESETS else None
            how: dict[str, Any] = {"dynamic": False, "mode": preset}
            self.drop = torch.compile(self._drop, **how)
            if adapter.mode == "compile-step":
                self._step = torch.compile(self._step, **how)
                self._predict = torch.compile(self._predict, **how)
            else:
                self.model.compile(**how)

    def _train(self, training: bool) -> None:
        if self.model.training is not training:
            self.model.train(training)

    def train_step(self, *batch: Any) -> Any:
        self._train(True)
        return self._step(self.model, self.optimizer, *batch)

    def predict(self, *inputs: Any) -> Any:
        self._train(False)
        return self._predict(self.model, *inputs)

    def forward(self, *inputs: Any) -> np.ndarray:
        self._train(True)
        out = self.model(*inputs)
        return self.adapter.to_numpy(out[0] if isinstance(out, tuple) else out)

    def set_learning_rate(self, rate: float) -> None:
        if isinstance(self.optimizer, torch.optim.Optimizer):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        elif hasattr(self.optimizer, "learning_rate"):  # an implementation's own
            self.optimizer.learning_rate = rate
        else:
            raise ImplementationError(f"{type(self.optimizer).__name__} has neither param_groups nor learning_rate")

    def gradients(self, *batch: Any) -> tuple[float, dict[str, np.ndarray]]:
        self._train(True)
        loss = self.implementation.loss(self.model, *batch)
        slots = [self.slots[name] for name in self.trained]
        values = torch.autograd.grad(loss, [slot.tensor for slot in slots])
        found = {name: slot.read(value) for name, slot, value in zip(self.trained, slots, values, strict=True)}
        return float(loss.detach()), found

    def get_tensors(self) -> dict[str, np.ndarray]:
        return {name: slot.read() for name, slot in self.slots.items()}

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        for name, value in tensors.items():
            self.slots[name].write(value)

    def _drop(self, ones: torch.Tensor) -> list[torch.Tensor]:
        return [layer(ones) for layer in self.dropouts.values()]

    def dropout_on_ones(self, shape: Shape) -> dict[str, np.ndarray]:
        if not self.dropouts:
            return {}
        self._train(True)
        masks = self.drop(torch.ones(shape, device=self.adapter.device))
        return {name: self.adapter.to_numpy(mask) for name, mask in zip(self.dropouts, masks, strict=True)}


class Adapter:
    conventions = Conventions(adam_epsilon="after", running_variance="unbiased")

    def __init__(self, *, mode: str, device: str, threads: int, seed: int, precision: str = "float32") -> None:
        check_precision(precision, device)
        if mode not in MODES:
            raise ValueError(f"torch has the modes {', '.join(MODES)}, not {mode!r}")
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no GPU")
        self.mode = base_mode(mode)
        self.precision = precision
        self.device = torch.device(device)
        torch.set_flush_denormal(True)  # before the thread pool starts: its threads inherit the setting
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True  # TensorFlow autotunes too
        torch.manual_seed(seed)
        if MODES[self.mode].compiles:
            # One graph per batch size and flag; beyond the default limit of 8, PyTorch would silently run eagerly.
            torch._dynamo.config.recompile_limit = 64
            torch._dynamo.config.fail_on_recompile_limit_hit = True

    def versions(self) -> dict[str, str]:
        out = {"torch": str(torch.__version__)}
        if self.device.type == "cuda":
            out["cuda"] = str(torch.version.cuda)
            out["cudnn"] = str(torch.backends.cudnn.version())
        return out

    def settings(self) -> dict[str, Any]:
        tiny = torch.full((1 << 20,), 1e-20, device=self.device) * 1e-20  # large enough for every thread
        return {
            "threads": torch.get_num_threads(),
            "interop_threads": torch.get_num_interop_threads(),
            "denormals_flushed": bool((tiny == 0).all()),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "memory_format": "contiguous (NCHW)",  # of inputs; a tuned model may lie channels last
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

    def used(self, program: Program) -> dict[str, Any]:
        compiles = bool(MODES[self.mode].compiles)
        return {
            "onednn": bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),
            "cpu_kernels": torch.backends.cpu.get_cpu_capability(),
            "optimizer": self._describe(program.optimizer),
            "compiled_graphs": int(torch._dynamo.utils.counters["stats"]["unique_graphs"]) if compiles else None,
        }

    def _describe(self, optimizer: Any) -> str:
        if not isinstance(optimizer, torch.optim.Optimizer):
            return describe_optimizer(optimizer)
        group = optimizer.param_groups[0]
        default = self.device.type == "cuda"  # where neither was asked for
        foreach = default if group.get("foreach") is None else group["foreach"]
        form = "fused" if group.get("fused") else "foreach" if foreach else "one parameter after the other"
        return f"{describe_optimizer(optimizer)}, {form}"

    def in_precision(self, model: Any) -> Any:
        """``model``, its forward pass under autocast in bf16; what it returns is float32 again, for the loss."""
        if self.precision != "bf16":
            return model
        forward, device = model.forward, self.device.type

        def lowered(*inputs: Any) -> Any:
            with torch.autocast(device, torch.bfloat16):
                out = forward(*inputs)
            return tuple(o.float() for o in out) if isinstance(out, tuple) else out.float()

        model.forward = lowered
        return model

    def build(self, implementation: Any, workload: Workload) -> Program:
        return Program(self, implementation, workload)

    def place(self, array: np.ndarray) -> torch.Tensor:
        return self.place_as_is(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array)

    def place_as_is(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.ascontiguousarray(array), device=self.device)

    def to_numpy(self, handle: Any) -> np.ndarray:
        out: np.ndarray = handle.detach().cpu().numpy()
        return out

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def reset_peak_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def peak_memory(self) -> int | None:
        return int(torch.cuda.max_memory_allocated()) if self.device.type == "cuda" else None

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.to_numpy(self.place(a) @ self.place(b))

    def is_out_of_memory(self, error: BaseException) -> bool:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            return True
        return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
