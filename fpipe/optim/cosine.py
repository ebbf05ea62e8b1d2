"""Schedules along a cosine: annealing, and annealing with restarts."""

from __future__ import annotations

import math

from fpipe.core.parameter import integer, parameter, real
from fpipe.core.value import descriptor
from fpipe.optim.optimizer import Settings
from fpipe.optim.ranges import NOT_NEGATIVE
from fpipe.optim.schedule import Curve, Memory, Recurrence, base_rates, rate


@descriptor
class CosineAnnealing(Recurrence):
    """The rate falls along half a cosine to ``eta_min`` in ``T_max`` calls, and rises again.

    Args:
        T_max: calls until the lowest rate.
        eta_min: the lowest rate.

    Source:
        Loshchilov and Hutter 2017; torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    name = "cosine_annealing"

    T_max: int = parameter(check=integer(1))
    eta_min: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)

    def after(self, memory: Memory, rates: tuple[float, ...], t: int) -> tuple[float, ...]:
        """Return the rates of call ``t``."""
        low, period = self.eta_min, self.T_max
        if t == 0:
            return rates
        if (t - 1 - period) % (2 * period) == 0:
            rise = 1 - math.cos(math.pi / period)
            pairs = zip(rates, base_rates(memory), strict=True)
            return tuple(r + (base - low) * rise / 2 for r, base in pairs)
        ratio = (1 + math.cos(math.pi * t / period)) / (1 + math.cos(math.pi * (t - 1) / period))
        return tuple(ratio * (r - low) + low for r in rates)


@descriptor
class CosineWarmRestarts(Curve):
    """The rate falls along half a cosine to ``eta_min``, then starts again from the top.

    Args:
        T_0: calls until the first restart.
        T_mult: factor by which each stretch is longer than the one before.
        eta_min: the lowest rate.

    Source:
        Loshchilov and Hutter 2017; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """

    name = "cosine_warm_restarts"

    T_0: int = parameter(check=integer(1))
    T_mult: int = parameter(default=1, check=integer(1))
    eta_min: float = parameter(default=0.0, check=NOT_NEGATIVE, convert=real)

    def curve(self, memory: Memory, t: int) -> Settings:
        """Return the rates of call ``t``."""
        since, period = (t % self.T_0 if self.T_mult == 1 else t), self.T_0
        while since >= period:
            since, period = since - period, period * self.T_mult
        low, height = self.eta_min, 1 + math.cos(math.pi * since / period)
        return tuple(rate(low + (base - low) * height / 2) for base in base_rates(memory))
