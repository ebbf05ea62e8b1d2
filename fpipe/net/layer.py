"""Layers: pure functions of parameters, buffers, inputs and draws, described as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.shape import Shape

Tensors: TypeAlias = Mapping[str, Tensor]
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
class Stream:
    """A whole stream of random numbers, for a foreign module that draws by itself."""

    def draw(self, key: Key) -> Tensor:
        """Return the state of a generator at the start of the key's stream, uint8."""
        return key.generator().get_state()


Draw: TypeAlias = Keep | Stream


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

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Return initial parameters and buffers, float32 on the CPU."""
        del key
        return {}, {}

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
        raise NotImplementedError

    def check(self, inputs: tuple[Tensor, ...], training: bool) -> None:
        """Raise where a batch cannot be taken although its shapes fit."""


@descriptor
class Elementwise(Layer):
    """A layer without parameters that keeps the shape: a function of one tensor."""

    def of(self, x: Tensor) -> Tensor:
        """Return the function's value."""
        raise NotImplementedError

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Apply the function to the one input."""
        del params, draws, training
        return (self.of(inputs[0]),), buffers


def uniform(key: Key, shape: tuple[int, ...], bound: float) -> Tensor:
    """Return uniform draws from ``[-bound, bound]``, float32."""
    return torch.empty(shape).uniform_(-bound, bound, generator=key.generator())


def count(params: Mapping[str, Any]) -> int:
    """Return how many numbers a dict of tensors holds."""
    return sum(int(tensor.numel()) for tensor in params.values())
