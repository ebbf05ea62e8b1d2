"""Convolutions."""

from __future__ import annotations

from typing import Any, ClassVar

from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.parameter import REQUIRED, boolean, integer, one_of, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import convolution as layers
from fpipe.net.layers.windows import Sizes
from fpipe.net.shape import Shape, check_ndim, known, shown
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp
from fpipe.nn.layers.windows import each, window


@descriptor
class ConvolutionOp(LayerOp):
    """A convolution; what `conv1d`, `conv2d` and `conv3d` share."""

    dims: ClassVar[int]
    made: ClassVar[type[layers.Convolution]]

    out_channels: int = parameter(default=REQUIRED, check=integer(1))
    kernel_size: int | Sizes = window()
    stride: int | Sizes = window(1)
    padding: int | str | Sizes = window(0, "same", "valid", least=0)
    dilation: int | Sizes = window(1)
    groups: int = parameter(default=1, check=integer(1))
    bias: bool = parameter(default=True, check=boolean())
    padding_mode: str = parameter(default="zeros", check=one_of(*layers.PADDING_MODES))

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of channels that enter, and the padding."""
        entering = channels(md.shapes[0], self.dims, self.name)
        check_groups(self.name, md.shapes[0], entering, self.out_channels, self.groups)
        kernel, dilation = each(self.kernel_size, self.dims), each(self.dilation, self.dims)
        stride = each(self.stride, self.dims)
        if self.padding == "same" and set(stride) != {1}:
            raise ParameterError(
                f"{self.name}: padding='same' keeps the size only with a stride of 1.",
                expected="stride=1",
                got=f"stride={self.stride}",
                fix="give the padding as a number",
            )
        return self.made(
            entering,
            self.out_channels,
            kernel,
            stride,
            _pairs(self.padding, kernel, dilation),
            dilation,
            self.groups,
            self.bias,
            self.padding_mode,
        )

    def guess(self, md: ModelDescriptor) -> Shape:
        """Batch and channels are known."""
        return with_channels(self, md)


def _pairs(padding: Any, kernel: Sizes, dilation: Sizes) -> tuple[tuple[int, int], ...]:
    """Return what is added before and behind, one pair per dimension."""
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    sizes = each(0 if padding == "valid" else padding, len(kernel))
    return tuple((n, n) for n in sizes)


def channels(shape: Shape, dims: int, name: str) -> int:
    """Return the number of channels that enter; ShapeError where it is unknown."""
    check_ndim(shape, (dims + 2,), what=name)
    return known(shape, 1, what=name)


def check_groups(name: str, shape: Shape, entering: int, leaving: int, groups: int) -> None:
    """Raise ShapeError where channels cannot be parted into so many groups."""
    if entering % groups or leaving % groups:
        raise ShapeError(
            f"{name}: {groups} groups do not divide the channels.",
            expected=f"channels that are multiples of {groups}",
            got=f"{entering} that enter, {leaving} that leave, for {shown(shape)}",
            fix="use another number of groups",
        )


def with_channels(op: Any, md: ModelDescriptor) -> Shape:
    """Return a shape of which batch and channels are known."""
    shape = md.shapes[0]
    out = op.out_channels if isinstance(op.out_channels, int) else None
    return (shape[0], out, *(None for _ in shape[2:]))


@descriptor
class Conv1d(ConvolutionOp):
    """A convolution of ``[batch, channels, length]``.

    Each size ``n`` becomes ``(n + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1``.

    Args:
        out_channels: channels that leave.
        kernel_size: size of the window.
        stride: steps between windows.
        padding: pixels added at both ends; ``"same"`` keeps the size, ``"valid"`` is none.
        dilation: steps between the points of a window.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ShapeError: there are other dimensions, the channels are unknown or no multiple of
            ``groups``, or nothing would be left.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.conv1d(8, 3, padding=1), x=(None, 3, 16)).count()
        80

    Source:
        torch.nn.Conv1d.
    """

    name = "conv1d"
    dims = 1
    made = layers.Conv1d


@descriptor
class Conv2d(ConvolutionOp):
    """A convolution of ``[batch, channels, height, width]``.

    Each size ``n`` becomes ``(n + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1``.

    Args:
        out_channels: channels that leave.
        kernel_size: size of the window; one number for all, or 2.
        stride: steps between windows.
        padding: pixels added at both ends; ``"same"`` keeps the size, ``"valid"`` is none.
        dilation: steps between the points of a window.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ShapeError: there are other dimensions, the channels are unknown or no multiple of
            ``groups``, or nothing would be left.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.conv2d(8, 3, padding=1), x=(None, 3, 16, 16)).count()
        224

    Source:
        torch.nn.Conv2d.
    """

    name = "conv2d"
    dims = 2
    made = layers.Conv2d


@descriptor
class Conv3d(ConvolutionOp):
    """A convolution of ``[batch, channels, depth, height, width]``.

    Each size ``n`` becomes ``(n + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1``.

    Args:
        out_channels: channels that leave.
        kernel_size: size of the window; one number for all, or 3.
        stride: steps between windows.
        padding: pixels added at both ends; ``"same"`` keeps the size, ``"valid"`` is none.
        dilation: steps between the points of a window.
        groups: parts of the channels that see nothing of each other.
        bias: whether a bias per output channel is added.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ShapeError: there are other dimensions, the channels are unknown or no multiple of
            ``groups``, or nothing would be left.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.conv3d(8, 3, padding=1), x=(None, 3, 16, 16, 16)).count()
        656

    Source:
        torch.nn.Conv3d.
    """

    name = "conv3d"
    dims = 3
    made = layers.Conv3d


conv1d = operator(Conv1d)
conv2d = operator(Conv2d)
conv3d = operator(Conv3d)
