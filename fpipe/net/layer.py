"""Layers: pure functions of parameters, buffers, inputs and draws, described as values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.shape import Shape

Tensors: TypeAlias = Mapping[str, Tensor]
Dtypes: TypeAlias = tuple[torch.dtype, ...]
Applied: TypeAlias = tuple[tuple[Tensor, ...], Tensors]


@descriptor
class Keep:
    """A draw of ones and zeros, each one with probability ``p``.

    Args:
        shape: its shape, ``[batch, …]``.
        p: probability of a one.
    """

    shape: tuple[int, ...]
    p: float

    def draw(self, key: Key) -> Tensor:
        """Return the draw, bool.

        A mask from NumPy's Philox is several times faster on a CPU than torch's own dropout.
        """
        uniform = key.numpy().random(self.shape, dtype=np.float32)
        return torch.from_numpy(uniform < np.float32(self.p))


@descriptor
class Uniform:
    """A draw of numbers from ``[low, high)``, all equally likely.

    Args:
        shape: its shape, ``[batch, …]``.
        low: smallest number, in the unit of the input.
        high: upper end, likewise.
    """

    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0

    def draw(self, key: Key) -> Tensor:
        """Return the draw, float32."""
        unit = torch.from_numpy(key.numpy().random(self.shape, dtype=np.float32))
        return unit.mul_(self.high - self.low).add_(self.low)


@descriptor
class Normal:
    """A draw of numbers from a normal distribution.

    Args:
        shape: its shape, ``[batch, …]``.
        mean: its mean, in the unit of the input.
        std: its standard deviation, likewise.
    """

    shape: tuple[int, ...]
    mean: float = 0.0
    std: float = 1.0

    def draw(self, key: Key) -> Tensor:
        """Return the draw, float32."""
        unit = torch.from_numpy(key.numpy().standard_normal(self.shape, dtype=np.float32))
        return unit.mul_(self.std).add_(self.mean)


@descriptor
class Stream:
    """A whole stream of random numbers, for a foreign module that draws by itself."""

    def draw(self, key: Key) -> Tensor:
        """Return the state of a generator at the start of the key's stream, uint8."""
        return key.generator().get_state()


Draw: TypeAlias = Keep | Uniform | Normal | Stream


class Given(NamedTuple):
    """What a layer is given besides its inputs: its parameters, its draws, and the phase."""

    params: Tensors
    draws: Tensors
    training: bool


@descriptor
class Layer:
    """A description of one layer with every size resolved.

    Parameters and buffers are dicts of tensors by short name (``"weight"``). What a layer
    draws it declares, and gets passed in; so applying is a function.
    """

    name: ClassVar[str]

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Return the shapes of the outputs; by default those of the one input."""
        return inputs

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Return the dtypes of the outputs for inputs of these dtypes and shapes.

        By default there is one output, of the floating dtype that the inputs have.
        """
        del shapes
        joint = promoted(inputs)
        return (joint if joint.is_floating_point else torch.float32,)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Return initial parameters and buffers, float32 on the CPU."""
        del key
        return {}, {}

    def bare_weights(self) -> tuple[Tensors, Tensors]:
        """Return parameters and buffers on the meta device: shapes and dtypes, no numbers.

        However large the layer is, this takes no memory.
        """
        with torch.device("meta"):
            return self.init(Key(0))

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """Return what is drawn for a batch of these shapes while training, by name."""
        del inputs
        return {}

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Return the outputs and the new buffers; nothing that is passed in changes."""
        out = self.forward(Given(params, draws, training), *inputs)
        return (out if isinstance(out, tuple) else (out,)), buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output (a tuple where there are several) for ``Given`` and the inputs.

        What a layer without buffers overrides, as ``forward(self, given, x)``.
        """
        raise NotImplementedError

    def check(self, inputs: tuple[Tensor, ...], training: bool) -> None:
        """Raise where a batch cannot be taken although its shapes fit."""


@descriptor
class Elementwise(Layer):
    """A layer without parameters that keeps the shape: a function of one tensor."""

    def of(self, x: Tensor) -> Tensor:
        """Return the function's value."""
        raise NotImplementedError

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Apply the function to the one input."""
        del given
        return self.of(x)


def promoted(dtypes: Dtypes) -> torch.dtype:
    """Return the dtype that holds values of all these dtypes."""
    return reduce(torch.promote_types, dtypes)


def uniform(key: Key, shape: tuple[int, ...], bound: float) -> Tensor:
    """Return uniform draws from ``[-bound, bound]``, float32."""
    return torch.empty(shape).uniform_(-bound, bound, generator=key.generator())


def weight_and_bias(
    key: Key, shape: tuple[int, ...], size: int, *, bias: bool
) -> tuple[Tensors, Tensors]:
    """Return the parameters of a map as torch.nn draws them: uniform in ±1/sqrt(fan in).

    Args:
        key: where they are drawn from.
        shape: that of the weight; all but its first size make the fan in.
        size: that of the bias.
        bias: whether there is one.
    """
    fan_in = math.prod(shape[1:])
    bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
    params = {"weight": uniform(key.fold_in("weight"), shape, bound)}
    if bias:
        params["bias"] = uniform(key.fold_in("bias"), (size,), bound)
    return params, {}


def count(params: Mapping[str, Any]) -> int:
    """Return how many numbers a dict of tensors holds."""
    return sum(int(tensor.numel()) for tensor in params.values())
