"""Schedules by a function of one's own from the call to a factor."""

from __future__ import annotations

import math
from typing import Any

from pyrsistent import pmap

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import StateError
from fpipe.core.parameter import Check, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.optim.optimizer import Settings
from fpipe.optim.schedule import Curve, Memory, Recurrence, base_rates, of_group, rate

Code = Ref | Opaque


def _is_code(x: Any) -> bool:
    if isinstance(x, Opaque):
        return callable(x.content)
    return isinstance(x, Ref) and callable(x.resolve())


def _is_codes(x: Any) -> bool:
    return bool(x) and all(map(_is_code, x)) if isinstance(x, tuple) else _is_code(x)


CODE = Check(
    "a function of the call (an int from 0), or a sequence of one for each parameter group",
    _is_codes,
)
"""Accepts what `as_codes` makes of functions."""


def as_codes(given: Any) -> Any:
    """Return a function as code, and a sequence as a tuple of codes (a converter).

    Example:
        >>> as_codes(["math:sqrt", "math:exp"])
        (Ref('math:sqrt'), Ref('math:exp'))
    """
    if isinstance(given, list | tuple):
        return tuple(map(as_code, given))
    return as_code(given)


@descriptor
class Lambda(Curve):
    """The rate before training times a function of the call.

    Args:
        lr_lambda: from ``t`` (int, from 0) to a factor; or one for each parameter group.

    Example:
        >>> schedule = Lambda(lambda t: 1 / (1 + t))
        >>> memory = schedule.begin((pmap({"lr": 1.0}),), total=3)
        >>> [schedule.at(memory, t)[1][0]["lr"] for t in range(2)]
        [1.0, 0.5]

    Source:
        torch.optim.lr_scheduler.LambdaLR.
    """

    name = "lambda"

    lr_lambda: Code | tuple[Code, ...] = parameter(check=CODE, convert=as_codes)

    def grouped(self) -> dict[str, Any]:
        """The function."""
        return {"lr_lambda": self.lr_lambda}

    def curve(self, memory: Memory, t: int) -> Settings:
        """Return the rates of call ``t``."""
        bases = enumerate(base_rates(memory))
        return tuple(rate(base * _factor(self.name, self.lr_lambda, i, t)) for i, base in bases)


@descriptor
class Multiplicative(Recurrence):
    """The rate of the call before times a function of the call; the first is left as it is.

    Args:
        lr_lambda: from ``t`` (int, from 1) to a factor; or one for each parameter group.

    Source:
        torch.optim.lr_scheduler.MultiplicativeLR.
    """

    name = "multiplicative"

    lr_lambda: Code | tuple[Code, ...] = parameter(check=CODE, convert=as_codes)

    def grouped(self) -> dict[str, Any]:
        """The function."""
        return {"lr_lambda": self.lr_lambda}

    def after(self, memory: Memory, rates: tuple[float, ...], t: int) -> tuple[float, ...]:
        """Return the rates of call ``t``."""
        if t == 0:
            return rates
        return tuple(r * _factor(self.name, self.lr_lambda, i, t) for i, r in enumerate(rates))

    def entered(self, memory: Memory, before: Settings) -> tuple[Memory, Settings]:
        """Go on from the rates that another schedule left, as torch does."""
        found = tuple(
            pmap({"lr": now["lr"] * _factor(self.name, self.lr_lambda, i, 0)})
            for i, now in enumerate(before)
        )
        return evolve(memory, t=0, now=found), found


def _factor(name: str, code: Code | tuple[Code, ...], position: int, t: int) -> float:
    """Return a factor, or raise StateError where the function gives none."""
    given = of_group(code, position).resolve()(t)
    try:
        factor = float(given)
    except (TypeError, ValueError):
        factor = math.nan
    if math.isfinite(factor) and factor >= 0.0:
        return factor
    raise StateError(
        f"{name}: lr_lambda({t}) is no factor of a rate.",
        expected="a finite number of at least 0",
        got=repr(given)[:80],
        fix="let it return a number for every call",
    )
