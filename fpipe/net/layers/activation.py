"""Activations: elementwise functions without parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from fpipe.core.value import descriptor
from fpipe.net.layer import Elementwise


@descriptor
class Identity(Elementwise):
    """``x`` itself."""

    name = "identity"

    def of(self, x: Tensor) -> Tensor:
        """Return the input."""
        return x


@descriptor
class ReLU(Elementwise):
    """``max(x, 0)``."""

    name = "relu"

    def of(self, x: Tensor) -> Tensor:
        """Return the positive part."""
        return torch.relu(x)


@descriptor
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    name = "tanh"

    def of(self, x: Tensor) -> Tensor:
        """Return the hyperbolic tangent."""
        return torch.tanh(x)


@descriptor
class Sigmoid(Elementwise):
    """``1 / (1 + exp(-x))``."""

    name = "sigmoid"

    def of(self, x: Tensor) -> Tensor:
        """Return the logistic function."""
        return torch.sigmoid(x)
