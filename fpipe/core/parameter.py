"""Parameters of values: not yet set, labels, and the checks that say what is accepted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs

from fpipe.core.errors import ParameterError


class _Required:
    """The one value of `REQUIRED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REQUIRED"

    def __reduce__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()
"""Marks a parameter that has no default and has not been set yet."""


class Check:
    """What a parameter accepts, as a predicate and in words."""

    def __init__(self, words: str, accepts: Callable[[Any], bool]) -> None:
        self.words = words
        self.accepts = accepts

    def __call__(self, instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        """Check a field of a value under construction (the form attrs calls)."""
        if value is REQUIRED or self.accepts(value):
            return
        named = getattr(type(instance), "name", None)
        owner = named if isinstance(named, str) else type(instance).__name__
        raise ParameterError(
            f"{owner}: {attribute.name} cannot be {value!r}.",
            expected=self.words,
            got=f"{value!r} ({type(value).__name__})",
            fix=self._fix(attribute.name, value),
            parameter=attribute.name,
            value=value,
        )

    def _fix(self, name: str, value: Any) -> str:
        # A single member where a sequence is wanted is the commonest slip.
        if isinstance(value, str | int | float) and self.accepts((value,)):
            return f"{name}=({value!r},)"
        return f"give {name} as {self.words}"


def parameter(
    default: Any = REQUIRED,
    *,
    check: Check | None = None,
    convert: Callable[[Any], Any] | None = None,
    kw_only: bool = False,
) -> Any:
    """Declare a field of a descriptor as a parameter, with what it accepts.

    Args:
        default: its value when none is given; `REQUIRED` where the user must choose.
        check: what it accepts; a value outside raises `ParameterError`.
        convert: applied to the given value first (a list into a tuple, say).
        kw_only: whether it can only be given by name.
    """
    converter = None if convert is None else _keep_required(convert)
    validator = None if check is None else [check]
    return attrs.field(default=default, validator=validator, converter=converter, kw_only=kw_only)


def label(
    default: Any = None, *, factory: Callable[[], Any] | None = None, kw_only: bool = True
) -> Any:
    """Declare a field that names or shows a value but is no part of what it is."""
    begun = default if factory is None else attrs.Factory(factory)
    return attrs.field(default=begun, kw_only=kw_only, metadata={"label": True})


def integer(low: int | None = None, high: int | None = None) -> Check:
    """Accept an int in ``[low, high]`` (a bool is none)."""
    words = "an integer" + _range(low, high)
    return Check(words, lambda x: _is_int(x) and _inside(x, low, high))


def number(
    low: float | None = None,
    high: float | None = None,
    *,
    above: bool = False,
    infinite: bool = False,
) -> Check:
    """Accept a number in ``[low, high]``; with ``above`` the lower end is excluded.

    It must be finite, unless ``infinite``.
    """
    words = ("a number above " + str(low)) if above else "a number" + _range(low, high)
    if above and high is not None:
        words += f" and at most {high}"

    def accepts(x: Any) -> bool:
        one = _is_int(x) or (
            isinstance(x, float) and (math.isfinite(x) or (infinite and not math.isnan(x)))
        )
        return one and _inside(x, low, high) and not (above and x == low)

    return Check(words, accepts)


def real(x: Any) -> Any:
    """Return an integer as the float of the same value, all else as it is (a converter).

    So that ``elu(1)`` and ``elu(1.0)`` are one value.

    Example:
        >>> real(1), real("1"), real(True)
        (1.0, '1', True)
    """
    return float(x) if _is_int(x) else x


def boolean() -> Check:
    """Accept True or False."""
    return Check("True or False", lambda x: isinstance(x, bool))


def text() -> Check:
    """Accept a non-empty str."""
    return Check("a non-empty string", lambda x: isinstance(x, str) and bool(x))


def one_of(*choices: Any) -> Check:
    """Accept one of a few values."""
    words = "one of " + ", ".join(map(repr, choices))
    return Check(words, lambda x: any(type(x) is type(c) and x == c for c in choices))


def tuple_of(check: Check, *, at_least: int = 0) -> Check:
    """Accept a tuple whose members all pass a check."""
    words = f"a sequence of {at_least} or more, each {check.words}"

    def accepts(x: Any) -> bool:
        return isinstance(x, tuple) and len(x) >= at_least and all(map(check.accepts, x))

    return Check(words, accepts)


def each_of(count: int, check: Check) -> Check:
    """Accept what a check accepts, or a tuple of ``count`` such values."""
    words = check.words if count == 1 else f"{check.words}, or {count} of them"

    def accepts(x: Any) -> bool:
        several = isinstance(x, tuple) and len(x) == count and all(map(check.accepts, x))
        return several or check.accepts(x)

    return Check(words, accepts)


def as_tuple(x: Any) -> Any:
    """Return a list as a tuple, all else as it is (a converter)."""
    return tuple(x) if isinstance(x, list) else x


def optional(check: Check) -> Check:
    """Accept None or what a check accepts."""
    return Check(f"{check.words}, or None", lambda x: x is None or check.accepts(x))


def instance_of(*types: type) -> Check:
    """Accept instances of some types."""
    return Check(" or ".join(t.__name__ for t in types), lambda x: isinstance(x, types))


def _keep_required(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a converter that leaves alone what it cannot convert; the check then refuses it."""

    def converted(x: Any) -> Any:
        try:
            return x if x is REQUIRED else convert(x)
        except (TypeError, ValueError):
            return x

    return converted


def _is_int(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool)


def _inside(x: Any, low: float | None, high: float | None) -> bool:
    return (low is None or x >= low) and (high is None or x <= high)


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" of at least {low}"
    if low is None:
        return f" of at most {high}"
    return f" from {low} to {high}"
