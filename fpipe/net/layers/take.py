"""Positions of a dimension."""

from __future__ import annotations

import torch
from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.core.value import descriptor
from fpipe.net.layer import Dtypes, Given, Layer
from fpipe.net.shape import Shape, inner_dim, shown


@descriptor
class Take(Layer):
    """Some positions of one dimension, as NumPy's indexing takes them.

    Args:
        indices: positions to keep, in order; one position alone drops the dimension. Negative
            ones count from the end.
        dim: the dimension, counted with the batch.
    """

    name = "take"

    indices: int | tuple[int, ...]
    dim: int = 1

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Replace the size by the number of positions."""
        (shape,) = inputs
        at = inner_dim(shape, self.dim, what=self.name)
        many = isinstance(self.indices, tuple)
        kept = self.indices if isinstance(self.indices, tuple) else (self.indices,)
        size = shape[at]
        wrong = [i for i in kept if size is not None and not -size <= i < size]
        if wrong:
            raise ShapeError(
                f"{self.name} asks for position {wrong[0]} of dimension {self.dim}.",
                expected=f"positions from {-(size or 0)} to {(size or 0) - 1}",
                got=shown(shape),
            )
        return ((*shape[:at], *((len(kept),) if many else ()), *shape[at + 1 :]),)

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Keep the dtype."""
        del shapes
        return inputs

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Take the positions."""
        del given
        if isinstance(self.indices, int):
            return x.select(self.dim, self.indices)
        size = x.shape[self.dim]
        index = torch.tensor([i % size for i in self.indices], device=x.device)
        return x.index_select(self.dim, index)
