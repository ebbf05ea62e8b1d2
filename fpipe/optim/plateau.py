"""The schedule that follows scores: the rate falls when they no longer improve."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pyrsistent import pmap

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import integer, one_of, parameter, real
from fpipe.core.value import descriptor, evolve, value
from fpipe.optim.optimizer import Settings
from fpipe.optim.ranges import BELOW_ONE, NOT_NEGATIVE, per_group, real_or_reals
from fpipe.optim.schedule import of_group


@value
class PlateauMemory:
    """What `Plateau` carries from score to score.

    Args:
        now: the rates of every parameter group.
        best: the best score so far.
        stagnation: scores since then, or since the last change of the rate.
        resting: scores that do not count yet after a change.
    """

    now: Settings
    best: float
    stagnation: int = 0
    resting: int = 0


@descriptor
class Plateau:
    """The rate times ``factor`` once the score has not improved for more than ``patience`` times.

    A score of NaN is no improvement.

    Args:
        mode: whether a ``"min"`` or a ``"max"`` is sought.
        factor: factor, from 0 to below 1.
        patience: scores without improvement that are put up with.
        threshold: how much better a score must be.
        threshold_mode: whether that is ``"rel"``, a share of the best, or ``"abs"``.
        cooldown: scores after a change that do not count.
        min_lr: the lowest rate; or one for each parameter group.
        eps: a smaller change of the rate is none.

    Example:
        >>> schedule = Plateau(patience=0, factor=0.5)
        >>> memory = schedule.begin((pmap({"lr": 1.0}),))
        >>> rates = []
        >>> for score in (3.0, 2.0, 2.0, 2.0):
        ...     memory, settings = schedule.next(memory, score)
        ...     rates.append(settings[0]["lr"])
        >>> rates
        [1.0, 1.0, 0.5, 0.25]

    Source:
        torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    name: ClassVar[str] = "plateau"

    mode: str = parameter(default="min", check=one_of("min", "max"))
    factor: float = parameter(default=0.1, check=BELOW_ONE, convert=real)
    patience: int = parameter(default=10, check=integer(0))
    threshold: float = parameter(default=1e-4, check=NOT_NEGATIVE, convert=real)
    threshold_mode: str = parameter(default="rel", check=one_of("rel", "abs"))
    cooldown: int = parameter(default=0, check=integer(0))
    min_lr: float | tuple[float, ...] = parameter(
        default=0.0, check=per_group(NOT_NEGATIVE), convert=real_or_reals
    )
    eps: float = parameter(default=1e-8, check=NOT_NEGATIVE, convert=real)

    @property
    def needs_total(self) -> bool:
        """False: it follows scores alone."""
        return False

    def begin(self, base: Settings, total: int = 0) -> PlateauMemory:
        """Return the memory before the first score.

        Args:
            base: settings of every parameter group before training.
            total: not needed.

        Raises:
            ParameterError: ``min_lr`` is given for another number of groups.
        """
        del total
        if isinstance(self.min_lr, tuple) and len(self.min_lr) != len(base):
            raise ParameterError(
                f"plateau: min_lr is given for {len(self.min_lr)} parameter groups of {len(base)}.",
                expected=f"one value, or {len(base)}",
                got=f"min_lr={self.min_lr!r}",
                fix="give one for each group, in the order of the optimizer's groups",
            )
        now = tuple(pmap({"lr": group["lr"]}) for group in base)
        return PlateauMemory(now, math.inf if self.mode == "min" else -math.inf)

    def next(
        self, memory: PlateauMemory, score: float, settings: Settings | None = None
    ) -> tuple[PlateauMemory, Settings]:
        """Return the memory after a score, and the rates of every group from then on.

        Args:
            memory: what `begin` or the call before returned.
            score: the new score.
            settings: the settings as they are, where something else changes the rate too.
        """
        now = memory.now if settings is None else tuple(_rate_only(group) for group in settings)
        better = self._better(float(score), memory.best)
        best = float(score) if better else memory.best
        waited = 0 if better else memory.stagnation + 1
        resting = memory.resting
        if resting > 0:
            resting, waited = resting - 1, 0
        if waited > self.patience:
            now = tuple(self._lowered(group, i) for i, group in enumerate(now))
            resting, waited = self.cooldown, 0
        after = evolve(memory, now=now, best=best, stagnation=waited, resting=resting)
        return after, now

    def _better(self, score: float, best: float) -> bool:
        if self.threshold_mode == "rel":
            share = 1.0 - self.threshold if self.mode == "min" else 1.0 + self.threshold
            bound = best * share
        else:
            bound = best - self.threshold if self.mode == "min" else best + self.threshold
        return score < bound if self.mode == "min" else score > bound

    def _lowered(self, group: Any, position: int) -> Any:
        old = group["lr"]
        new = max(old * self.factor, of_group(self.min_lr, position))
        return group.set("lr", new) if old - new > self.eps else group


def _rate_only(group: Any) -> Any:
    return pmap({"lr": group["lr"]})
