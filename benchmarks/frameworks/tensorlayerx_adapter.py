"""TensorLayerX on TensorFlow or, where ``TL_BACKEND=torch``, on PyTorch.

Its hazards and how they are contained here:

* A batch-norm layer that has once run under ``set_eval()`` keeps its evaluation operation for good, and the
  training operation overwrites its own reference to the moving statistics (with a symbolic tensor when traced).
  Every switch, and every trace, binds fresh operations to the layer's variables: :meth:`Program.switch`.
* Every dropout layer has seed 0, so in a graph two of one shape draw the same mask. Each gets its own seed.
* On TensorFlow the optimisers compare a weight-decay tensor with 0.0, which raises in ``tf.function`` and reads
  from the device otherwise. It is replaced by the number in eager and graph, left alone in trainonestep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorlayerx as tlx

from benchmarks.frameworks.base import Conventions, find_layer
from benchmarks.layers import BatchNorm, Conv2D, Dense, Dropout, Shape
from benchmarks.workload import Workload

MODES = {
    "eager": "TensorFlow backend: one tape step over TensorLayerX modules, loss and optimiser, from Python",
    "graph": "TensorFlow backend: tf.function of that whole step; also of evaluation",
    "trainonestep": "TensorFlow backend: TensorLayerX's TrainOneStep, which reads the loss to the host each step",
    "torch-trainonestep": "PyTorch backend: TensorLayerX's TrainOneStep, which reads the loss to the host each step",
}

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_variance": "moving_var"}
LAYERS: dict[type, tuple[type, dict[str, str]]] = {
    Dense: (tlx.nn.Linear, {"weight": "weights", "bias": "biases"}),
    Conv2D: (tlx.nn.Conv2d, {"weight": "filters", "bias": "biases"}),
    BatchNorm: (tlx.nn.BatchNorm, NORM),
}
LOSSES = {"softmax_cross_entropy": tlx.losses.softmax_cross_entropy_with_logits}


class Program:
    """What both backends share; the subclass knows variables and gradients."""

    def __init__(self, adapter: Adapter, implementation: Any, workload: Workload) -> None:
        self.adapter = adapter
        self.model = model = self.prepare(implementation.build(workload))
        self.trained = [t.name for t in workload.tensors if t.trainable]
        self.norms = [find_layer(model, n.name, tlx.nn.BatchNorm) for n in workload.layers if isinstance(n, BatchNorm)]
        self.dropouts = {
            d.name: find_layer(model, d.name, tlx.nn.Dropout) for d in workload.layers if isinstance(d, Dropout)
        }
        for index, layer in enumerate(self.dropouts.values()):
            layer.seed = 1 + 1009 * adapter.seed + index
            layer.build()
        self.optimizer = optimizer = implementation.optimizer(workload, model)
        self.loss = lambda x, y: implementation.loss(model, x, y)
        self.training: bool | None = None
        if adapter.mode in ("eager", "graph"):
            optimizer.weight_decay = 0.0
            self.train_step = self.during(True, lambda x, y: implementation.train_step(model, optimizer, x, y))
        else:
            with_loss = tlx.model.WithLoss(model, LOSSES[workload.loss])
            step = tlx.model.TrainOneStep(with_loss, optimizer, model.trainable_weights)
            self.train_step = self.during(True, lambda x, y: step(x, y))
        dropouts = list(self.dropouts.values())
        self.predict = self.during(False, lambda x: implementation.predict(model, x))
        self.run = self.during(True, model)
        self.drop = self.during(True, lambda ones: [layer(ones) for layer in dropouts])
        self.connect(workload)

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
        if self.adapter.mode == "graph":

            def traced(*arguments: Any) -> Any:
                self.switch(training)
                return function(*arguments)

            return self.adapter.backend.wrap(traced)

        def called(*arguments: Any) -> Any:
            if self.training is not training:
                self.switch(training)
            return function(*arguments)

        return called

    def forward(self, x: Any) -> np.ndarray:
        return self.adapter.to_numpy(self.run(x))

    def dropout_on_ones(self, shape: Shape) -> dict[str, np.ndarray]:
        if not self.dropouts:
            return {}
        masks = self.drop(self.adapter.place(np.ones(shape, np.float32)))
        return {name: self.adapter.to_numpy(mask) for name, mask in zip(self.dropouts, masks, strict=True)}

    def prepare(self, model: Any) -> Any:
        raise NotImplementedError

    def connect(self, workload: Workload) -> None:
        raise NotImplementedError


if tlx.BACKEND == "torch":
    import torch

    from benchmarks.frameworks import torch_adapter as backend
    from benchmarks.frameworks.base import check_shape

    class BackendProgram(Program):
        def prepare(self, model: Any) -> Any:
            return model.to(self.adapter.backend.device)

        def connect(self, workload: Workload) -> None:
            self.slots: dict[str, backend.Slot] = {}
            for layer in workload.layers:
                if isinstance(layer, tuple(LAYERS)):
                    kind, attributes = LAYERS[type(layer)]
                    found = find_layer(self.model, layer.name, kind)
                    for part, attribute in attributes.items():
                        slot = backend.Slot(tensor=getattr(found, attribute))
                        if isinstance(layer, Conv2D) and part == "weight":
                            slot = backend.conv_weight(slot.tensor)
                        self.slots[f"{layer.name}.{part}"] = slot
            backend.check_slots(self.slots, workload)
