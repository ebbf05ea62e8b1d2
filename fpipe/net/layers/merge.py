"""Layers that bring several paths together."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from fpipe.core.value import descriptor
from fpipe.net.layer import Dtypes, Given, Layer, promoted
from fpipe.net.shape import Shape, broadcast, concatenated


@descriptor
class Merge(Layer):
    """A layer of many inputs that leaves their common dtype as it is."""

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """The common dtype."""
        del shapes
        return (promoted(inputs),)


@descriptor
class MergeSum(Merge):
    """The sum of all inputs, sizes of 1 broadcast."""

    name = "merge_sum"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Broadcast."""
        return (broadcast(inputs, what=self.name),)

    def forward(self, given: Given, *inputs: Tensor) -> Tensor:
        """Add, the first two first."""
        del given
        return reduce(torch.add, inputs)


@descriptor
class MergeProd(Merge):
    """The product of all inputs, sizes of 1 broadcast."""

    name = "merge_prod"

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Broadcast."""
        return (broadcast(inputs, what=self.name),)

    def forward(self, given: Given, *inputs: Tensor) -> Tensor:
        """Multiply, the first two first."""
        del given
        return reduce(torch.mul, inputs)


@descriptor
class MergeCat(Merge):
    """All inputs, one behind the other along one dimension.

    Args:
        dim: the dimension; the last by default.
    """

    name = "merge_cat"

    dim: int = -1

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Add up the sizes of the dimension."""
        return (concatenated(inputs, self.dim, what=self.name),)

    def forward(self, given: Given, *inputs: Tensor) -> Tensor:
        """Concatenate."""
        del given
        return torch.cat(inputs, self.dim)
