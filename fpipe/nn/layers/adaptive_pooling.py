"""Pools to a given size."""

from __future__ import annotations

from typing import ClassVar

from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import adaptive_pooling as layers
from fpipe.net.layers.windows import Sizes
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp
from fpipe.nn.layers.pooling import kept
from fpipe.nn.layers.windows import each, window


@descriptor
class AdaptivePoolOp(LayerOp):
    """Pools to a given size; what `adaptive_avg_pool1d` to `adaptive_max_pool3d` share."""

    dims: ClassVar[int]
    made: ClassVar[type[layers.AdaptivePool]]

    output_size: int | Sizes = window()

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return self.made(each(self.output_size, self.dims))

    def guess(self, md: ModelDescriptor) -> Shape:
        """Batch and channels are kept."""
        return kept(md)


@descriptor
class AdaptiveAvgPool1d(AdaptivePoolOp):
    """Means of windows of ``[batch, channels, length]``, sized for the output.

    Args:
        output_size: what leaves.

    Raises:
        ShapeError: there are other dimensions.

    Source:
        torch.nn.AdaptiveAvgPool1d.
    """

    name = "adaptive_avg_pool1d"
    dims = 1
    made = layers.AdaptiveAvgPool1d


@descriptor
class AdaptiveAvgPool2d(AdaptivePoolOp):
    """Means of windows of ``[batch, channels, height, width]``, sized for the output.

    Args:
        output_size: what leaves; one number for all dimensions, or 2.

    Raises:
        ShapeError: there are other dimensions.

    Source:
        torch.nn.AdaptiveAvgPool2d.
    """

    name = "adaptive_avg_pool2d"
    dims = 2
    made = layers.AdaptiveAvgPool2d


@descriptor
class AdaptiveAvgPool3d(AdaptivePoolOp):
    """Means of windows of ``[batch, channels, depth, height, width]``, sized for the output.

    Args:
        output_size: what leaves; one number for all dimensions, or 3.

    Raises:
        ShapeError: there are other dimensions.

    Source:
        torch.nn.AdaptiveAvgPool3d.
    """

    name = "adaptive_avg_pool3d"
    dims = 3
    made = layers.AdaptiveAvgPool3d


@descriptor
class AdaptiveMaxPool1d(AdaptivePoolOp):
    """Maxima of windows of ``[batch, channels, length]``, sized for the output.

    Args:
        output_size: what leaves.

    Raises:
        ShapeError: there are other dimensions.

    Source:
        torch.nn.AdaptiveMaxPool1d.
    """

    name = "adaptive_max_pool1d"
    dims = 1
    made = layers.AdaptiveMaxPool1d


@descriptor
class AdaptiveMaxPool2d(AdaptivePoolOp):
    """Maxima of windows of ``[batch, channels, height, width]``, sized for the output.

    Args:
        output_size: what leaves; one number for all dimensions, or 2.

    Raises:
        ShapeError: there are other dimensions.

    Source:
        torch.nn.AdaptiveMaxPool2d.
    """

    name = "adaptive_max_pool2d"
    dims = 2
    made = layers.AdaptiveMaxPool2d


@descriptor
class AdaptiveMaxPool3d(AdaptivePoolOp):
    """Maxima of windows of ``[batch, channels, depth, height, width]``, sized for the output.

    Args:
        output_size: what leaves; one number for all dimensions, or 3.

    Raises:
        ShapeError: there are other dimensions.

    Source:
        torch.nn.AdaptiveMaxPool3d.
    """

    name = "adaptive_max_pool3d"
    dims = 3
    made = layers.AdaptiveMaxPool3d


adaptive_avg_pool1d = operator(AdaptiveAvgPool1d)
adaptive_avg_pool2d = operator(AdaptiveAvgPool2d)
adaptive_avg_pool3d = operator(AdaptiveAvgPool3d)
adaptive_max_pool1d = operator(AdaptiveMaxPool1d)
adaptive_max_pool2d = operator(AdaptiveMaxPool2d)
adaptive_max_pool3d = operator(AdaptiveMaxPool3d)
