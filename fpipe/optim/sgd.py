"""Optimizers that follow the gradient itself: SGD, its average, and by orthogonal steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import (
    REQUIRED,
    boolean,
    integer,
    one_of,
    optional,
    parameter,
    real,
)
from fpipe.core.value import descriptor
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.ranges import NOT_NEGATIVE, SHARE, THREE_NUMBERS, reals


@descriptor
class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        lr: learning rate; there is no default that fits.
        momentum: momentum factor.
        dampening: dampening of the momentum.
        weight_decay: L2 penalty.
        nesterov: whether Nesterov's momentum is used.

    Source:
        Robbins and Monro 1951; Sutskever et al. 2013; torch.optim.SGD.
    """

    name = "sgd"
    torch_class = torch.optim.SGD

    lr: float = parameter(default=REQUIRED, check=NOT_NEGATIVE, convert=real)
    momentum: float = parameter(default=0.0, check=SHARE, convert=real)
    dampening: float = parameter(default=0.0, check=SHARE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)
    nesterov: bool = parameter(default=False, check=boolean())

    def check(self) -> None:
        """Raise ParameterError for Nesterov's momentum without a momentum, or with dampening."""
        if self.nesterov is True and (self.momentum == 0.0 or self.dampening != 0.0):
            raise ParameterError(
                "sgd: nesterov needs a momentum and no dampening.",
                expected="momentum above 0, dampening 0",
                got=f"momentum={self.momentum}, dampening={self.dampening}",
                fix="give momentum=0.9, or leave nesterov out",
            )


@descriptor
class ASGD(Optimizer):
    """Averaged stochastic gradient descent; its average is kept in the slot ``ax``.

    Args:
        lr: learning rate.
        lambd: decay term.
        alpha: power by which the step shrinks.
        t0: step after which the average begins.
        weight_decay: L2 penalty.

    Source:
        Polyak and Juditsky 1992; torch.optim.ASGD.
    """

    name = "asgd"
    torch_class = torch.optim.ASGD
    slots = ("step", "eta", "mu", "ax")

    lr: float = parameter(default=0.01, check=NOT_NEGATIVE, convert=real)
    lambd: float = parameter(default=1e-4, check=NOT_NEGATIVE, convert=real)
    alpha: float = parameter(default=0.75, check=NOT_NEGATIVE, convert=real)
    t0: float = parameter(default=1e6, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)


@descriptor
class Muon(Optimizer):
    """Momentum whose steps are made orthogonal; for networks whose parameters are all matrices.

    Args:
        lr: learning rate.
        weight_decay: decoupled decay.
        momentum: momentum factor.
        nesterov: whether Nesterov's momentum is used.
        ns_coefficients: coefficients of the Newton-Schulz iteration.
        eps: added to the denominator.
        ns_steps: iterations of Newton-Schulz.
        adjust_lr_fn: how the rate follows the shape of a matrix, ``"original"`` or
            ``"match_rms_adamw"``; None is the first.

    Source:
        Jordan et al. 2024; torch.optim.Muon (torch 2.9 or newer).
    """

    name = "muon"
    torch_class = getattr(torch.optim, "Muon", torch.optim.Optimizer)
    slots = ("momentum_buffer",)

    lr: float = parameter(default=1e-3, check=NOT_NEGATIVE, convert=real)
    weight_decay: float = parameter(default=0.1, check=NOT_NEGATIVE, convert=real)
    momentum: float = parameter(default=0.95, check=SHARE, convert=real)
    nesterov: bool = parameter(default=True, check=boolean())
    ns_coefficients: tuple[float, float, float] = parameter(
        default=(3.4445, -4.775, 2.0315), check=THREE_NUMBERS, convert=reals
    )
    eps: float = parameter(default=1e-7, check=NOT_NEGATIVE, convert=real)
    ns_steps: int = parameter(default=5, check=integer(1, 99))
    adjust_lr_fn: str | None = parameter(
        default=None, check=optional(one_of("original", "match_rms_adamw"))
    )

    def check_params(self, params: Mapping[str, Tensor]) -> None:
        """Raise ParameterError where a parameter is no matrix, or torch is too old."""
        if self.torch_class is torch.optim.Optimizer:
            raise ParameterError(
                "this torch has no Muon.",
                expected="torch 2.9 or newer",
                got=torch.__version__,
                fix='update torch, or use nn.optimizer("adamw")',
            )
        other = [name for name, tensor in params.items() if tensor.ndim != 2]
        if other:
            raise ParameterError(
                f"muon optimizes matrices only, and '{other[0]}' is none.",
                expected="parameters of two dimensions",
                got=_shapes({name: params[name] for name in other}),
                fix='leave them out of the network (bias=False), or use nn.optimizer("adamw")',
                parameters=tuple(other),
            )


def _shapes(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in params.items())
