"""Layers that act on numbers while training only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from fpipe.core.parameter import number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import dropout as layers
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


@descriptor
class Dropout(LayerOp):
    """Set numbers to 0 with probability ``p`` while training, and scale the rest by 1/(1-p).

    Args:
        p: probability of a zero.
    """

    name = "dropout"
    left_out: ClassVar[Mapping[str, str]] = {"inplace": "leave it out: nothing is changed in place"}

    p: float = parameter(default=0.5, check=number(0.0, 1.0), convert=real)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return layers.Dropout(self.p)


dropout = operator(Dropout)
