"""Layers and initialisers as declarations: shapes and numbers, no framework.

A workload's network is a tuple of these objects. Parameter counts, initial
weights and the float64 reference are all derived from that one tuple.

Canonical layouts, which every adapter converts to and from:
images are (N, H, W, C); a dense weight is (inputs, outputs); a convolution
weight is (kernel height, kernel width, inputs, outputs); ``Flatten`` keeps the
(H, W, C) order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Shape: TypeAlias = "tuple[int, ...]"


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


Initialiser: TypeAlias = "Constant | Uniform | FanInUniform | TruncatedNormal"


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One named array of a model, in canonical layout."""

    name: str
    shape: Shape
    initialiser: Initialiser
    trainable: bool = True


@dataclass(frozen=True, kw_only=True)
class Dense:
    """Fully connected layer, (N, inputs) -> (N, units). ``weight`` is (inputs, units)."""

    name: str
    units: int
    weight: Initialiser
    bias: Initialiser

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        return (
            Tensor(name=f"{self.name}.weight", shape=(shape[0], self.units), initialiser=self.weight),
            Tensor(name=f"{self.name}.bias", shape=(self.units,), initialiser=self.bias),
        )


@dataclass(frozen=True, kw_only=True)
class Conv2D:
    """Convolution with stride 1 and 'same' zero padding (odd kernels only, so the padding is symmetric)."""

    name: str
    filters: int
    kernel: int
    weight: Initialiser
    bias: Initialiser

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"{self.name}: kernel must be odd, got {self.kernel}")

    def output_shape(self, shape: Shape) -> Shape:
        return (shape[0], shape[1], self.filters)

    def tensors(self, shape: Shape) -> tuple[Tensor, ...]:
        size = (self.kernel, self.kernel, shape[2], self.filters)
        return (
            Tensor(name=f"{self.name}.weight", shape=size, initialiser=self.weight),
            Tensor(name=f"{self.name}.bias", shape=(self.filters,), initialiser=self.bias),
        )


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


Layer: TypeAlias = "Dense | Conv2D | BatchNorm | ReLU | MaxPool2D | Flatten | Dropout"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A layer with the shapes it sees. ``flattened_from`` is the image shape before a Flatten right above it."""

    layer: Layer
    input_shape: Shape
    output_shape: Shape
    tensors: tuple[Tensor, ...]
    flattened_from: Shape | None = None


def place(layers: tuple[Layer, ...], input_shape: Shape) -> tuple[Placed, ...]:
    """Follow ``input_shape`` through ``layers``."""
    out, shape, image = [], input_shape, None
    for layer in layers:
        after = layer.output_shape(shape)
        out.append(
            Placed(
                layer=layer,
                input_shape=shape,
                output_shape=after,
                tensors=layer.tensors(shape),
                flattened_from=image if isinstance(layer, Dense) else None,
            )
        )
        if isinstance(layer, Flatten) and len(shape) == 3:
            image = shape
        elif isinstance(layer, (Dense, Conv2D)):
            image = None
        shape = after
    return tuple(out)
