"""Normalisation."""

from __future__ import annotations

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import boolean, integer, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import batch_norm as layers
from fpipe.net.layers.layer_norm import LayerNorm as LayerNormLayer
from fpipe.net.shape import check_ndim, known, shown
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


@descriptor
class BatchNorm1d(LayerOp):
    """Batch normalisation of ``[batch, features]`` or ``[batch, features, length]``.

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether a weight and a bias per feature are learned.
        track_running_stats: whether running statistics are kept.
    """

    name = "batch_norm1d"

    eps: float = parameter(default=1e-5, check=number(0.0), convert=real, kw_only=True)
    momentum: float = parameter(default=0.1, check=number(0.0, 1.0), convert=real, kw_only=True)
    affine: bool = parameter(default=True, check=boolean(), kw_only=True)
    track_running_stats: bool = parameter(default=True, check=boolean(), kw_only=True)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of features."""
        check_ndim(md.shapes[0], layers.BatchNorm1d.dims, what=self.name)
        size = known(md.shapes[0], 1, what=self.name)
        return layers.BatchNorm1d(
            size, self.eps, self.momentum, self.affine, self.track_running_stats
        )


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


batch_norm1d = operator(BatchNorm1d)
layer_norm = operator(LayerNorm)
