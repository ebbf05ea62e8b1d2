"""Schedules in cycles: rates that rise and fall, with the momentum going the other way."""

from __future__ import annotations

import math
from typing import Any

from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import ParameterError, StateError
from fpipe.core.parameter import (
    Check,
    boolean,
    instance_of,
    integer,
    number,
    one_of,
    optional,
    parameter,
    real,
)
from fpipe.core.value import descriptor
from fpipe.optim.optimizer import Settings
from fpipe.optim.ranges import BELOW_ONE, NOT_NEGATIVE, SHARE, per_group, real_or_reals
from fpipe.optim.schedule import Curve, Memory, of_group

PerGroup = float | tuple[float, ...]

_A_FUNCTION = Check(
    "a function of a number, or None",
    lambda x: x is None or (instance_of(Ref, Opaque).accepts(x) and callable(x.resolve())),
)


def _momentum_name(base: Settings) -> str:
    """Return the setting that holds the momentum: ``betas`` (the first of them) if there is one."""
    return "betas" if base and "betas" in base[0] else "momentum"


def _changed(base: PMap[str, Any], lr: float, momentum: float | None) -> PMap[str, Any]:
    if momentum is None:
        return pmap({"lr": lr})
    if "betas" in base:
        return pmap({"lr": lr, "betas": (momentum, *base["betas"][1:])})
    return pmap({"lr": lr, "momentum": momentum})


def check_total_steps(name: str, total_steps: int | None, total: int, also: str = "") -> None:
    """Raise ParameterError where a cycle is over before the run is.

    Args:
        name: of the schedule.
        total_steps: calls in the cycle; None for those of the run.
        total: calls in the run.
        also: what else may mend it, before what to give.
    """
    if total_steps is not None and total_steps < total:
        raise ParameterError(
            f"{name} is over before the run is.",
            expected=f"total_steps of at least {total}, as often as the run calls it",
            got=f"total_steps={total_steps}",
            fix=f"{also}give total_steps={total}",
        )


@descriptor
class Cyclic(Curve):
    """The rate goes up and down between two bounds, the momentum down and up.

    Args:
        base_lr: the lowest rate; or one for each parameter group.
        max_lr: the highest rate; or one for each parameter group.
        step_size_up: calls on the way up.
        step_size_down: calls on the way down; as many as up by default.
        mode: ``"triangular"``, ``"triangular2"`` (half as high in each cycle), or
            ``"exp_range"`` (``gamma`` to the power of the call as high).
        gamma: of ``"exp_range"``.
        scale_fn: a function from the cycle (from 1) or the call (from 0) to a factor of the
            height, in place of ``mode``.
        scale_mode: what ``scale_fn`` is a function of, ``"cycle"`` or ``"iterations"``.
        cycle_momentum: whether the momentum is cycled (the first of ``betas`` where there are
            such).
        base_momentum: the lowest momentum; or one for each parameter group.
        max_momentum: the highest momentum; or one for each parameter group.

    Source:
        Smith 2017; torch.optim.lr_scheduler.CyclicLR.
    """

    name = "cyclic"

    base_lr: PerGroup = parameter(check=per_group(NOT_NEGATIVE), convert=real_or_reals)
    max_lr: PerGroup = parameter(check=per_group(NOT_NEGATIVE), convert=real_or_reals)
    step_size_up: int = parameter(default=2000, check=integer(1))
    step_size_down: int | None = parameter(default=None, check=optional(integer(1)))
    mode: str = parameter(
        default="triangular", check=one_of("triangular", "triangular2", "exp_range")
    )
    gamma: float = parameter(default=1.0, check=NOT_NEGATIVE, convert=real)
    scale_fn: Ref | Opaque | None = parameter(
        default=None, check=_A_FUNCTION, convert=lambda x: None if x is None else as_code(x)
    )
    scale_mode: str = parameter(default="cycle", check=one_of("cycle", "iterations"))
    cycle_momentum: bool = parameter(default=True, check=boolean())
    base_momentum: PerGroup = parameter(
        default=0.8, check=per_group(BELOW_ONE), convert=real_or_reals
    )
    max_momentum: PerGroup = parameter(
        default=0.9, check=per_group(BELOW_ONE), convert=real_or_reals
    )

    def touches(self, base: Settings) -> tuple[str, ...]:
        """The momentum, where it is cycled."""
        return (_momentum_name(base),) if self.cycle_momentum else ()

    def grouped(self) -> dict[str, Any]:
        """Rates and momenta."""
        momenta = {"base_momentum": self.base_momentum, "max_momentum": self.max_momentum}
        rates = {"base_lr": self.base_lr, "max_lr": self.max_lr}
        return rates | (momenta if self.cycle_momentum else {})

    def curve(self, memory: Memory, t: int) -> Settings:
        """Return the rates and momenta of call ``t``."""
        height = self._position(t)
        scale = self._scale(t)
        found = []
        for i, base in enumerate(memory.base):
            low, high = of_group(self.base_lr, i), of_group(self.max_lr, i)
            lr, momentum = low + (high - low) * height * scale, None
            if self.cycle_momentum:
                low, high = of_group(self.base_momentum, i), of_group(self.max_momentum, i)
                momentum = high - (high - low) * height * scale
            found.append(_changed(base, lr, momentum))
        return tuple(found)

    def _position(self, t: int) -> float:
        """Return how high a call is in its cycle, from 0 to 1."""
        up, size = self._sizes()
        share, since = up / size, 1.0 + t / size - self._cycle(t)
        return since / share if since <= share else (since - 1) / (share - 1)

    def _cycle(self, t: int) -> int:
        return math.floor(1 + t / self._sizes()[1])

    def _sizes(self) -> tuple[float, float]:
        up = float(self.step_size_up)
        return up, up + float(self.step_size_down or self.step_size_up)

    def _scale(self, t: int) -> float:
        if self.scale_fn is not None:
            by_cycle = self.scale_mode == "cycle"
            return float(self.scale_fn.resolve()(self._cycle(t) if by_cycle else t))
        if self.mode == "exp_range":
            return self.gamma**t
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (self._cycle(t) - 1)


@descriptor
class OneCycle(Curve):
    """One rise of the rate and one long fall over the whole run; the momentum the other way.

    It is made to be called for every batch.

    Args:
        max_lr: the highest rate; or one for each parameter group.
        total_steps: calls in the whole run; None for those that the run has. Of a longer cycle
            the run sees the beginning; a shorter one is refused.
        pct_start: share of the calls on the way up.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: whether the momentum is cycled (the first of ``betas`` where there are
            such).
        base_momentum: the lowest momentum; or one for each parameter group.
        max_momentum: the highest momentum; or one for each parameter group.
        div_factor: the first rate is ``max_lr / div_factor``.
        final_div_factor: the last rate is the first divided by this.
        three_phase: whether the rate falls as steeply as it rose, and then to the last.

    Source:
        Smith and Topin 2018; torch.optim.lr_scheduler.OneCycleLR.
    """

    name = "one_cycle"

    max_lr: PerGroup = parameter(check=per_group(NOT_NEGATIVE), convert=real_or_reals)
    total_steps: int | None = parameter(default=None, check=optional(integer(1)))
    pct_start: float = parameter(default=0.3, check=SHARE, convert=real)
    anneal_strategy: str = parameter(default="cos", check=one_of("cos", "linear"))
    cycle_momentum: bool = parameter(default=True, check=boolean())
    base_momentum: PerGroup = parameter(
        default=0.85, check=per_group(BELOW_ONE), convert=real_or_reals
    )
    max_momentum: PerGroup = parameter(
        default=0.95, check=per_group(BELOW_ONE), convert=real_or_reals
    )
    div_factor: float = parameter(default=25.0, check=number(0.0, above=True), convert=real)
    final_div_factor: float = parameter(default=1e4, check=number(0.0, above=True), convert=real)
    three_phase: bool = parameter(default=False, check=boolean())

    @property
    def needs_total(self) -> bool:
        """True, unless ``total_steps`` is given."""
        return self.total_steps is None

    def begin(self, base: Settings, total: int) -> Memory:
        """Return the memory before the first call.

        Raises:
            ParameterError: as of every schedule; or the run has more calls than ``total_steps``.
        """
        memory: Memory = super().begin(base, total)
        check_total_steps(self.name, self.total_steps, total, "leave total_steps out, or ")
        return memory

    def touches(self, base: Settings) -> tuple[str, ...]:
        """The momentum, where it is cycled."""
        return (_momentum_name(base),) if self.cycle_momentum else ()

    def grouped(self) -> dict[str, Any]:
        """Rates and momenta."""
        momenta = {"base_momentum": self.base_momentum, "max_momentum": self.max_momentum}
        return {"max_lr": self.max_lr} | (momenta if self.cycle_momentum else {})

    def curve(self, memory: Memory, t: int) -> Settings:
        """Return the rates and momenta of call ``t``."""
        start, end, share = self._phase(memory.total if self.needs_total else self.total_steps, t)
        found = []
        for i, base in enumerate(memory.base):
            high = of_group(self.max_lr, i)
            first = high / self.div_factor
            rates = {"first": first, "high": high, "last": first / self.final_div_factor}
            momentum = None
            if self.cycle_momentum:
                # Where the rate is highest the momentum is lowest.
                low, top = of_group(self.base_momentum, i), of_group(self.max_momentum, i)
                momenta = {"first": top, "high": low, "last": top}
                momentum = self._between(momenta[start], momenta[end], share)
            found.append(_changed(base, self._between(rates[start], rates[end], share), momentum))
        return tuple(found)

    def _phase(self, total: Any, t: int) -> tuple[str, str, float]:
        """Return between which two points a call lies, and how far it has come."""
        if t > total:
            raise StateError(
                f"one_cycle is over after {total} calls.",
                expected=f"a call from 0 to {total}",
                got=str(t),
                fix="give total_steps as many as the whole run has",
            )
        *before, (start, end, until) = self._phases(total)
        begun = 0.0
        for first, second, border in before:
            if t <= border:
                start, end, until = first, second, border
                break
            begun = border
        # A rise of a single call is at its top; torch divides by zero there.
        return start, end, (t - begun) / (until - begun) if until != begun else 1.0

    def _phases(self, total: int) -> tuple[tuple[str, str, float], ...]:
        up = self.pct_start * total
        if not self.three_phase:
            return ("first", "high", up - 1), ("high", "last", float(total - 1))
        down = 2 * self.pct_start * total - 2
        return ("first", "high", up - 1), ("high", "first", down), ("first", "last", total - 1.0)

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
