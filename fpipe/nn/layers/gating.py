"""Activations with weights, draws or halves: rectifiers of any slope, gates and softmax."""

from __future__ import annotations

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import integer, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import slope as slopes
from fpipe.net.layers.activation import Softmax as SoftmaxLayer
from fpipe.net.layers.gate import Gate
from fpipe.net.shape import inner_dim
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp
from fpipe.nn.layers.activations import ActivationOp


@descriptor
class PReLU(ActivationOp):
    """``x`` above 0 and a learned share of ``x`` below.

    Args:
        num_parameters: 1 for one weight, or the size of dimension 1 for one per channel.
        init: first value of every weight.

    Source:
        He et al. 2015, *Delving deep into rectifiers*.
    """

    name = "prelu"

    num_parameters: int = parameter(default=1, check=integer(1))
    init: float = parameter(default=0.25, check=number(), convert=real)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return slopes.PReLU(self.num_parameters, self.init)


@descriptor
class RReLU(ActivationOp):
    """``x`` above 0 and below it a share drawn per number while training, the mean one otherwise.

    Args:
        lower: smallest share.
        upper: largest share.

    Source:
        Xu et al. 2015, *Empirical evaluation of rectified activations in convolutional network*.
    """

    name = "rrelu"

    lower: float = parameter(default=1 / 8, check=number(), convert=real)
    upper: float = parameter(default=1 / 3, check=number(), convert=real)

    def __attrs_post_init__(self) -> None:
        if self.upper < self.lower:
            raise ParameterError(
                "rrelu: lower is above upper.",
                expected="lower at or below upper",
                got=f"lower={self.lower}, upper={self.upper}",
                fix="exchange the two",
            )

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return slopes.RReLU(self.lower, self.upper)


@descriptor
class GateOp(ActivationOp):
    """A gate over the halves of the last dimension."""

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return Gate(self.name, getattr(self, "dim", -1))


@descriptor
class GLU(GateOp):
    """``a * sigmoid(b)`` where ``a`` and ``b`` are the halves of one dimension.

    Args:
        dim: the dimension, of even size; not the batch.

    Raises:
        ShapeError: its size is odd, or it is the batch.

    Source:
        Dauphin et al. 2017, *Language modeling with gated convolutional networks*.
    """

    name = "glu"

    dim: int = parameter(default=-1, check=integer())


@descriptor
class ReGLU(GateOp):
    """``a * relu(b)`` where ``a`` and ``b`` are the halves of the last dimension.

    Raises:
        ShapeError: its size is odd.

    Source:
        Shazeer 2020, *GLU variants improve transformer*.
    """

    name = "reglu"


@descriptor
class GeGLU(GateOp):
    """``a * gelu(b)`` where ``a`` and ``b`` are the halves of the last dimension.

    Raises:
        ShapeError: its size is odd.

    Source:
        Shazeer 2020, *GLU variants improve transformer*.
    """

    name = "geglu"


@descriptor
class Softmax(LayerOp):
    """Shares that sum to 1 along one dimension: ``exp(x)`` divided by its sum.

    No part of a head: losses take what comes before it.

    Args:
        dim: the dimension; not the batch.

    Raises:
        ShapeError: it is the batch, so that rows would mix.
    """

    name = "softmax"

    dim: int = parameter(default=-1, check=integer())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        inner_dim(md.shapes[0], self.dim, what=self.name)
        return SoftmaxLayer(self.dim)


prelu = operator(PReLU)
rrelu = operator(RReLU)
glu = operator(GLU)
reglu = operator(ReGLU)
geglu = operator(GeGLU)
softmax = operator(Softmax)
