"""Positions of a dimension, such as one token of every row."""

from __future__ import annotations

from fpipe.core.parameter import REQUIRED, Check, integer, parameter, tuple_of
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import take as layers
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp

POSITIONS = Check(
    "an integer, or a sequence of them",
    lambda x: integer().accepts(x) or tuple_of(integer(), at_least=1).accepts(x),
)
"""Accepts one position or several."""


@descriptor
class Take(LayerOp):
    """Some positions of one dimension: ``nn.take(-1)`` gives the last token of every row.

    Args:
        indices: positions to keep, in order; one position alone drops the dimension. Negative
            ones count from the end.
        dim: the dimension, counted with the batch.

    Raises:
        ShapeError: the dimension is the batch, or has no such position.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.take(-1), x=(None, 3, 8)).shapes({"x": (None, 3, 8)})
        ((None, 8),)
    """

    name = "take"
    takes_codes = True

    indices: int | tuple[int, ...] = parameter(
        default=REQUIRED,
        check=POSITIONS,
        convert=lambda x: tuple(x) if isinstance(x, list) else x,
    )
    dim: int = parameter(default=1, check=integer())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return layers.Take(self.indices, self.dim)


take = operator(Take)
