"""Optimizers that scale the step of each weight by the size or the sign of past gradients."""

from __future__ import annotations

import torch
from pyrsistent import pmap

from fpipe.core.parameter import boolean, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.ranges import EPSILONS, ETAS, NOT_NEGATIVE, SHARE, STEP_SIZES, reals


@descriptor
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of squared gradients.

    Args:
        lr: learning rate.
        lr_decay: how fast the rate falls with the steps.
        weight_decay: L2 penalty.
        initial_accumulator_value: where the sum of squares begins; one for all parameters.
        eps: added to the denominator.

    Source:
        Duchi, Hazan and Singer 2011; torch.optim.Adagrad.
    """

    name = "adagrad"
    torch_class = torch.optim.Adagrad
    slots = ("step", "sum")
    # torch reads it once, for all parameters, whatever a group says.
    one_for_all = ("initial_accumulator_value",)

    lr: float = parameter(default=0.01, check=NOT_NEGATIVE, convert=real)
    lr_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    initial_accumulator_value: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    eps: float = parameter(default=1e-10, check=NOT_NEGATIVE, convert=real)


@descriptor
class Adadelta(Optimizer):
    """Steps scaled by running means of squared gradients and of squared steps.

    Args:
        lr: factor of the step.
        rho: decay rate of the running means.
        eps: added to the denominator.
        weight_decay: L2 penalty.

    Source:
        Zeiler 2012; torch.optim.Adadelta.
    """

    name = "adadelta"
    torch_class = torch.optim.Adadelta
    slots = ("step", "square_avg", "acc_delta")

    lr: float = parameter(default=1.0, check=NOT_NEGATIVE, convert=real)
    rho: float = parameter(default=0.9, check=SHARE, convert=real)
    eps: float = parameter(default=1e-6, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)


@descriptor
class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients.

    Args:
        lr: learning rate.
        alpha: decay rate of the running mean.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        momentum: momentum factor.
        centered: whether the variance takes the place of the mean of squares.

    Source:
        Tieleman and Hinton 2012; Graves 2013; torch.optim.RMSprop.
    """

    name = "rmsprop"
    torch_class = torch.optim.RMSprop
    slots = ("step", "square_avg")
    slot_of = pmap({"momentum": "momentum_buffer", "centered": "grad_avg"})

    lr: float = parameter(default=0.01, check=NOT_NEGATIVE, convert=real)
    alpha: float = parameter(default=0.99, check=SHARE, convert=real)
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    momentum: float = parameter(default=0.0, check=SHARE, convert=real)
    centered: bool = parameter(default=False, check=boolean())


@descriptor
class Rprop(Optimizer):
    """Steps of a size of their own for each weight, by the sign of the gradient.

    It is for batches that hold all rows. ``lr`` is the size of the first step only, so that a
    schedule of the rate changes nothing after it.

    Args:
        lr: size of the first step.
        etas: factors by which a step shrinks and grows.
        step_sizes: the smallest and the largest step.

    Source:
        Riedmiller and Braun 1993; torch.optim.Rprop.
    """

    name = "rprop"
    torch_class = torch.optim.Rprop
    slots = ("step", "prev", "step_size")

    lr: float = parameter(default=0.01, check=NOT_NEGATIVE, convert=real)
    etas: tuple[float, float] = parameter(default=(0.5, 1.2), check=ETAS, convert=reals)
    step_sizes: tuple[float, float] = parameter(
        default=(1e-6, 50.0), check=STEP_SIZES, convert=reals
    )


@descriptor
class Adafactor(Optimizer):
    """Adaptive steps whose second moments are kept as one number per row and column.

    Args:
        lr: largest relative step.
        beta2_decay: power by which the decay rate of the second moment nears one.
        eps: the first bounds the second moment from below (None: that of the dtype), the
            second the size of a parameter.
        d: largest root mean square of a step before it is scaled down.
        weight_decay: decoupled decay.

    Source:
        Shazeer and Stern 2018; torch.optim.Adafactor.
    """

    name = "adafactor"
    torch_class = torch.optim.Adafactor

    lr: float = parameter(default=0.01, check=NOT_NEGATIVE, convert=real)
    beta2_decay: float = parameter(default=-0.8, check=number(None, 0.0), convert=real)
    eps: tuple[float | None, float] = parameter(default=(None, 1e-3), check=EPSILONS, convert=reals)
    d: float = parameter(default=1.0, check=number(1.0), convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)

    def slots_of(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """A matrix has a variance for its rows and one for its columns, all else a whole one."""
        return ("step", "row_var", "col_var") if len(shape) > 1 else ("step", "variance")

    def slot_shape(self, slot: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Rows and columns are the last two dimensions."""
        if slot == "row_var":
            return (*shape[:-1], 1)
        return (*shape[:-2], 1, shape[-1]) if slot == "col_var" else shape
