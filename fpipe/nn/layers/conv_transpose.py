"""Transposed convolutions."""

from __future__ import annotations

from typing import ClassVar

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED, boolean, integer, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import conv_transpose as layers
from fpipe.net.layers.windows import Sizes
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp
from fpipe.nn.layers.convolution import channels, check_groups, with_channels
from fpipe.nn.layers.windows import each, window


@descriptor
class TransposedOp(LayerOp):
    """A transposed convolution; what `conv_transpose1d` to `conv_transpose3d` share."""

    dims: ClassVar[int]
    made: ClassVar[type[layers.TransposedConvolution]]

    out_channels: int = parameter(default=REQUIRED, check=integer(1))
    kernel_size: int | Sizes = window()
    stride: int | Sizes = window(1)
    padding: int | Sizes = window(0, least=0)
    output_padding: int | Sizes = window(0, least=0)
    groups: int = parameter(default=1, check=integer(1))
    bias: bool = parameter(default=True, check=boolean())
    dilation: int | Sizes = window(1)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of channels that enter."""
        entering = channels(md.shapes[0], self.dims, self.name)
        check_groups(self.name, md.shapes[0], entering, self.out_channels, self.groups)
        names = ("kernel_size", "stride", "padding", "output_padding", "dilation")
        sizes = {name: each(getattr(self, name), self.dims) for name in names}
        spare = zip(sizes["output_padding"], sizes["stride"], sizes["dilation"], strict=True)
        if any(n >= max(stride, dilation) for n, stride, dilation in spare):
            raise ParameterError(
                f"{self.name}: output_padding must be smaller than stride or dilation.",
                expected=f"below {tuple(map(max, sizes['stride'], sizes['dilation']))}",
                got=f"output_padding={self.output_padding}",
                fix="use a smaller output_padding",
            )
        return self.made(entering, self.out_channels, groups=self.groups, bias=self.bias, **sizes)

    def guess(self, md: ModelDescriptor) -> Shape:
        """Batch and channels are known."""
        return with_channels(self, md)


@descriptor
class ConvTranspose1d(TransposedOp):
    """A transposed convolution of ``[batch, channels, length]``.

    Each size ``n`` becomes ``(n - 1) * stride - 2 * padding + dilation * (kernel_size - 1)
    + output_padding + 1``.

    Args:
        out_channels: channels that leave.
        kernel_size: size of the window.
        stride: steps between windows.
        padding: pixels left out at both ends.
        output_padding: pixels added at the end.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        dilation: steps between the points of a window.

    Raises:
        ShapeError: there are other dimensions, the channels are unknown or no multiple of
            ``groups``, or nothing would be left.
        ParameterError: ``output_padding`` is not below stride or dilation.

    Source:
        torch.nn.ConvTranspose1d.
    """

    name = "conv_transpose1d"
    dims = 1
    made = layers.ConvTranspose1d


@descriptor
class ConvTranspose2d(TransposedOp):
    """A transposed convolution of ``[batch, channels, height, width]``.

    Each size ``n`` becomes ``(n - 1) * stride - 2 * padding + dilation * (kernel_size - 1)
    + output_padding + 1``.

    Args:
        out_channels: channels that leave.
        kernel_size: size of the window; one number for all, or 2.
        stride: steps between windows.
        padding: pixels left out at both ends.
        output_padding: pixels added at the end.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        dilation: steps between the points of a window.

    Raises:
        ShapeError: there are other dimensions, the channels are unknown or no multiple of
            ``groups``, or nothing would be left.
        ParameterError: ``output_padding`` is not below stride or dilation.

    Source:
        torch.nn.ConvTranspose2d.
    """

    name = "conv_transpose2d"
    dims = 2
    made = layers.ConvTranspose2d


@descriptor
class ConvTranspose3d(TransposedOp):
    """A transposed convolution of ``[batch, channels, depth, height, width]``.

    Each size ``n`` becomes ``(n - 1) * stride - 2 * padding + dilation * (kernel_size - 1)
    + output_padding + 1``.

    Args:
        out_channels: channels that leave.
        kernel_size: size of the window; one number for all, or 3.
        stride: steps between windows.
        padding: pixels left out at both ends.
        output_padding: pixels added at the end.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        dilation: steps between the points of a window.

    Raises:
        ShapeError: there are other dimensions, the channels are unknown or no multiple of
            ``groups``, or nothing would be left.
        ParameterError: ``output_padding`` is not below stride or dilation.

    Source:
        torch.nn.ConvTranspose3d.
    """

    name = "conv_transpose3d"
    dims = 3
    made = layers.ConvTranspose3d


conv_transpose1d = operator(ConvTranspose1d)
conv_transpose2d = operator(ConvTranspose2d)
conv_transpose3d = operator(ConvTranspose3d)
