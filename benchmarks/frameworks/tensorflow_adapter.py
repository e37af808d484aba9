"""TensorFlow with Keras 3: eager, ``tf.function``, one or several steps in it, and XLA."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port  # only there TensorFlow says whether oneDNN is on

from benchmarks.errors import Unavailable
from benchmarks.frameworks.base import (
    Conventions,
    beside_layers,
    check_precision,
    check_shape,
    describe_optimizer,
    find_layer,
)
from benchmarks.frameworks.tensorflow_modes import MODES
from benchmarks.layers import LSTM, BatchNorm, Conv2D, Dense, Embedding, Shape
from benchmarks.workload import NCE, Workload, base_mode

TOGETHER = 8  # steps of one call in graph-multi

# Declared layer -> Keras layer, and the attribute that holds each declared tensor. Layouts are the canonical ones.
Attributes = dict[type, tuple[type, dict[str, str]]]
LAYERS: Attributes = {
    Dense: (keras.layers.Dense, {"weight": "kernel", "bias": "bias"}),
    Conv2D: (keras.layers.Conv2D, {"weight": "kernel", "bias": "bias"}),
    BatchNorm: (
        keras.layers.BatchNormalization,
        {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_variance": "moving_variance"},
    ),
    Embedding: (keras.layers.Embedding, {"weight": "embeddings"}),
    LSTM: (
        keras.layers.LSTM,
        {"input_weight": "cell.kernel", "recurrent_weight": "cell.recurrent_kernel", "bias": "cell.bias"},
    ),
}


def find_variables(
    model: Any, workload: Workload, layers: Attributes, of_lstm: Callable[[Any, str], Any] | None = None
) -> dict[str, Any]:
    """Declared tensor name -> variable, for every tensor of ``workload``."""
    out: dict[str, Any] = {}
    for placed in workload.leaves:
        layer: Any = placed.layer
        if placed.tensors:
            kind, attributes = layers[type(layer)]
            found = find_layer(model, layer.name, kind)
            own = [t.name.rsplit(".", 1)[1] for t in placed.tensors if not t.state]
            get = (isinstance(layer, LSTM) and of_lstm) or (lambda holder, path: attrgetter(path)(holder))
            out |= {f"{layer.name}.{part}": get(found, attributes[part]) for part in own}
    for owner, part in beside_layers(workload):
        out[f"{owner}.{part}"] = find_layer(model, f"{owner}_{part}", object)
    for declared in workload.tensors:
        check_shape(declared.name, declared.shape, tuple(out[declared.name].shape))
    return out


def lacking_instructions() -> str:
    """Which instructions of this CPU the build does not use in kernels of its own; oneDNN and XLA choose theirs later.

    TensorFlow says so in its log alone, at its import. A worker's log is the file behind its standard error.
    """
    log = Path("/proc/self/fd/2")
    text = log.read_text("utf-8", "replace") if log.is_file() else ""
    found = re.search(r"enable the following instructions: (.*?), in other operations", text)
    return f"built without {found[1]}" if found else "not said"


class Program:
    def __init__(self, adapter: Adapter, implementation: Any, workload: Workload) -> None:
        self.adapter = adapter
        self.model = model = adapter.in_precision(implementation.build(workload))
        model.jit_compile = adapter.mode == "xla"  # Keras's own word for it, where an implementation must know
        self.variables = find_variables(model, workload, LAYERS)
        self.trained = [t.name for t in workload.tensors if t.trainable]
        self.optimizer = optimizer = implementation.optimizer(workload, model)
        targets = [self.variables[name] for name in self.trained]
        self.dropouts = {layer.name: find_layer(model, layer.name, keras.layers.Dropout) for layer in workload.dropouts}
        dropouts = list(self.dropouts.values())

        def gradients(*batch: Any) -> tuple[Any, list[Any]]:
            with tf.GradientTape() as tape:
                loss = implementation.loss(model, *batch)
            return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, targets)]  # rows summed where sparse

        wrap = adapter.wrap

        def several(*stacked: Any) -> Any:
            losses = tf.TensorArray(tf.float32, stacked[0].shape[0])
            for i in tf.range(stacked[0].shape[0]):
                losses = losses.write(i, implementation.train_step(model, optimizer, *(array[i] for array in stacked)))
            return losses.stack()

        if adapter.mode == "graph-multi":
            self.together = TOGETHER
            self.train_steps = wrap(several)
            self.train_step = lambda *batch: self.train_steps(*(array[None] for array in batch))[0]
        else:
            self.train_step = wrap(lambda *batch: implementation.train_step(model, optimizer, *batch))
        self.predict = wrap(lambda *inputs: implementation.predict(model, *inputs))
        self.differentiate = wrap(gradients)
        self.run = wrap(lambda *inputs: model(*inputs, training=True))
        self.drop = wrap(lambda ones: [layer(ones, training=True) for layer in dropouts])

    def forward(self, *inputs: Any) -> np.ndarray:
        out = self.run(*inputs)
        return self.adapter.to_numpy(out[0] if isinstance(out, (tuple, list)) else out)

    def set_learning_rate(self, rate: float) -> None:
        self.optimizer.learning_rate.assign(rate)

    def gradients(self, *batch: Any) -> tuple[float, dict[str, np.ndarray]]:
        loss, values = self.differentiate(*batch)
        return float(loss), {n: self.adapter.to_numpy(v) for n, v in zip(self.trained, values, strict=True)}

    def get_tensors(self) -> dict[str, np.ndarray]:
        return {name: np.array(variable.numpy()) for name, variable in self.variables.items()}

    def set_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        for name, value in tensors.items():
            self.variables[name].assign(value)

    def dropout_on_ones(self, shape: Shape) -> dict[str, np.ndarray]:
        if not self.dropouts:
            return {}
        masks = self.drop(tf.ones(shape))
        return {name: self.adapter.to_numpy(mask) for name, mask in zip(self.dropouts, masks, strict=True)}


class Adapter:
    conventions = Conventions(adam_epsilon="before", running_variance="biased")

    def __init__(self, *, mode: str, device: str, threads: int, seed: int, precision: str = "float32") -> None:
        check_precision(precision, device)
        if mode not in MODES:
            raise ValueError(f"tensorflow has the modes {', '.join(MODES)}, not {mode!r}")
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow")
        self.mode = base_mode(mode)
        self.precision = precision
        self.gpu = device == "cuda"
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        gpus = tf.config.list_physical_devices("GPU")
        if self.gpu:
            if not gpus:
                raise RuntimeError("TensorFlow sees no GPU")
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
        else:
            tf.config.set_visible_devices([], "GPU")
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
        keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bf16" else "float32")
        keras.utils.set_random_seed(seed)

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` as this mode runs it: compiled functions are traced once per batch shape."""
        if not MODES[self.mode].compiles:
            return function
        out: Callable[..., Any] = tf.function(function, jit_compile=self.mode == "xla" or None, reduce_retracing=False)
        return out

    def versions(self) -> dict[str, str]:
        out = {"tensorflow": str(tf.__version__), "keras": str(keras.__version__)}
        if self.gpu:
            info = tf.sysconfig.get_build_info()
            out["cuda"] = str(info.get("cuda_version", ""))
            out["cudnn"] = str(info.get("cudnn_version", ""))
        return out

    def settings(self) -> dict[str, Any]:
        tiny = self.wrap(lambda a: a * a)(tf.fill([1 << 20], 1e-20))  # large enough for every thread
        return {
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "interop_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "denormals_flushed": bool((self.to_numpy(tiny) == 0).all()),
            "tensor_float_32": bool(tf.config.experimental.tensor_float_32_execution_enabled()),
            "memory_growth": self.gpu,
        }

    def used(self, program: Any) -> dict[str, Any]:
        step = getattr(program, "train_steps", program.train_step)
        count = getattr(step, "experimental_get_tracing_count", None)
        return {
            "onednn": bool(_pywrap_util_port.IsMklEnabled()),
            "cpu_kernels": lacking_instructions(),
            "optimizer": describe_optimizer(program.optimizer),
            "compiled_graphs": int(count()) if count else None,
        }

    def in_precision(self, model: Any) -> Any:
        """``model``, built under Keras's policy; in bf16 what it returns is float32 again, for the loss."""
        if self.precision == "bf16":
            call = model.call

            def lowered(*inputs: Any, **words: Any) -> Any:
                return tf.nest.map_structure(lambda out: tf.cast(out, tf.float32), call(*inputs, **words))

            model.call = lowered
        return model

    def build(self, implementation: Any, workload: Workload) -> Program:
        if self.precision == "bf16" and isinstance(workload.loss, NCE):
            raise Unavailable(
                "Keras's mixed_bfloat16 policy casts whole tables before rows are read from them, so their gradients "
                "are no longer sparse, which this implementation's optimiser needs"
            )
        return Program(self, implementation, workload)

    def place(self, array: np.ndarray) -> Any:
        return self.place_as_is(array)

    def place_as_is(self, array: np.ndarray) -> Any:
        with tf.device("/GPU:0" if self.gpu else "/CPU:0"):
            return tf.constant(array)

    def to_numpy(self, handle: Any) -> np.ndarray:
        return np.asarray(handle)

    def synchronize(self) -> None:
        if self.gpu:
            tf.test.experimental.sync_devices()

    def reset_peak_memory(self) -> None:
        if self.gpu:
            tf.config.experimental.reset_memory_stats("GPU:0")

    def peak_memory(self) -> int | None:
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"]) if self.gpu else None

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        product = self.wrap(tf.matmul)
        return self.to_numpy(product(self.place(a), self.place(b)))

    def is_out_of_memory(self, error: BaseException) -> bool:
        return isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))
