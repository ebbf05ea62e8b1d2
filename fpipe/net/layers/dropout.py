"""Dropout with declared draws."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fpipe.core.value import descriptor
from fpipe.net.layer import Draw, Given, Keep, Layer
from fpipe.net.shape import Shape


@descriptor
class Dropout(Layer):
    """Set each number to 0 with probability ``p`` while training, and scale the rest by 1/(1-p).

    Args:
        p: probability of a zero, in [0, 1].

    Source:
        Srivastava et al. 2014, *Dropout*, in the inverted form of torch.nn.Dropout.
    """

    name = "dropout"

    p: float

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """One mask of the input's shape."""
        if self.p == 0.0:
            return {}
        return {"keep": Keep(tuple(n or 0 for n in inputs[0]), 1.0 - self.p)}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Mask and scale while training."""
        if not given.training or self.p == 0.0:
            return x
        if self.p == 1.0:
            return x * 0.0
        return x * given.draws["keep"].to(x.device, x.dtype).mul(1.0 / (1.0 - self.p))
