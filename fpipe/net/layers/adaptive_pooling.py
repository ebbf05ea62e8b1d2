"""Pools to a given size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from fpipe.core.value import descriptor
from fpipe.net.layer import Given, Layer
from fpipe.net.layers.windows import Sizes, image
from fpipe.net.shape import Shape


@descriptor
class AdaptivePool(Layer):
    """A layer whose windows are as large as the output size asks.

    Args:
        output_size: what leaves, one size per dimension.

    Source:
        torch.nn.AdaptiveAvgPool1d to 3d, AdaptiveMaxPool1d to 3d.
    """

    dims: ClassVar[int]
    function: ClassVar[Callable[..., Any]]

    output_size: Sizes

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Replace the sizes behind the channels."""
        (shape,) = inputs
        image(shape, self.dims, None, what=self.name)
        return ((*shape[:2], *self.output_size),)

    def forward(self, given: Given, x: Tensor) -> Tensor:
        """Pool."""
        del given
        out: Tensor = type(self).function(x, self.output_size)
        return out


@descriptor
class AdaptiveAvgPool1d(AdaptivePool):
    """Means of ``[batch, channels, length]``."""

    name = "adaptive_avg_pool1d"
    dims = 1
    function = staticmethod(F.adaptive_avg_pool1d)


@descriptor
class AdaptiveAvgPool2d(AdaptivePool):
    """Means of ``[batch, channels, height, width]``."""

    name = "adaptive_avg_pool2d"
    dims = 2
    function = staticmethod(F.adaptive_avg_pool2d)


@descriptor
class AdaptiveAvgPool3d(AdaptivePool):
    """Means of ``[batch, channels, depth, height, width]``."""

    name = "adaptive_avg_pool3d"
    dims = 3
    function = staticmethod(F.adaptive_avg_pool3d)


@descriptor
class AdaptiveMaxPool1d(AdaptivePool):
    """Maxima of ``[batch, channels, length]``."""

    name = "adaptive_max_pool1d"
    dims = 1
    function = staticmethod(F.adaptive_max_pool1d)


@descriptor
class AdaptiveMaxPool2d(AdaptivePool):
    """Maxima of ``[batch, channels, height, width]``."""

    name = "adaptive_max_pool2d"
    dims = 2
    function = staticmethod(F.adaptive_max_pool2d)


@descriptor
class AdaptiveMaxPool3d(AdaptivePool):
    """Maxima of ``[batch, channels, depth, height, width]``."""

    name = "adaptive_max_pool3d"
    dims = 3
    function = staticmethod(F.adaptive_max_pool3d)
