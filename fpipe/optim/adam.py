"""Adam and its family: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

import torch
from pyrsistent import pmap

from fpipe.core.parameter import boolean, parameter, real
from fpipe.core.value import descriptor
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.ranges import BETAS, NOT_NEGATIVE, reals

_SLOT_OF = pmap({"amsgrad": "max_exp_avg_sq"})


@descriptor
class Adam(Optimizer):
    """Adam.

    Args:
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        amsgrad: whether the AMSGrad variant is used.

    Source:
        Kingma and Ba 2015; Reddi et al. 2018 (AMSGrad); torch.optim.Adam.
    """

    name = "adam"
    torch_class = torch.optim.Adam
    slots = ("step", "exp_avg", "exp_avg_sq")
    slot_of = _SLOT_OF

    lr: float = parameter(default=1e-3, check=NOT_NEGATIVE, convert=real)
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=BETAS, convert=reals)
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    amsgrad: bool = parameter(default=False, check=boolean())


@descriptor
class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    Args:
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the denominator.
        weight_decay: decoupled decay.
        amsgrad: whether the AMSGrad variant is used.

    Source:
        Loshchilov and Hutter 2019; torch.optim.AdamW.
    """

    name = "adamw"
    torch_class = torch.optim.AdamW
    slots = ("step", "exp_avg", "exp_avg_sq")
    slot_of = _SLOT_OF

    lr: float = parameter(default=1e-3, check=NOT_NEGATIVE, convert=real)
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=BETAS, convert=reals)
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=1e-2, check=NOT_NEGATIVE, convert=real)
    amsgrad: bool = parameter(default=False, check=boolean())


@descriptor
class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean of squares.

    Args:
        lr: learning rate.
        betas: decay rates of the mean and of the largest.
        eps: added to the denominator.
        weight_decay: L2 penalty.

    Source:
        Kingma and Ba 2015, section 7.1; torch.optim.Adamax.
    """

    name = "adamax"
    torch_class = torch.optim.Adamax
    slots = ("step", "exp_avg", "exp_inf")

    lr: float = parameter(default=2e-3, check=NOT_NEGATIVE, convert=real)
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=BETAS, convert=reals)
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)


@descriptor
class NAdam(Optimizer):
    """Adam with Nesterov's momentum.

    Args:
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the denominator.
        weight_decay: L2 penalty, or decoupled decay.
        momentum_decay: how fast the momentum grows to its full size.
        decoupled_weight_decay: whether the decay is decoupled, as in AdamW.

    Source:
        Dozat 2016; torch.optim.NAdam.
    """

    name = "nadam"
    torch_class = torch.optim.NAdam
    slots = ("step", "mu_product", "exp_avg", "exp_avg_sq")

    lr: float = parameter(default=2e-3, check=NOT_NEGATIVE, convert=real)
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=BETAS, convert=reals)
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    momentum_decay: float = parameter(default=4e-3, check=NOT_NEGATIVE, convert=real)
    decoupled_weight_decay: bool = parameter(default=False, check=boolean())


@descriptor
class RAdam(Optimizer):
    """Adam whose first steps are rectified: adaptive only once the variance is known.

    Args:
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the denominator.
        weight_decay: L2 penalty, or decoupled decay.
        decoupled_weight_decay: whether the decay is decoupled, as in AdamW.

    Source:
        Liu et al. 2020; torch.optim.RAdam.
    """

    name = "radam"
    torch_class = torch.optim.RAdam
    slots = ("step", "exp_avg", "exp_avg_sq")

    lr: float = parameter(default=1e-3, check=NOT_NEGATIVE, convert=real)
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=BETAS, convert=reals)
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    decoupled_weight_decay: bool = parameter(default=False, check=boolean())
