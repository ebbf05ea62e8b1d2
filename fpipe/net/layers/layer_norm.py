"""Layer normalisation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Given, Layer, Tensors
from fpipe.net.shape import Shape, shown


@descriptor
class LayerNorm(Layer):
    """Normalise the trailing dimensions of every row by their own mean and variance.

    Args:
        sizes: sizes of the trailing dimensions.
        elementwise_affine: whether a weight and a bias per number are learned.
        eps: added to the variance, in its unit.

    Source:
        Ba, Kiros and Hinton 2016, *Layer normalization*; numbers as torch.nn.LayerNorm.
    """

    name = "layer_norm"

    sizes: tuple[int, ...]
    elementwise_affine: bool = True
    eps: float = 1e-5

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Keep the shape."""
        (shape,) = inputs
        start = len(shape) - len(self.sizes)
        pairs = zip(shape[max(start, 0) :], self.sizes, strict=False)
        if start < 1 or any(found not in (None, size) for found, size in pairs):
            raise ShapeError(
                f"layer_norm was made for trailing sizes {shown(self.sizes)}.",
                expected=f"a batch and trailing sizes {shown(self.sizes)}",
                got=shown(shape),
                fix="give the layer the inputs that it was made for",
            )
        return ((*shape[:start], *self.sizes),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Ones and zeros."""
        del key
        if not self.elementwise_affine:
            return {}, {}
        return {"weight": torch.ones(self.sizes), "bias": torch.zeros(self.sizes)}, {}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Normalise."""
        params = given.params
        return F.layer_norm(x, self.sizes, params.get("weight"), params.get("bias"), self.eps)
