"""Pools."""

from __future__ import annotations

from typing import Any, ClassVar

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import boolean, integer, optional, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.net.layer import Layer
from fpipe.net.layers import pooling as layers
from fpipe.net.layers.windows import Sizes
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import OUTPUT, LayerOp
from fpipe.nn.layers.attention import without
from fpipe.nn.layers.windows import each, window


@descriptor
class PoolOp(LayerOp):
    """Windows of which one number each is left; what all pools of a given window share."""

    dims: ClassVar[int]

    kernel_size: int | Sizes = window()
    stride: int | Sizes | None = window(None, None)
    padding: int | Sizes = window(0, least=0)

    def windows(self) -> dict[str, Any]:
        """Return kernel size, stride and padding for every dimension.

        Raises:
            ParameterError: a window could lie in the padding alone.
        """
        kernel, padding = each(self.kernel_size, self.dims), each(self.padding, self.dims)
        stride = kernel if self.stride is None else each(self.stride, self.dims)
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise ParameterError(
                f"{self.name}: the padding is larger than half of the window.",
                expected=f"at most {tuple(k // 2 for k in kernel)}",
                got=f"padding={self.padding}, kernel_size={self.kernel_size}",
                fix="use a smaller padding",
            )
        return {"kernel_size": kernel, "stride": stride, "padding": padding}


@descriptor
class AveragePoolOp(PoolOp):
    """Means of windows; what `avg_pool1d` to `avg_pool3d` share."""

    made: ClassVar[type[layers.AveragePool]]

    ceil_mode: bool = parameter(default=False, check=boolean())
    count_include_pad: bool = parameter(default=True, check=boolean())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return self.made(
            **self.windows(),
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            **self.divisor(),
        )

    def divisor(self) -> dict[str, Any]:
        """Return what only some of them take."""
        return {}

    def guess(self, md: ModelDescriptor) -> Shape:
        """Batch and channels are kept."""
        return kept(md)


@descriptor
class DividedPoolOp(AveragePoolOp):
    """Means of windows whose divisor may be given."""

    divisor_override: int | None = parameter(default=None, check=optional(integer(1)))

    def divisor(self) -> dict[str, Any]:
        """Return what sums are divided by."""
        return {"divisor_override": self.divisor_override}


@descriptor
class MaximumPoolOp(PoolOp):
    """Maxima of windows; what `max_pool1d` to `max_pool3d` share."""

    made: ClassVar[type[layers.MaximumPool]]

    dilation: int | Sizes = window(1)
    ceil_mode: bool = parameter(default=False, check=boolean())
    return_indices: bool = parameter(default=False, check=boolean())

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The maxima, and their places where they are wanted."""
        return (OUTPUT, Port("indices", ModelDescriptor))[: 1 + self.return_indices]

    def parameters(self) -> dict[str, Any]:
        """All that does not change the ports."""
        return without(super().parameters(), ("return_indices",))

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return self.made(
            **self.windows(),
            dilation=each(self.dilation, self.dims),
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def guesses(self, md: ModelDescriptor) -> tuple[Shape, ...]:
        """Batch and channels are kept."""
        return (kept(md),) * len(self.outputs)


def kept(md: ModelDescriptor) -> Shape:
    """Return a shape of which batch and channels are known."""
    shape = md.shapes[0]
    return (*shape[:2], *(None for _ in shape[2:]))


@descriptor
class AvgPool1d(AveragePoolOp):
    """The mean of every window of ``[batch, channels, length]``.

    Args:
        kernel_size: size of the window.
        stride: steps between windows; the size of the window by default.
        padding: zeros added at both ends, at most half a window.
        ceil_mode: whether a last window may go over the end.
        count_include_pad: whether padded zeros count.

    Raises:
        ShapeError: there are other dimensions, or nothing would be left.
        ParameterError: the padding is larger than half of the window.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.avg_pool1d(2), x=(None, 3, 8)).shapes({"x": (None, 3, 8)})
        ((None, 3, 4),)

    Source:
        torch.nn.AvgPool1d.
    """

    name = "avg_pool1d"
    dims = 1
    made = layers.AvgPool1d


@descriptor
class AvgPool2d(DividedPoolOp):
    """The mean of every window of ``[batch, channels, height, width]``.

    Args:
        kernel_size: size of the window; one number for all, or 2.
        stride: steps between windows; the size of the window by default.
        padding: zeros added at both ends, at most half a window.
        ceil_mode: whether a last window may go over the end.
        count_include_pad: whether padded zeros count.
        divisor_override: what sums are divided by in place of the count.

    Raises:
        ShapeError: there are other dimensions, or nothing would be left.
        ParameterError: the padding is larger than half of the window.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.avg_pool2d(2), x=(None, 3, 8, 8)).shapes({"x": (None, 3, 8, 8)})
        ((None, 3, 4, 4),)

    Source:
        torch.nn.AvgPool2d.
    """

    name = "avg_pool2d"
    dims = 2
    made = layers.AvgPool2d


@descriptor
class AvgPool3d(DividedPoolOp):
    """The mean of every window of ``[batch, channels, depth, height, width]``.

    Args:
        kernel_size: size of the window; one number for all, or 3.
        stride: steps between windows; the size of the window by default.
        padding: zeros added at both ends, at most half a window.
        ceil_mode: whether a last window may go over the end.
        count_include_pad: whether padded zeros count.
        divisor_override: what sums are divided by in place of the count.

    Raises:
        ShapeError: there are other dimensions, or nothing would be left.
        ParameterError: the padding is larger than half of the window.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.avg_pool3d(2), x=(None, 3, 8, 8, 8)).shapes({"x": (None, 3, 8, 8, 8)})
        ((None, 3, 4, 4, 4),)

    Source:
        torch.nn.AvgPool3d.
    """

    name = "avg_pool3d"
    dims = 3
    made = layers.AvgPool3d


@descriptor
class MaxPool1d(MaximumPoolOp):
    """The largest number of every window of ``[batch, channels, length]``.

    Args:
        kernel_size: size of the window.
        stride: steps between windows; the size of the window by default.
        padding: what never wins, added at both ends, at most half a window.
        dilation: steps between the points of a window.
        ceil_mode: whether a last window may go over the end.
        return_indices: whether the places leave as a second output, int64; fixed once the operator
            is made.

    Raises:
        ShapeError: there are other dimensions, or nothing would be left.
        ParameterError: the padding is larger than half of the window.

    Source:
        torch.nn.MaxPool1d.
    """

    name = "max_pool1d"
    dims = 1
    made = layers.MaxPool1d


@descriptor
class MaxPool2d(MaximumPoolOp):
    """The largest number of every window of ``[batch, channels, height, width]``.

    Args:
        kernel_size: size of the window; one number for all, or 2.
        stride: steps between windows; the size of the window by default.
        padding: what never wins, added at both ends, at most half a window.
        dilation: steps between the points of a window.
        ceil_mode: whether a last window may go over the end.
        return_indices: whether the places leave as a second output, int64; fixed once the operator
            is made.

    Raises:
        ShapeError: there are other dimensions, or nothing would be left.
        ParameterError: the padding is larger than half of the window.

    Source:
        torch.nn.MaxPool2d.
    """

    name = "max_pool2d"
    dims = 2
    made = layers.MaxPool2d


@descriptor
class MaxPool3d(MaximumPoolOp):
    """The largest number of every window of ``[batch, channels, depth, height, width]``.

    Args:
        kernel_size: size of the window; one number for all, or 3.
        stride: steps between windows; the size of the window by default.
        padding: what never wins, added at both ends, at most half a window.
        dilation: steps between the points of a window.
        ceil_mode: whether a last window may go over the end.
        return_indices: whether the places leave as a second output, int64; fixed once the operator
            is made.

    Raises:
        ShapeError: there are other dimensions, or nothing would be left.
        ParameterError: the padding is larger than half of the window.

    Source:
        torch.nn.MaxPool3d.
    """

    name = "max_pool3d"
    dims = 3
    made = layers.MaxPool3d


avg_pool1d = operator(AvgPool1d)
avg_pool2d = operator(AvgPool2d)
avg_pool3d = operator(AvgPool3d)
max_pool1d = operator(MaxPool1d)
max_pool2d = operator(MaxPool2d)
max_pool3d = operator(MaxPool3d)
