"""Group normalisation."""

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
class GroupNorm(Layer):
    """Every row normalised by mean and variance of each group of channels.

    Args:
        groups: number of groups.
        channels: size of dimension 1, a multiple of it.
        eps: added to the variance, in its unit.
        affine: whether a weight and a bias per channel are learned.

    Source:
        Wu and He 2018, *Group normalization*; numbers as torch.nn.GroupNorm.
    """

    name = "group_norm"

    groups: int
    channels: int
    eps: float = 1e-5
    affine: bool = True

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Keep the shape."""
        (shape,) = inputs
        if len(shape) < 2 or shape[1] not in (None, self.channels):
            raise ShapeError(
                f"group_norm was made for {self.channels} channels.",
                expected=f"a size of {self.channels} in dimension 1",
                got=shown(shape),
                fix="channels come first: [batch, channels, height, width]",
            )
        return ((shape[0], self.channels, *shape[2:]),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Ones and zeros."""
        del key
        if not self.affine:
            return {}, {}
        return {"weight": torch.ones(self.channels), "bias": torch.zeros(self.channels)}, {}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Normalise."""
        weight, bias = given.params.get("weight"), given.params.get("bias")
        return F.group_norm(x, self.groups, weight, bias, self.eps)
