"""Affine maps of the last dimension, and the head that fits the task."""

from __future__ import annotations

from fpipe.core.errors import ShapeError
from fpipe.core.parameter import REQUIRED, boolean, integer, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import linear as layers
from fpipe.net.shape import Shape, check_ndim, inner_dim, known
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


@descriptor
class Linear(LayerOp):
    """An affine map of the last dimension: ``[batch, …, in] -> [batch, …, out_features]``.

    Args:
        out_features: size that leaves.
        bias: whether a bias is added.

    Raises:
        ShapeError: the last size that enters is unknown, or there is no dimension but the batch.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.linear(3) >> nn.relu(), x=(None, 5)).count()
        18
    """

    name = "linear"

    out_features: int = parameter(default=REQUIRED, check=integer(1))
    bias: bool = parameter(default=True, check=boolean())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the number of features that enter."""
        inner_dim(md.shapes[0], -1, what=self.name)
        size = known(md.shapes[0], -1, what=self.name)
        return layers.Linear(size, self.out_features, self.bias)

    def guess(self, md: ModelDescriptor) -> Shape:
        """Only the last size changes."""
        out = self.out_features if isinstance(self.out_features, int) else None
        return (*md.shapes[0][:-1], out)


@descriptor
class Head(LayerOp):
    """The last linear layer, with as many outputs as the task needs.

    One for regression and for two classes (the logit of the positive class), else one per class.

    Args:
        bias: whether a bias is added.

    Raises:
        ShapeError: no task is known, or the input is not ``[batch, features]``.
    """

    name = "head"

    bias: bool = parameter(default=True, check=boolean())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve both sizes."""
        check_ndim(md.shapes[0], (2,), what=self.name)
        if md.subject is None:
            raise ShapeError(
                "head needs a task to know its number of outputs.",
                fix="use nn.linear(n) in a network without a task",
            )
        size = known(md.shapes[0], -1, what=self.name)
        return layers.Linear(size, md.subject.kind.output_size, self.bias)


linear = operator(Linear)
head = operator(Head)
