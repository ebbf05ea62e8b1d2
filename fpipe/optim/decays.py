"""Schedules that multiply the rate at certain calls, or lead it from one factor to another."""

from __future__ import annotations

from collections import Counter

from fpipe.core.parameter import integer, number, parameter, real, tuple_of
from fpipe.core.value import descriptor
from fpipe.optim.ranges import NOT_NEGATIVE, SHARE
from fpipe.optim.schedule import Memory, Recurrence

Rates = tuple[float, ...]


@descriptor
class Steps(Recurrence):
    """The rate times ``gamma`` after every ``step_size`` calls.

    Args:
        step_size: calls between two changes.
        gamma: factor.

    Source:
        torch.optim.lr_scheduler.StepLR.
    """

    name = "step"

    step_size: int = parameter(check=integer(1))
    gamma: float = parameter(default=0.1, check=NOT_NEGATIVE, convert=real)

    def after(self, memory: Memory, rates: Rates, t: int) -> Rates:
        """Return the rates of call ``t``."""
        return rates if t == 0 or t % self.step_size else tuple(r * self.gamma for r in rates)


@descriptor
class MultiStep(Recurrence):
    """The rate times ``gamma`` at every milestone.

    Args:
        milestones: the calls at which the rate changes; one that is named twice counts twice.
        gamma: factor.

    Source:
        torch.optim.lr_scheduler.MultiStepLR.
    """

    name = "multi_step"

    milestones: tuple[int, ...] = parameter(check=tuple_of(integer(0), at_least=1), convert=tuple)
    gamma: float = parameter(default=0.1, check=NOT_NEGATIVE, convert=real)

    def after(self, memory: Memory, rates: Rates, t: int) -> Rates:
        """Return the rates of call ``t``."""
        times = Counter(self.milestones)[t]
        return tuple(r * self.gamma**times for r in rates) if times else rates


@descriptor
class Exponential(Recurrence):
    """The rate times ``gamma`` at every call after the first.

    Args:
        gamma: factor.

    Example:
        >>> from pyrsistent import pmap
        >>> schedule = Exponential(0.5)
        >>> memory = schedule.begin((pmap({"lr": 1.0}),), total=4)
        >>> [schedule.at(memory, t)[1][0]["lr"] for t in range(4)]
        [1.0, 0.5, 0.25, 0.125]

    Source:
        torch.optim.lr_scheduler.ExponentialLR.
    """

    name = "exponential"

    gamma: float = parameter(check=NOT_NEGATIVE, convert=real)

    def after(self, memory: Memory, rates: Rates, t: int) -> Rates:
        """Return the rates of call ``t``."""
        return rates if t == 0 else tuple(r * self.gamma for r in rates)


@descriptor
class Constant(Recurrence):
    """The rate times ``factor`` for a number of calls, then as it is.

    Args:
        factor: factor, above 0 and at most 1.
        total_iters: how many calls.

    Source:
        torch.optim.lr_scheduler.ConstantLR.
    """

    name = "constant"

    factor: float = parameter(default=1.0 / 3, check=number(0.0, 1.0, above=True), convert=real)
    total_iters: int = parameter(default=5, check=integer(1))

    def after(self, memory: Memory, rates: Rates, t: int) -> Rates:
        """Return the rates of call ``t``."""
        if t == 0:
            return tuple(r * self.factor for r in rates)
        return tuple(r * (1.0 / self.factor) for r in rates) if t == self.total_iters else rates


@descriptor
class Linear(Recurrence):
    """The rate times a factor that goes from one value to another in a straight line.

    Args:
        start_factor: factor of the first call, above 0 and at most 1.
        end_factor: factor from call ``total_iters`` on, from 0 to 1.
        total_iters: calls on the way.

    Source:
        torch.optim.lr_scheduler.LinearLR.
    """

    name = "linear"

    start_factor: float = parameter(
        default=1.0 / 3, check=number(0.0, 1.0, above=True), convert=real
    )
    end_factor: float = parameter(default=1.0, check=SHARE, convert=real)
    total_iters: int = parameter(default=5, check=integer(1))

    def after(self, memory: Memory, rates: Rates, t: int) -> Rates:
        """Return the rates of call ``t``."""
        if t == 0:
            return tuple(r * self.start_factor for r in rates)
        if t > self.total_iters:
            return rates
        rise = self.end_factor - self.start_factor
        factor = 1.0 + rise / (self.total_iters * self.start_factor + (t - 1) * rise)
        # On the way to zero rounding may step past it, and no rate is negative.
        return tuple(max(r * factor, 0.0) for r in rates)


@descriptor
class Polynomial(Recurrence):
    """The rate times ``(1 - t / total_iters) ** power``, and zero from there on.

    Args:
        total_iters: calls until zero is reached.
        power: power of the polynomial.

    Source:
        torch.optim.lr_scheduler.PolynomialLR.
    """

    name = "polynomial"

    total_iters: int = parameter(default=5, check=integer(1))
    power: float = parameter(default=1.0, check=NOT_NEGATIVE, convert=real)

    def after(self, memory: Memory, rates: Rates, t: int) -> Rates:
        """Return the rates of call ``t``."""
        if t == 0 or t > self.total_iters:
            return rates
        left, before = 1.0 - t / self.total_iters, 1.0 - (t - 1) / self.total_iters
        return tuple(r * (left / before) ** self.power for r in rates)
