"""Normalisation."""

from __future__ import annotations

from typing import ClassVar

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import REQUIRED, boolean, integer, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import batch_norm as layers
from fpipe.net.layers.group_norm import GroupNorm as GroupNormLayer
from fpipe.net.layers.layer_norm import LayerNorm as LayerNormLayer
from fpipe.net.shape import Shape, check_ndim, known, shown
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


@descriptor
class BatchNorm(LayerOp):
    """Batch normalisation; what `batch_norm1d`, `batch_norm2d` and `batch_norm3d` share."""

    made: ClassVar[type[layers.BatchNorm]]

    eps: float = parameter(default=1e-5, check=number(0.0), convert=real, kw_only=True)
    momentum: float = parameter(default=0.1, check=number(0.0, 1.0), convert=real, kw_only=True)
    affine: bool = parameter(default=True, check=boolean(), kw_only=True)
    track_running_stats: bool = parameter(default=True, check=boolean(), kw_only=True)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of features."""
        check_ndim(md.shapes[0], self.made.dims, what=self.name)
        size = known(md.shapes[0], 1, what=self.name)
        return self.made(size, self.eps, self.momentum, self.affine, self.track_running_stats)

    def guess(self, md: ModelDescriptor) -> Shape:
        """The shape is kept."""
        return md.shapes[0]


@descriptor
class BatchNorm1d(BatchNorm):
    """Batch normalisation of ``[batch, features]`` or ``[batch, features, length]``.

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether a weight and a bias per feature are learned.
        track_running_stats: whether running statistics are kept.

    Source:
        Ioffe and Szegedy 2015, *Batch normalization*.
    """

    name = "batch_norm1d"
    made = layers.BatchNorm1d


@descriptor
class BatchNorm2d(BatchNorm):
    """Batch normalisation of ``[batch, channels, height, width]``.

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether a weight and a bias per feature are learned.
        track_running_stats: whether running statistics are kept.

    Source:
        Ioffe and Szegedy 2015, *Batch normalization*.
    """

    name = "batch_norm2d"
    made = layers.BatchNorm2d


@descriptor
class BatchNorm3d(BatchNorm):
    """Batch normalisation of ``[batch, channels, depth, height, width]``.

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether a weight and a bias per feature are learned.
        track_running_stats: whether running statistics are kept.

    Source:
        Ioffe and Szegedy 2015, *Batch normalization*.
    """

    name = "batch_norm3d"
    made = layers.BatchNorm3d


@descriptor
class LayerNorm(LayerOp):
    """Every row normalised by its own mean and variance over the trailing dimensions.

    Args:
        dims: how many trailing dimensions; the batch is never among them.
        elementwise_affine: whether a weight and a bias per number are learned.
        eps: added to the variance.

    Raises:
        ShapeError: there are not that many dimensions behind the batch, or a size is unknown.

    Source:
        Ba, Kiros and Hinton 2016, *Layer normalization*.
    """

    name = "layer_norm"

    dims: int = parameter(default=1, check=integer(1))
    elementwise_affine: bool = parameter(default=True, check=boolean())
    eps: float = parameter(default=1e-5, check=number(0.0), convert=real)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the trailing sizes."""
        shape = md.shapes[0]
        if self.dims >= len(shape):
            raise ShapeError(
                f"layer_norm over {self.dims} trailing dimensions would mix rows.",
                expected=f"at least {self.dims + 1} dimensions, the batch included",
                got=shown(shape),
                fix="use fewer dims",
            )
        sizes = tuple(known(shape, at, what=self.name) for at in range(-self.dims, 0))
        return LayerNormLayer(sizes, self.elementwise_affine, self.eps)


@descriptor
class GroupNorm(LayerOp):
    """Every row normalised by mean and variance of each group of its channels.

    Args:
        num_groups: number of groups.
        eps: added to the variance.
        affine: whether a weight and a bias per channel are learned.

    Raises:
        ShapeError: there are no channels, their number is unknown or no multiple of the groups.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.group_norm(4), x=(None, 8, 5, 5)).count()
        16

    Source:
        Wu and He 2018, *Group normalization*.
    """

    name = "group_norm"

    num_groups: int = parameter(default=REQUIRED, check=integer(1))
    eps: float = parameter(default=1e-5, check=number(0.0), convert=real)
    affine: bool = parameter(default=True, check=boolean())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of channels."""
        shape = md.shapes[0]
        channels = known(shape, 1, what=self.name)
        if channels % self.num_groups:
            raise ShapeError(
                f"group_norm: {self.num_groups} groups do not divide {channels} channels.",
                expected=f"a multiple of {self.num_groups} in dimension 1",
                got=shown(shape),
                fix="use another num_groups",
            )
        return GroupNormLayer(self.num_groups, channels, self.eps, self.affine)

    def guess(self, md: ModelDescriptor) -> Shape:
        """The shape is kept."""
        return md.shapes[0]


batch_norm1d = operator(BatchNorm1d)
batch_norm2d = operator(BatchNorm2d)
batch_norm3d = operator(BatchNorm3d)
group_norm = operator(GroupNorm)
layer_norm = operator(LayerNorm)
