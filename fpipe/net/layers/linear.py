"""Affine maps of the last dimension."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Given, Layer, Tensors, weight_and_bias
from fpipe.net.shape import Shape, shown


@descriptor
class Linear(Layer):
    """``y = x @ weight.T + bias`` over the last dimension.

    Args:
        in_features: size of the last dimension that enters.
        out_features: size of the last dimension that leaves.
        bias: whether a bias is added.

    Source:
        torch.nn.Linear, with its initialisation: uniform in ±1/sqrt(in_features).
    """

    name = "linear"

    in_features: int
    out_features: int
    bias: bool = True

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Replace the last size."""
        (shape,) = inputs
        if not shape or shape[-1] not in (None, self.in_features):
            raise ShapeError(
                f"linear was made for {self.in_features} features.",
                expected=f"a last dimension of {self.in_features}",
                got=shown(shape),
                fix=f"give inputs of {self.in_features} features, or build the network for others",
            )
        return ((*shape[:-1], self.out_features),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw weight and bias."""
        shape = (self.out_features, self.in_features)
        return weight_and_bias(key, shape, self.out_features, bias=self.bias)

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Apply the map."""
        return F.linear(x, given.params["weight"], given.params.get("bias"))
