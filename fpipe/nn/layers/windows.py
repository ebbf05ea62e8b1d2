"""Sizes of windows: one number for all dimensions, or one for each."""

from __future__ import annotations

from typing import Any

import attrs

from fpipe.core.parameter import REQUIRED, Check, as_tuple, integer, parameter
from fpipe.net.layers.windows import Sizes


class PerDimension(Check):
    """Accept what a check accepts, as many such values as the operator has dimensions, or others.

    Args:
        one: what one size may be.
        *others: what may be given instead of sizes.
    """

    def __init__(self, one: Check, *others: Any) -> None:
        super().__init__(one.words, lambda x: self._takes(x, len(x) if _several(x) else 1))
        self._one = one
        self._others = others

    def __call__(self, instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        """Check a field of an operator under construction, whose class knows its ``dims``."""
        dims = type(instance).dims
        several = [f"{dims} of them"] if dims > 1 else []
        words = [self.words, *several, *map(repr, self._others)]
        check = Check(", or ".join(words), lambda x: self._takes(x, dims))
        check(instance, attribute, value)

    def _takes(self, x: Any, dims: int) -> bool:
        if x is None or isinstance(x, str):
            return x in self._others
        if _several(x):
            return len(x) == dims and all(map(self._one.accepts, x))
        return self._one.accepts(x)


def window(default: Any = REQUIRED, *others: Any, least: int = 1) -> Any:
    """Declare a parameter of sizes: one for all dimensions, or a tuple with one for each.

    Args:
        default: its value when none is given.
        *others: what may be given instead of sizes.
        least: the smallest size.
    """
    check = PerDimension(integer(least), *others)
    return parameter(default=default, check=check, convert=as_tuple)


def each(given: int | Sizes, dims: int) -> Sizes:
    """Return one size per dimension of one number for all, or of a number for each.

    Example:
        >>> each(3, 2), each((3, 5), 2)
        ((3, 3), (3, 5))
    """
    return given if isinstance(given, tuple) else (given,) * dims


def _several(x: Any) -> bool:
    return isinstance(x, tuple)
