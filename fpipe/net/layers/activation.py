"""Activations: functions of every single number, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.value import descriptor
from fpipe.net.layer import Dtypes, Elementwise
from fpipe.net.shape import Shape, inner_dim

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "celu": F.celu,
    "elu": F.elu,
    "gelu": F.gelu,
    "hardshrink": F.hardshrink,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardtanh": F.hardtanh,
    "leaky_relu": F.leaky_relu,
    "log_sigmoid": F.logsigmoid,
    "mish": F.mish,
    "relu": torch.relu,
    "relu6": F.relu6,
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "softshrink": F.softshrink,
    "softsign": F.softsign,
    "tanh": torch.tanh,
    "tanhshrink": F.tanhshrink,
    "threshold": F.threshold,
}
"""Name → the function of torch that computes it."""


@descriptor
class Activation(Elementwise):
    """A function of every single number, without parameters of its own that are learned.

    Args:
        function: a name in `ACTIVATIONS`.
        arguments: pairs of name and value, sorted.
    """

    name = "activation"

    function: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def of(self, x: Tensor) -> Tensor:
        """Return the function's value."""
        return ACTIVATIONS[self.function](x, **dict(self.arguments))

    def __repr__(self) -> str:
        return f"{self.function}({', '.join(f'{k}={v!r}' for k, v in self.arguments)})"


@descriptor
class Identity(Elementwise):
    """``x`` itself."""

    name = "identity"

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Keep the dtype."""
        del shapes
        return inputs

    def of(self, x: Tensor) -> Tensor:
        """Return the input."""
        return x


@descriptor
class Softmax(Elementwise):
    """``exp(x)``, divided by its sum along one dimension.

    Args:
        dim: the dimension; not the batch.
    """

    name = "softmax"

    dim: int = -1

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Keep the shape."""
        inner_dim(inputs[0], self.dim, what=self.name)
        return inputs

    def of(self, x: Tensor) -> Tensor:
        """Return shares that sum to 1."""
        return torch.softmax(x, self.dim)
