"""TensorLayerX on TensorFlow or, where ``TL_BACKEND=torch``, on PyTorch.

Its hazards and how they are contained here:

* A batch-norm layer that has once run under ``set_eval()`` keeps its evaluation operation for good, and the
  training operation overwrites its own reference to the moving statistics (with a symbolic tensor when traced).
  Every switch, and every trace, binds fresh operations to the layer's variables: :meth:`Program.switch`.
* Every dropout layer has seed 0, so in a graph two of one shape draw the same mask. Each gets its own seed.
* On PyTorch no optimiser of it runs any more, nor can parameters be listed: ``tensorlayerx_on_torch.py`` mends both.
* On TensorFlow the optimisers compare a weight-decay tensor with 0.0, which raises in ``tf.function`` and reads
  from the device otherwise. It is replaced by the number in eager and graph, left alone in trainonestep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.errors import Unavailable
from benchmarks.frameworks.base import Conventions, ImplementationError, describe_optimizer, find_layer
from benchmarks.frameworks.tensorlayerx_modes import MODES
from benchmarks.frameworks.tensorlayerx_on_torch import mend, torchvision_advice
from benchmarks.layers import LSTM, BatchNorm, Conv2D, Dense, Embedding, Placed, Shape
from benchmarks.workload import Workload, base_mode

try:
    import tensorlayerx as tlx
except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision was built for another PyTorch
    if advice := torchvision_advice(error):
        raise Unavailable(advice) from error
    raise

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_variance": "moving_var"}
LAYERS: dict[type, tuple[type, dict[str, str]]] = {
    Dense: (tlx.nn.Linear, {"weight": "weights", "bias": "biases"}),
    Conv2D: (tlx.nn.Conv2d, {"weight": "filters", "bias": "biases"}),
    BatchNorm: (tlx.nn.BatchNorm, NORM),
    Embedding: (tlx.nn.Embedding, {"weight": "embeddings"}),
    LSTM: (tlx.nn.LSTM, {"input_weight": "weight_ih", "recurrent_weight": "weight_hh", "bias": "bias_ih"}),
}
LOSSES = {"softmax_cross_entropy": tlx.losses.softmax_cross_entropy_with_logits}


class Turned:
    """A variable that lies transposed."""

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.shape = tuple(variable.shape)[::-1]

    def numpy(self) -> np.ndarray:
        out: np.ndarray = self.variable.numpy()
        return out.T

    def assign(self, value: np.ndarray) -> None:
        self.variable.assign(value.T)


def of_lstm(layer: Any, attribute: str) -> Any:
    """``tlx.nn.LSTM`` keeps lists, one entry per layer, and a second bias, which must be 0 (not trained)."""
    if np.any(layer.bias_hh[0].numpy()):
        raise ImplementationError(f"{type(layer).__name__}: bias_hh must stay 0, one bias is declared")
    found = getattr(layer, attribute)[0]
    return found if attribute == "bias_ih" else Turned(found)


class Program:
    """What both backends share; the subclass knows variables and gradients."""

    def __init__(self, adapter: Adapter, implementation: Any, workload: Workload) -> None:
        self.adapter = adapter
        self.implementation = implementation
        self.model = model = implementation.build(workload)
        model.jit_compile = adapter.mode == "xla"  # as in the adapter of TensorFlow
        self.trained = [t.name for t in workload.tensors if t.trainable]
        self.training: bool | None = None
        # Which weights train, where that is not all that TensorLayerX thinks can.
        self.weights = implementation.trained(model) if hasattr(implementation, "trained") else model.trainable_weights
        self.connect(workload)
        layers = [placed.layer for placed in workload.leaves]
        self.norms = [find_layer(model, n.name, tlx.nn.BatchNorm) for n in layers if isinstance(n, BatchNorm)]
        self.dropouts = {d.name: find_layer(model, d.name, tlx.nn.Dropout) for d in workload.dropouts}
        for index, layer in enumerate(self.dropouts.values()):
            layer.seed = 1 + 1009 * adapter.seed + index
            layer.build()
        self.optimizer = optimizer = implementation.optimizer(workload, model)
        if adapter.mode == "torch-eager":
            self.train_step = self.during(True, self.step)
        elif adapter.mode == "eager" or MODES[adapter.mode].compiles:  # a tape step; the others are TrainOneStep
            optimizer.weight_decay = 0.0
            for inner in vars(optimizer).values():
                if hasattr(inner, "build"):  # the Keras optimiser inside makes its variables before the first trace
                    inner.build(self.weights)
            self.train_step = self.during(True, lambda *batch: implementation.train_step(model, optimizer, *batch))
        else:
            with_loss: Any = self.loss
            if workload.loss in LOSSES:
                with_loss = tlx.model.WithLoss(model, LOSSES[workload.loss])
            self.train_step = self.during(True, tlx.model.TrainOneStep(with_loss, optimizer, self.weights))
        dropouts = list(self.dropouts.values())
        self.predict = self.during(False, lambda *inputs: implementation.predict(model, *inputs))
        self.run = self.during(True, model)
        self.drop = self.during(True, lambda ones: [layer(ones) for layer in dropouts])

    def switch(self, training: bool) -> None:
        """Put the model in training or evaluation mode, batch norm included."""
        if training:
            self.model.set_train()
        else:
            self.model.set_eval()
        for norm in self.norms:
            norm.batchnorm = tlx.ops.BatchNorm(
                decay=norm.momentum,
                epsilon=norm.epsilon,
                beta=norm.beta,
                gamma=norm.gamma,
                moving_mean=norm.moving_mean,
                moving_var=norm.moving_var,
                num_features=norm.num_features,
                data_format=norm.data_format,
                is_train=training,
            )
        self.training = training

    def during(self, training: bool, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` as this mode runs it, in training or evaluation: switched when traced, or when need be."""
        if MODES[self.adapter.mode].compiles:

            def traced(*arguments: Any) -> Any:
                self.switch(training)
                return function(*arguments)

            wrapped: Callable[..., Any] = self.adapter.backend.wrap(traced)
            return wrapped

        def called(*arguments: Any) -> Any:
            if self.training is not training:
                self.switch(training)
            return function(*arguments)

        return called

    def step(self, *batch: Any) -> Any:
        """Take a step as TrainOneStep does, but leave the loss on the device."""
        loss = self.loss(*batch)
        self.optimizer.apply_gradients(zip(self.optimizer.gradient(loss, self.weights), self.weights, strict=True))
        return loss.detach()

    def loss(self, *batch: Any) -> Any:
        return self.implementation.loss(self.model, *batch)

    def forward(self, *inputs: Any) -> np.ndarray:
        out = self.run(*inputs)
        return self.adapter.to_numpy(out[0] if isinstance(out, (tuple, list)) else out)

    def dropout_on_ones(self, shape: Shape) -> dict[str, np.ndarray]:
        if not self.dropouts:
            return {}
        masks = self.drop(self.adapter.place(np.ones(shape, np.float32)))
        return {name: self.adapter.to_numpy(mask) for name, mask in zip(self.dropouts, masks, strict=True)}

    def connect(self, workload: Workload) -> None:
        """Find the declared tensors in the model and make the function that gives gradients."""
        raise NotImplementedError


class OnTensorFlow(Program):
    def connect(self, workload: Workload) -> None:
        import tensorflow as tf

        from benchmarks.frameworks.tensorflow_adapter import find_variables

        self.variables = find_variables(self.model, workload, LAYERS, of_lstm)
        targets = [getattr(self.variables[name], "variable", self.variables[name]) for name in self.trained]

        def differentiate(*batch: Any) -> tuple[Any, list[Any]]:
            with tf.GradientTape() as tape:
                loss = self.loss(*batch)
            gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, targets)]  # rows summed where sparse
            turned = [isinstance(self.variables[name], Turned) for name in self.trained]
            return loss, [tf.transpose(g) if turn else g for g, turn in zip(gradients, turned, strict=True)]

        self.differentiate = self.during(True, differentiate)

    def gradients(self, *batch: Any) -> tuple[float, dict[str, np.ndarray]]:
        loss, values = self.differentiate(*batch)
        return float(loss), {n: self.adapter.to_numpy(v) for n, v in zip(self.trained, values, strict=True)}

    def get_tensors(self) -> dict[str, np.ndarray]:
        return {name: np.array(variable.numpy()) for name, variable in self.variables.items()}

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        for name, value in tensors.items():
            self.variables[name].assign(value)

    def set_learning_rate(self, rate: float) -> None:
        candidates = (self.optimizer, *vars(self.optimizer).values())  # an own one, or the Keras one inside
        inner = next(v for v in candidates if hasattr(v, "learning_rate"))
        inner.learning_rate.assign(rate)


class OnTorch(Program):
    def during(self, training: bool, function: Callable[..., Any]) -> Callable[..., Any]:
        import torch

        return super().during(training, function if training else torch.inference_mode()(function))

    def connect(self, workload: Workload) -> None:
        import torch

        from benchmarks.frameworks.torch_adapter import Slot, conv_weight, find_slots

        def slots(layer: Any, placed: Placed) -> dict[str, Slot]:
            _, attributes = LAYERS[type(placed.layer)]
            tensors = {part: getattr(layer, attribute, None) for part, attribute in attributes.items()}
            out = {part: Slot(tensor=tensor) for part, tensor in tensors.items() if tensor is not None}  # or no bias
            if isinstance(placed.layer, Conv2D):
                out["weight"] = conv_weight(layer.filters)
            return out

        self.model.to(self.adapter.backend.device)
        self.slots = find_slots(self.model, workload, {kind: (layer, slots) for kind, (layer, _) in LAYERS.items()})

        def differentiate(*batch: Any) -> tuple[Any, Any]:
            loss = self.loss(*batch)
            return loss.detach(), torch.autograd.grad(loss, [self.slots[name].tensor for name in self.trained])

        self.differentiate = self.during(True, differentiate)

    def gradients(self, *batch: Any) -> tuple[float, dict[str, np.ndarray]]:
        loss, values = self.differentiate(*batch)
        return float(loss), {n: self.slots[n].read(v) for n, v in zip(self.trained, values, strict=True)}

    def get_tensors(self) -> dict[str, np.ndarray]:
        return {name: slot.read() for name, slot in self.slots.items()}

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        for name, value in tensors.items():
            self.slots[name].write(value)

    def set_learning_rate(self, rate: float) -> None:
        self.optimizer.lr = rate  # read at every step


class Adapter:
    def __init__(self, *, mode: str, device: str, threads: int, seed: int, precision: str = "float32") -> None:
        if precision == "bf16":
            raise Unavailable(f"TensorLayerX {tlx.__version__} has no mixed precision: neither autocast nor a policy")
        if mode not in MODES:
            raise ValueError(f"tensorlayerx has the modes {', '.join(MODES)}, not {mode!r}")
        wanted = MODES[mode].environment["TL_BACKEND"]
        if tlx.BACKEND != wanted:
            raise RuntimeError(f"mode {mode} needs TL_BACKEND={wanted}, TensorLayerX runs on {tlx.BACKEND}")
        self.mode = base_mode(mode)
        self.seed = seed
        self.backend: Any
        words: dict[str, Any] = {"device": device, "threads": threads, "seed": seed, "precision": precision}
        if wanted == "torch":
            from benchmarks.frameworks import torch_adapter

            self.backend = torch_adapter.Adapter(mode="eager", **words)
            mend(tlx)
            check_torch_backend(self.backend)
        else:
            from benchmarks.frameworks import tensorflow_adapter

            inner = self.mode if MODES[self.mode].compiles else "eager"
            self.backend = tensorflow_adapter.Adapter(mode=inner, **words)
        # The optimisers and batch norm are the backend's own.
        self.conventions: Conventions = self.backend.conventions

    def versions(self) -> dict[str, str]:
        return {"tensorlayerx": str(tlx.__version__), **self.backend.versions()}

    def settings(self) -> dict[str, Any]:
        return {"tl_backend": tlx.BACKEND, **self.backend.settings()}

    def used(self, program: Any) -> dict[str, Any]:
        used: dict[str, Any] = self.backend.used(program)
        inner = next((v for v in vars(program.optimizer).values() if hasattr(v, "apply_gradients")), None)
        whose = [used["optimizer"], *([describe_optimizer(inner)] if inner is not None else [])]
        return used | {"optimizer": " over ".join(whose)}

    def build(self, implementation: Any, workload: Workload) -> OnTorch | OnTensorFlow:
        if tlx.BACKEND == "torch" and (why := getattr(implementation, "TENSORFLOW_ONLY", "")):
            raise Unavailable(f"written for TensorLayerX's TensorFlow backend only: {why}")
        program = OnTorch if tlx.BACKEND == "torch" else OnTensorFlow
        return program(self, implementation, workload)

    def place(self, array: np.ndarray) -> Any:
        """Images stay NHWC: TensorLayerX's layers are channels-last on both backends."""
        return self.backend.place_as_is(array)

    def to_numpy(self, handle: Any) -> np.ndarray:
        if isinstance(handle, (np.ndarray, np.generic)):  # TrainOneStep has read it already
            return np.asarray(handle)
        out: np.ndarray = self.backend.to_numpy(handle)
        return out

    def synchronize(self) -> None:
        self.backend.synchronize()

    def reset_peak_memory(self) -> None:
        self.backend.reset_peak_memory()

    def peak_memory(self) -> int | None:
        out: int | None = self.backend.peak_memory()
        return out

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        out: np.ndarray = self.backend.matmul(a, b)
        return out

    def is_out_of_memory(self, error: BaseException) -> bool:
        return bool(self.backend.is_out_of_memory(error))


def check_torch_backend(backend: Any) -> None:
    """Take one step of one layer, so that a PyTorch that needs more mending is told before anything is timed."""
    try:
        layer = tlx.nn.Linear(1, in_features=1).to(backend.device)
        step = tlx.model.WithLoss(layer, tlx.losses.mean_squared_error)
        one = backend.place(np.ones((1, 1), np.float32))
        tlx.model.TrainOneStep(step, tlx.optimizers.Adam(), layer.trainable_weights)(one, one)
    except Exception as error:
        raise RuntimeError(
            f"TensorLayerX {tlx.__version__} does not train on PyTorch {backend.versions()['torch']}: {error}"
        ) from error
