"""Rectifiers whose slope below 0 is learned or drawn."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Draw, Given, Layer, Tensors, Uniform
from fpipe.net.shape import Shape, shown


@descriptor
class PReLU(Layer):
    """``x`` above 0 and ``weight * x`` below, with one learned weight or one per channel.

    Args:
        num_parameters: 1, or the size of dimension 1.
        init_value: first value of every weight.

    Source:
        He et al. 2015, *Delving deep into rectifiers*; numbers as torch.nn.PReLU.
    """

    name = "prelu"

    num_parameters: int = 1
    init_value: float = 0.25

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Keep the shape; several weights need as many channels."""
        (shape,) = inputs
        if self.num_parameters == 1:
            return inputs
        if len(shape) < 2 or shape[1] not in (None, self.num_parameters):
            raise ShapeError(
                f"prelu has {self.num_parameters} weights, one per channel (dimension 1).",
                expected=f"a size of {self.num_parameters} in dimension 1",
                got=shown(shape),
                fix="use num_parameters=1, or the size of dimension 1",
            )
        return ((shape[0], self.num_parameters, *shape[2:]),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """All weights begin equal."""
        del key
        return {"weight": torch.full((self.num_parameters,), float(self.init_value))}, {}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Apply the slopes."""
        return F.prelu(x, given.params["weight"])


@descriptor
class RReLU(Layer):
    """``x`` above 0 and a random share of ``x`` below while training, the mean share otherwise.

    Args:
        lower: smallest slope.
        upper: largest slope.

    Source:
        Xu et al. 2015, *Empirical evaluation of rectified activations*; in evaluation the
        numbers of torch.nn.RReLU.
    """

    name = "rrelu"

    lower: float = 1 / 8
    upper: float = 1 / 3

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """One slope per number."""
        return {"slope": Uniform(tuple(n or 0 for n in inputs[0]), self.lower, self.upper)}

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Apply the drawn slopes, or the mean one."""
        if not given.training:
            return F.leaky_relu(x, (self.lower + self.upper) / 2)
        slope = given.draws["slope"].to(x.device, x.dtype)
        return torch.where(x <= 0, x * slope, x)
