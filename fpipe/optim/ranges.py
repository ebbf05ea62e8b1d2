"""What settings of optimizers and schedules accept, beyond single numbers."""

from __future__ import annotations

from typing import Any

from fpipe.core.parameter import Check, number, real

NOT_NEGATIVE = number(0.0)
"""Accepts a finite number of at least 0."""

SHARE = number(0.0, 1.0)
"""Accepts a number from 0 to 1."""


def _below_one(x: Any) -> bool:
    return NOT_NEGATIVE.accepts(x) and x < 1.0


BELOW_ONE = Check("a number from 0 to below 1", _below_one)
"""Accepts a number in ``[0, 1)``."""


def _pair(x: Any) -> bool:
    return isinstance(x, tuple) and len(x) == 2


BETAS = Check(
    "two numbers from 0 to below 1", lambda x: _pair(x) and all(map(BELOW_ONE.accepts, x))
)
"""Accepts the decay rates of two moments."""

ETAS = Check(
    "two numbers, the first between 0 and 1, the second above 1",
    lambda x: _pair(x) and all(map(NOT_NEGATIVE.accepts, x)) and 0.0 < x[0] < 1.0 < x[1],
)
"""Accepts the factors by which a step shrinks and grows."""

STEP_SIZES = Check(
    "two numbers of at least 0, the first not above the second",
    lambda x: _pair(x) and all(map(NOT_NEGATIVE.accepts, x)) and x[0] <= x[1],
)
"""Accepts a smallest and a largest step."""

EPSILONS = Check(
    "two numbers of at least 0; the first may be None",
    lambda x: (
        _pair(x) and (x[0] is None or NOT_NEGATIVE.accepts(x[0])) and NOT_NEGATIVE.accepts(x[1])
    ),
)
"""Accepts the two constants of Adafactor."""

THREE_NUMBERS = Check(
    "three numbers",
    lambda x: isinstance(x, tuple) and len(x) == 3 and all(map(number().accepts, x)),
)
"""Accepts the coefficients of a polynomial of degree five."""


def reals(x: Any) -> Any:
    """Return a sequence as a tuple in which integers are floats (a converter).

    Example:
        >>> reals([0, 0.999])
        (0.0, 0.999)
    """
    return tuple(map(real, x))


def real_or_reals(x: Any) -> Any:
    """Return a sequence as `reals` does, and a number as the float (a converter).

    Example:
        >>> real_or_reals(1), real_or_reals([1, 2])
        (1.0, (1.0, 2.0))
    """
    return reals(x) if isinstance(x, list | tuple) else real(x)


def per_group(check: Check) -> Check:
    """Accept what a check accepts, or a sequence of it: one for each parameter group.

    Example:
        >>> per_group(NOT_NEGATIVE).accepts((0.1, 0.2)), per_group(NOT_NEGATIVE).accepts(())
        (True, False)
    """

    def accepts(x: Any) -> bool:
        if isinstance(x, tuple):
            return bool(x) and all(map(check.accepts, x))
        return check.accepts(x)

    return Check(f"{check.words}, or a sequence of one for each parameter group", accepts)
