"""Pools: one number for every window of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.value import descriptor
from fpipe.net.layer import Dtypes, Elementwise, Given
from fpipe.net.layers.windows import Sizes, check_extents, covered, image
from fpipe.net.shape import Shape


@descriptor
class Pool(Elementwise):
    """A layer that makes one number of every window; channels are kept.

    Args:
        kernel_size: size of the window, one per dimension.
        stride: steps between windows.
        padding: pixels added at both ends.
        ceil_mode: whether a last window may go over the end.
    """

    dims: ClassVar[int]
    function: ClassVar[Callable[..., Any]]

    kernel_size: Sizes
    stride: Sizes
    padding: Sizes
    ceil_mode: bool = False

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Count the windows along every axis."""
        (shape,) = inputs
        extents = image(shape, self.dims, None, what=self.name)
        sizes = zip(
            extents, self.kernel_size, self.stride, self.padding, self._dilation(), strict=True
        )
        counts = (
            covered(n, kernel=k, stride=s, padding=2 * p, dilation=d, ceil=self.ceil_mode, end=p)
            for n, k, s, p, d in sizes
        )
        return (check_extents(self.name, shape, (*shape[:2], *counts)),)

    def _dilation(self) -> Sizes:
        return (1,) * self.dims


@descriptor
class AveragePool(Pool):
    """The mean of every window.

    Args:
        count_include_pad: whether padded zeros count.
        divisor_override: what sums are divided by in place of the count; not for one dimension.

    Source:
        torch.nn.AvgPool1d to AvgPool3d.
    """

    count_include_pad: bool = True
    divisor_override: int | None = None

    def of(self, x: Tensor) -> Tensor:
        """Take means."""
        more = {} if self.dims == 1 else {"divisor_override": self.divisor_override}
        out: Tensor = type(self).function(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            **more,
        )
        return out


@descriptor
class AvgPool1d(AveragePool):
    """Means of windows of ``[batch, channels, length]``."""

    name = "avg_pool1d"
    dims = 1
    function = staticmethod(F.avg_pool1d)


@descriptor
class AvgPool2d(AveragePool):
    """Means of windows of ``[batch, channels, height, width]``."""

    name = "avg_pool2d"
    dims = 2
    function = staticmethod(F.avg_pool2d)


@descriptor
class AvgPool3d(AveragePool):
    """Means of windows of ``[batch, channels, depth, height, width]``."""

    name = "avg_pool3d"
    dims = 3
    function = staticmethod(F.avg_pool3d)


@descriptor
class MaximumPool(Pool):
    """The largest number of every window.

    Args:
        dilation: steps between the points of a window.
        return_indices: whether the places of the largest numbers leave as a second output, counted
            over the image of each channel, int64.

    Source:
        torch.nn.MaxPool1d to MaxPool3d.
    """

    dilation: Sizes = ()
    return_indices: bool = False

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Count the windows; places have the same shape."""
        return super().shapes(inputs) * (1 + self.return_indices)

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Keep the dtype; places are int64."""
        return (*super().dtypes(inputs, shapes), torch.int64)[: 1 + self.return_indices]

    def forward(self, given: Given, x: Tensor) -> Any:
        """Take maxima."""
        del given
        return type(self).function(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def _dilation(self) -> Sizes:
        return self.dilation


@descriptor
class MaxPool1d(MaximumPool):
    """Maxima of windows of ``[batch, channels, length]``."""

    name = "max_pool1d"
    dims = 1
    function = staticmethod(F.max_pool1d)


@descriptor
class MaxPool2d(MaximumPool):
    """Maxima of windows of ``[batch, channels, height, width]``."""

    name = "max_pool2d"
    dims = 2
    function = staticmethod(F.max_pool2d)


@descriptor
class MaxPool3d(MaximumPool):
    """Maxima of windows of ``[batch, channels, depth, height, width]``."""

    name = "max_pool3d"
    dims = 3
    function = staticmethod(F.max_pool3d)
