"""Layers that bring several paths together."""

from __future__ import annotations

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import integer, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import merge as layers
from fpipe.net.shape import shown
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import MANY, LayerOp


@descriptor
class MergeSum(LayerOp):
    """The sum of all inputs; sizes of 1 broadcast, numbers of dimensions must agree."""

    name = "merge_sum"
    inputs = (MANY,)
    takes_codes = True

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return layers.MergeSum()


@descriptor
class MergeProd(LayerOp):
    """The product of all inputs; sizes of 1 broadcast, numbers of dimensions must agree."""

    name = "merge_prod"
    inputs = (MANY,)
    takes_codes = True

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return layers.MergeProd()


@descriptor
class MergeCat(LayerOp):
    """All inputs behind each other along one dimension.

    Args:
        dim: the dimension, counted with the batch; the last by default.

    Raises:
        ShapeError: the dimension is the batch, or the other sizes differ.
    """

    name = "merge_cat"
    inputs = (MANY,)
    takes_codes = True

    dim: int = parameter(default=-1, check=integer())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        if self.dim in (0, -len(md.shapes[0])):
            raise ShapeError(
                "merge_cat cannot put rows of different observations behind each other.",
                expected="a dimension other than the batch",
                got=f"dim={self.dim} of {shown(md.shapes[0])}",
                fix="use dim=-1 for the last dimension",
            )
        return layers.MergeCat(self.dim)


merge_sum = operator(MergeSum)
merge_prod = operator(MergeProd)
merge_cat = operator(MergeCat)
