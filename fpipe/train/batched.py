"""A batch in the inner loop."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fpipe.net.shape import Shape


class Batched:
    """A batch in the inner loop: plain dict and tensors."""

    __slots__ = ("inputs", "target", "weights")

    def __init__(
        self, inputs: Mapping[str, Tensor], target: Tensor | None, weights: Tensor | None
    ) -> None:
        self.inputs = inputs
        self.target = target
        self.weights = weights

    @property
    def rows(self) -> int:
        """Number of rows."""
        return next((int(x.shape[0]) for x in self.inputs.values()), 0)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every input."""
        return {name: tuple(tensor.shape) for name, tensor in self.inputs.items()}
