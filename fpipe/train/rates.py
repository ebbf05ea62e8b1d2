"""Schedules of the learning rate as callbacks: falls, steps and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fpipe.core.parameter import REQUIRED
from fpipe.optim.cosine import CosineAnnealing, CosineWarmRestarts
from fpipe.optim.decays import Constant, Exponential, Linear, MultiStep, Polynomial, Steps
from fpipe.optim.factors import Lambda, Multiplicative
from fpipe.train.following import FollowSchedule, followed

Factors = Callable[[int], float] | str | Sequence[Callable[[int], float] | str]
"""A function from the epochs (or updates) done to a factor; or one for each parameter group."""


def lr_cosine_annealing(
    T_max: int = REQUIRED,
    eta_min: float = 0.0,
    *,
    per: str = "epoch",
) -> FollowSchedule:
    """Let the rate fall along half a cosine in ``T_max`` epochs (or updates), and rise again.

    Args:
        T_max: epochs (or updates) until the lowest rate.
        eta_min: the lowest rate.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_cosine_annealing(20).name
        'lr_cosine_annealing'

    Source:
        ``torch.optim.lr_scheduler.CosineAnnealingLR``.
    """
    return followed(per, CosineAnnealing, T_max, eta_min)


def lr_cosine_warm_restarts(
    T_0: int = REQUIRED,
    T_mult: int = 1,
    eta_min: float = 0.0,
    *,
    per: str = "epoch",
) -> FollowSchedule:
    """Let the rate fall along half a cosine, then start again from the top.

    Args:
        T_0: epochs (or updates) until the first restart.
        T_mult: factor by which each stretch is longer than the one before.
        eta_min: the lowest rate.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_cosine_warm_restarts(5, T_mult=2).parameters()["T_mult"]
        2

    Source:
        ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.
    """
    return followed(per, CosineWarmRestarts, T_0, T_mult, eta_min)


def lr_step(step_size: int = REQUIRED, gamma: float = 0.1, *, per: str = "epoch") -> FollowSchedule:
    """Multiply the rate by ``gamma`` after every ``step_size`` epochs (or updates).

    Args:
        step_size: epochs (or updates) between two changes.
        gamma: factor.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_step(30).parameters()
        {'step_size': 30, 'gamma': 0.1, 'per': 'epoch'}

    Source:
        ``torch.optim.lr_scheduler.StepLR``.
    """
    return followed(per, Steps, step_size, gamma)


def lr_multi_step(
    milestones: Sequence[int] = REQUIRED, gamma: float = 0.1, *, per: str = "epoch"
) -> FollowSchedule:
    """Multiply the rate by ``gamma`` at every milestone.

    Args:
        milestones: after how many epochs (or updates) the rate changes.
        gamma: factor.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_multi_step([30, 80]).parameters()["milestones"]
        (30, 80)

    Source:
        ``torch.optim.lr_scheduler.MultiStepLR``.
    """
    return followed(per, MultiStep, milestones, gamma)


def lr_exponential(gamma: float = REQUIRED, *, per: str = "epoch") -> FollowSchedule:
    """Multiply the rate by ``gamma`` after every epoch (or update).

    Args:
        gamma: factor.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_exponential(0.95).name
        'lr_exponential'

    Source:
        ``torch.optim.lr_scheduler.ExponentialLR``.
    """
    return followed(per, Exponential, gamma)


def lr_linear(
    start_factor: float = 1.0 / 3,
    end_factor: float = 1.0,
    total_iters: int = 5,
    *,
    per: str = "epoch",
) -> FollowSchedule:
    """Multiply the rate by a factor that goes from one value to another in a straight line.

    Args:
        start_factor: factor at the beginning, above 0 and at most 1.
        end_factor: factor after ``total_iters``, from 0 to 1.
        total_iters: epochs (or updates) on the way.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_linear(0.01, total_iters=500, per="batch").per
        'batch'

    Source:
        ``torch.optim.lr_scheduler.LinearLR``.
    """
    return followed(per, Linear, start_factor, end_factor, total_iters)


def lr_constant(
    factor: float = 1.0 / 3, total_iters: int = 5, *, per: str = "epoch"
) -> FollowSchedule:
    """Multiply the rate by ``factor`` for some epochs (or updates), then leave it as it was.

    Args:
        factor: factor, above 0 and at most 1.
        total_iters: how many epochs (or updates).
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_constant(0.5, 2).parameters()["factor"]
        0.5

    Source:
        ``torch.optim.lr_scheduler.ConstantLR``.
    """
    return followed(per, Constant, factor, total_iters)


def lr_polynomial(
    total_iters: int = 5, power: float = 1.0, *, per: str = "epoch"
) -> FollowSchedule:
    """Multiply the rate by ``(1 - t / total_iters) ** power``; it is zero from there on.

    Args:
        total_iters: epochs (or updates) until zero is reached.
        power: power of the polynomial.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_polynomial(100, 2.0).parameters()["power"]
        2.0

    Source:
        ``torch.optim.lr_scheduler.PolynomialLR``.
    """
    return followed(per, Polynomial, total_iters, power)


def lr_lambda(lr_lambda: Factors = REQUIRED, *, per: str = "epoch") -> FollowSchedule:
    """Multiply the rate at the beginning by a function of the epochs (or updates) done.

    Args:
        lr_lambda: from an int, 0 at the beginning, to a factor; or one for each parameter group.
            A function at the top of a module, or ``"package.module:name"``, can be saved.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_lambda(lambda epoch: 0.95**epoch).name
        'lr_lambda'

    Source:
        ``torch.optim.lr_scheduler.LambdaLR``.
    """
    return followed(per, Lambda, lr_lambda)


def lr_multiplicative(lr_lambda: Factors = REQUIRED, *, per: str = "epoch") -> FollowSchedule:
    """Multiply the rate as it is by a function of the epochs (or updates) done.

    Args:
        lr_lambda: from an int, 1 after the first, to a factor; or one for each parameter group.
            A function at the top of a module, or ``"package.module:name"``, can be saved.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Example:
        >>> lr_multiplicative(lambda epoch: 0.95).name
        'lr_multiplicative'

    Source:
        ``torch.optim.lr_scheduler.MultiplicativeLR``.
    """
    return followed(per, Multiplicative, lr_lambda)
