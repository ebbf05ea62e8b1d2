"""Layers that bring several paths together."""

from __future__ import annotations

import torch
from torch import Tensor

from fpipe.core.value import descriptor
from fpipe.net.layer import Applied, Layer, Tensors
from fpipe.net.shape import Shape, broadcast, concatenated


@descriptor
class MergeSum(Layer):
    """The sum of all inputs, sizes of 1 broadcast."""

    name = "merge_sum"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Broadcast."""
        return (broadcast(inputs, what=self.name),)

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Add, the first two first."""
        del params, draws, training
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return (total,), buffers


@descriptor
class MergeCat(Layer):
    """All inputs, one behind the other along one dimension.

    Args:
        dim: the dimension; the last by default.
    """

    name = "merge_cat"

    dim: int = -1

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Add up the sizes of the dimension."""
        return (concatenated(inputs, self.dim, what=self.name),)

    def apply(
        self,
        params: Tensors,
        buffers: Tensors,
        inputs: tuple[Tensor, ...],
        draws: Tensors,
        training: bool,
    ) -> Applied:
        """Concatenate."""
        del params, draws, training
        return (torch.cat(inputs, self.dim),), buffers
