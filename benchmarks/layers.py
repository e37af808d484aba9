"""Layers and initialisers as declarations: shapes and numbers, no framework.

A workload's network is a tuple of these objects. Parameter counts, initial
weights and the float64 reference are all derived from that one tuple.

Canonical layouts, which every adapter converts to and from:
images are (N, H, W, C); a dense weight is (inputs, outputs); a convolution
weight is (kernel height, kernel width, inputs, outputs); ``Flatten`` keeps the
(H, W, C) order; sequences are (N, time, C), and an LSTM's gates lie side by side
in the order input, forget, candidate, output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

Shape: TypeAlias = "tuple[int, ...]"


def optional() -> Any:
    """A field that leaves the declaration, and so its hash, as it was where it is not used."""
    return field(default=None, metadata={"optional": True})


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Every element equals ``value``."""

    value: float

    def draw(self, shape: Shape, rng: np.random.Generator) -> np.ndarray:
        return np.full(shape, self.value, np.float32)


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float
    high: float

    def draw(self, shape: Shape, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(self.low, self.high, shape).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class FanInUniform:
    """Uniform within ±1/sqrt(fan_in): PyTorch's default for linear layers, weights and biases alike."""

    fan_in: int

    def draw(self, shape: Shape, rng: np.random.Generator) -> np.ndarray:
        bound = 1.0 / math.sqrt(self.fan_in)
        return rng.uniform(-bound, bound, shape).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class TruncatedNormal:
    """Normal with mean 0, redrawn beyond two standard deviations (TensorFlow's definition)."""

    stddev: float

    def draw(self, shape: Shape, rng: np.random.Generator) -> np.ndarray:
        out = rng.standard_normal(shape)
        while (bad := np.abs(out) > 2.0).any():
            out[bad] = rng.standard_normal(int(bad.sum()))
        return (out * self.stddev).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Normal:
    """Normal with mean 0."""

    stddev: float

    def draw(self, shape: Shape, rng: np.random.Generator) -> np.ndarray:
        return (rng.standard_normal(shape) * self.stddev).astype(np.float32)


Initialiser: TypeAlias = "Constant | Uniform | FanInUniform | TruncatedNormal | Normal"


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One named array of a model, in canonical layout.

    A ``state`` is carried from batch to batch (it belongs to the batch, not to what was learned) and starts at 0.
    """

    name: str
    shape: Shape
    initialiser: Initialiser
    trainable: bool = True
    state: bool = False


@dataclass(frozen=True, kw_only=True)
class Dense:
    """Fully connected layer over the last axis, (N, inputs) -> (N, units). ``weight`` is (inputs, units)."""

    name: str
    units: int
    weight: Initialiser
    bias: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        return (
            Tensor(name=f"{self.name}.weight", shape=(shape[-1], self.units), initialiser=self.weight),
            Tensor(name=f"{self.name}.bias", shape=(self.units,), initialiser=self.bias),
        )


@dataclass(frozen=True, kw_only=True)
class Conv2D:
    """Convolution with (kernel - 1) / 2 zeros on every side (odd kernels only); no ``bias`` where it is None.

    With a ``stride`` the windows start at the first pixel of that padding, as in PyTorch; TensorFlow's own
    'same' padding would be lopsided then.
    """

    name: str
    filters: int
    kernel: int
    weight: Initialiser
    bias: Initialiser | None
    stride: int | None = optional()

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"{self.name}: kernel must be odd, got {self.kernel}")

    @property
    def step(self) -> int:
        return self.stride or 1

    def output_shape(self, shape: Shape) -> Shape:
        return (-(-shape[0] // self.step), -(-shape[1] // self.step), self.filters)

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        size = (self.kernel, self.kernel, shape[2], self.filters)
        weight = Tensor(name=f"{self.name}.weight", shape=size, initialiser=self.weight)
        if self.bias is None:
            return (weight,)
        return (weight, Tensor(name=f"{self.name}.bias", shape=(self.filters,), initialiser=self.bias))


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """Batch normalisation over all axes but the last.

    ``momentum`` is PyTorch's (new = (1 - m) * old + m * batch); TensorFlow's decay is 1 - momentum.
    """

    name: str
    momentum: float = 0.1
    epsilon: float = 1e-5
    weight: Initialiser = Constant(value=1.0)
    bias: Initialiser = Constant(value=0.0)

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        size = (shape[-1],)
        zero, one = Constant(value=0.0), Constant(value=1.0)
        return (
            Tensor(name=f"{self.name}.weight", shape=size, initialiser=self.weight),
            Tensor(name=f"{self.name}.bias", shape=size, initialiser=self.bias),
            Tensor(name=f"{self.name}.running_mean", shape=size, initialiser=zero, trainable=False),
            Tensor(name=f"{self.name}.running_variance", shape=size, initialiser=one, trainable=False),
        )


class _Stateless:
    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class ReLU(_Stateless):
    """max(x, 0); its gradient at 0 is 0."""

    def output_shape(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True, kw_only=True)
class MaxPool2D(_Stateless):
    """Maximum over ``size`` × ``size`` windows, stride ``size``; the image must divide evenly."""

    size: int

    def output_shape(self, shape: Shape) -> Shape:
        if shape[0] % self.size or shape[1] % self.size:
            raise ValueError(f"MaxPool2D: {shape[:2]} does not divide by {self.size}")
        return (shape[0] // self.size, shape[1] // self.size, shape[2])


@dataclass(frozen=True, kw_only=True)
class GlobalAveragePool2D(_Stateless):
    """Mean over the whole image, (H, W, C) -> (C,)."""

    def output_shape(self, shape: Shape) -> Shape:
        return (shape[2],)


@dataclass(frozen=True, kw_only=True)
class Flatten(_Stateless):
    """(H, W, C) -> (H * W * C,), C fastest."""

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True, kw_only=True)
class Dropout(_Stateless):
    """Inverted dropout: a unit is dropped with probability ``rate``, survivors are divided by 1 - rate."""

    name: str
    rate: float

    def output_shape(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Row lookup, ids (...) -> (..., columns). ``weight`` is (rows, columns)."""

    name: str
    rows: int
    columns: int
    weight: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape, self.columns)

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        return (Tensor(name=f"{self.name}.weight", shape=(self.rows, self.columns), initialiser=self.weight),)


@dataclass(frozen=True, kw_only=True)
class LSTM:
    """One layer, (T, inputs) -> (T, units): c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c').

    ``weight`` initialises the input weights (inputs, 4 * units), the recurrent weights (units, 4 * units)
    and the one bias (4 * units,). The last h and c are carried to the next batch and not differentiated
    through. There is no forget bias: add one to ``bias`` if the model has one.
    """

    name: str
    units: int
    weight: Initialiser
    bias: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        return (shape[0], self.units)

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        gates = 4 * self.units
        return (
            Tensor(name=f"{self.name}.input_weight", shape=(shape[-1], gates), initialiser=self.weight),
            Tensor(name=f"{self.name}.recurrent_weight", shape=(self.units, gates), initialiser=self.weight),
            Tensor(name=f"{self.name}.bias", shape=(gates,), initialiser=self.bias),
        )

    def states(self, batch_size: int) -> tuple[Tensor, ...]:
        zero, shape = Constant(value=0.0), (batch_size, self.units)
        return tuple(
            Tensor(name=f"{self.name}.{part}", shape=shape, initialiser=zero, trainable=False, state=True)
            for part in ("h", "c")
        )


@dataclass(frozen=True, kw_only=True)
class Residual(_Stateless):
    """body(x) + shortcut(x); without layers the shortcut is x itself."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def output_shape(self, shape: Shape) -> Shape:
        body, shortcut = (place(branch, shape) for branch in (self.body, self.shortcut))
        after = shortcut[-1].output_shape if shortcut else shape
        if body[-1].output_shape != after:
            raise ValueError(f"Residual: the body gives {body[-1].output_shape}, the shortcut {after}")
        return after


Layer: TypeAlias = (
    "Dense | Conv2D | BatchNorm | ReLU | MaxPool2D | GlobalAveragePool2D | Flatten | Dropout | Embedding | LSTM "
    "| Residual"
)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A layer with the shapes it sees. ``flattened_from`` is the image shape before a Flatten right above it.

    ``branches`` holds the body and the shortcut of a :class:`Residual`.
    """

    layer: Layer
    input_shape: Shape
    output_shape: Shape
    tensors: tuple[Tensor, ...]
    flattened_from: Shape | None = None
    branches: tuple[tuple[Placed, ...], ...] = ()

    def leaves(self) -> Iterator[Placed]:
        """This layer, or all within it."""
        if not self.branches:
            yield self
        for branch in self.branches:
            for placed in branch:
                yield from placed.leaves()


def place(layers: tuple[Layer, ...], input_shape: Shape, batch_size: int = 1) -> tuple[Placed, ...]:
    """Follow ``input_shape`` through ``layers``."""
    out, shape, image = [], input_shape, None
    for layer in layers:
        after = layer.output_shape(shape)
        out.append(
            Placed(
                layer=layer,
                input_shape=shape,
                output_shape=after,
                tensors=layer.tensors(shape) + (layer.states(batch_size) if isinstance(layer, LSTM) else ()),
                flattened_from=image if isinstance(layer, Dense) else None,
                branches=tuple(place(branch, shape, batch_size) for branch in (layer.body, layer.shortcut))
                if isinstance(layer, Residual)
                else (),
            )
        )
        if isinstance(layer, Flatten) and len(shape) == 3:
            image = shape
        elif isinstance(layer, (Dense, Conv2D)):
            image = None
        shape = after
    return tuple(out)
