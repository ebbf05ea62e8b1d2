"""Activations: functions of every single number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED, number, one_of, parameter, real
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers.activation import Activation, Identity
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


@descriptor
class ActivationOp(LayerOp):
    """A function of every single number; its parameters are the arguments of the function."""

    left_out: ClassVar[Mapping[str, str]] = {"inplace": "leave it out: nothing is changed in place"}

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the function as a layer."""
        del md
        return Activation(self.name, items(self.parameters()))

    def guess(self, md: ModelDescriptor) -> Shape:
        """The shape is kept."""
        return md.shapes[0]


@descriptor
class Celu(ActivationOp):
    """``max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)``.

    Args:
        alpha: how far below 0 it goes.

    Source:
        Barron 2017, *Continuously differentiable exponential linear units*.
    """

    name = "celu"

    alpha: float = parameter(default=1.0, check=number(0.0, above=True), convert=real)


@descriptor
class Elu(ActivationOp):
    """``x`` above 0 and ``alpha * (exp(x) - 1)`` below.

    Args:
        alpha: how far below 0 it goes.

    Source:
        Clevert et al. 2016, *Fast and accurate deep network learning by exponential linear units*.
    """

    name = "elu"

    alpha: float = parameter(default=1.0, check=number(), convert=real)


@descriptor
class Gelu(ActivationOp):
    """``x`` times the normal distribution function of ``x``.

    Args:
        approximate: ``"none"`` for the exact function, ``"tanh"`` for its approximation.

    Source:
        Hendrycks and Gimpel 2016, *Gaussian error linear units*.
    """

    name = "gelu"

    approximate: str = parameter(default="none", check=one_of("none", "tanh"))


@descriptor
class Hardshrink(ActivationOp):
    """``x`` where it is farther than ``lambd`` from 0, else 0.

    Args:
        lambd: half the width of what becomes 0.
    """

    name = "hardshrink"

    lambd: float = parameter(default=0.5, check=number(0.0), convert=real)


@descriptor
class Hardsigmoid(ActivationOp):
    """``x / 6 + 1 / 2``, cut off at 0 and 1."""

    name = "hardsigmoid"


@descriptor
class Hardswish(ActivationOp):
    """``x * hardsigmoid(x)``.

    Source:
        Howard et al. 2019, *Searching for MobileNetV3*.
    """

    name = "hardswish"


@descriptor
class Hardtanh(ActivationOp):
    """``x``, cut off at two values.

    Args:
        min_val: the lower one.
        max_val: the upper one.
    """

    name = "hardtanh"

    min_val: float = parameter(default=-1.0, check=number(), convert=real)
    max_val: float = parameter(default=1.0, check=number(), convert=real)

    def __attrs_post_init__(self) -> None:
        if self.max_val < self.min_val:
            raise ParameterError(
                "hardtanh: min_val is above max_val.",
                expected="min_val at or below max_val",
                got=f"min_val={self.min_val}, max_val={self.max_val}",
                fix="exchange the two",
            )


@descriptor
class LeakyReLU(ActivationOp):
    """``x`` above 0 and ``negative_slope * x`` below.

    Args:
        negative_slope: the slope below 0.
    """

    name = "leaky_relu"

    negative_slope: float = parameter(default=0.01, check=number(), convert=real)


@descriptor
class LogSigmoid(ActivationOp):
    """``log(sigmoid(x))``."""

    name = "log_sigmoid"


@descriptor
class Mish(ActivationOp):
    """``x * tanh(softplus(x))``.

    Source:
        Misra 2019, *Mish: a self regularized non-monotonic activation function*.
    """

    name = "mish"


@descriptor
class ReLU(ActivationOp):
    """``max(x, 0)``."""

    name = "relu"


@descriptor
class ReLU6(ActivationOp):
    """``x``, cut off at 0 and 6."""

    name = "relu6"


@descriptor
class Selu(ActivationOp):
    """A scaled elu whose constants keep mean 0 and variance 1.

    Source:
        Klambauer et al. 2017, *Self-normalizing neural networks*.
    """

    name = "selu"


@descriptor
class Sigmoid(ActivationOp):
    """``1 / (1 + exp(-x))``."""

    name = "sigmoid"


@descriptor
class Silu(ActivationOp):
    """``x * sigmoid(x)``, also called swish."""

    name = "silu"


@descriptor
class Softplus(ActivationOp):
    """``log(1 + exp(beta * x)) / beta``; ``x`` itself where ``beta * x`` is large.

    Args:
        beta: how sharp the bend at 0 is.
        threshold: where ``beta * x`` counts as large.
    """

    name = "softplus"

    beta: float = parameter(default=1.0, check=number(0.0, above=True), convert=real)
    threshold: float = parameter(default=20.0, check=number(), convert=real)


@descriptor
class Softshrink(ActivationOp):
    """``x`` moved ``lambd`` towards 0, and 0 on the way.

    Args:
        lambd: how far.
    """

    name = "softshrink"

    lambd: float = parameter(default=0.5, check=number(0.0), convert=real)


@descriptor
class Softsign(ActivationOp):
    """``x / (1 + |x|)``."""

    name = "softsign"


@descriptor
class Tanh(ActivationOp):
    """The hyperbolic tangent."""

    name = "tanh"


@descriptor
class Tanhshrink(ActivationOp):
    """``x - tanh(x)``."""

    name = "tanhshrink"


@descriptor
class Threshold(ActivationOp):
    """``x`` above a threshold and a fixed value elsewhere.

    Args:
        threshold: the threshold.
        value: what takes the place of ``x`` at or below it.
    """

    name = "threshold"

    threshold: float = parameter(default=REQUIRED, check=number(), convert=real)
    value: float = parameter(default=REQUIRED, check=number(), convert=real)


@descriptor
class IdentityOp(LayerOp):
    """A layer that does nothing (``fp.identity()`` is a wire without one)."""

    name = "identity"
    takes_codes = True

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return Identity()


celu = operator(Celu)
elu = operator(Elu)
gelu = operator(Gelu)
hardshrink = operator(Hardshrink)
hardsigmoid = operator(Hardsigmoid)
hardswish = operator(Hardswish)
hardtanh = operator(Hardtanh)
leaky_relu = operator(LeakyReLU)
log_sigmoid = operator(LogSigmoid)
mish = operator(Mish)
relu = operator(ReLU)
relu6 = operator(ReLU6)
selu = operator(Selu)
sigmoid = operator(Sigmoid)
silu = operator(Silu)
softplus = operator(Softplus)
softshrink = operator(Softshrink)
softsign = operator(Softsign)
tanh = operator(Tanh)
tanhshrink = operator(Tanhshrink)
threshold = operator(Threshold)
identity = operator(IdentityOp)
