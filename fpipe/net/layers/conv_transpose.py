"""Transposed convolutions: what convolutions do to gradients, forwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Given, Layer, Tensors, weight_and_bias
from fpipe.net.layers.windows import Sizes, check_extents, image
from fpipe.net.shape import Shape


@descriptor
class TransposedConvolution(Layer):
    """Every point of the input lays down a weighted window; overlapping ones are added.

    Args:
        in_channels: channels that enter.
        out_channels: channels that leave.
        kernel_size: size of the window, one per dimension.
        stride: steps between windows.
        padding: pixels left out at both ends.
        output_padding: pixels added at the end.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        dilation: steps between the points of a window.

    Source:
        torch.nn.ConvTranspose1d to 3d, with their initialisation.
    """

    dims: ClassVar[int]
    function: ClassVar[Callable[..., Any]]

    in_channels: int
    out_channels: int
    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    output_padding: Sizes
    dilation: Sizes
    groups: int = 1
    bias: bool = True

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Undo the count of windows."""
        (shape,) = inputs
        extents = image(shape, self.dims, self.in_channels, what=self.name)
        sizes = zip(
            extents,
            self.kernel_size,
            self.stride,
            self.padding,
            self.output_padding,
            self.dilation,
            strict=True,
        )
        counts = (
            None if n is None else (n - 1) * s - 2 * p + d * (k - 1) + o + 1
            for n, k, s, p, o, d in sizes
        )
        leaving = (shape[0], self.out_channels, *counts)
        return (check_extents(self.name, shape, leaving),)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw weight and bias."""
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        return weight_and_bias(key, shape, self.out_channels, bias=self.bias)

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Convolve, transposed."""
        out: Tensor = type(self).function(
            x,
            given.params["weight"],
            given.params.get("bias"),
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )
        return out


@descriptor
class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution of ``[batch, channels, length]``."""

    name = "conv_transpose1d"
    dims = 1
    function = staticmethod(F.conv_transpose1d)


@descriptor
class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution of ``[batch, channels, height, width]``."""

    name = "conv_transpose2d"
    dims = 2
    function = staticmethod(F.conv_transpose2d)


@descriptor
class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution of ``[batch, channels, depth, height, width]``."""

    name = "conv_transpose3d"
    dims = 3
    function = staticmethod(F.conv_transpose3d)
