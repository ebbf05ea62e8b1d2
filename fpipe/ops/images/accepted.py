"""What the parameters of operators on images accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.parameter import Check, each_of, integer, number, one_of, real

SIZE = each_of(2, integer(1))
"""A height and a width, or one number."""

RESIZING = one_of("nearest", "nearest-exact", "bilinear", "bicubic")
"""How pixels are made where an image is resized."""

WARPING = one_of("nearest", "bilinear")
"""How pixels are made where an image is turned or bent."""

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")

_NUMBER = number()


def reals(x: Any) -> Any:
    """Return integers, also in a sequence, as floats of the same value (a converter).

    Example:
        >>> reals(2), reals([1, 0.5]), reals("random")
        (2.0, (1.0, 0.5), 'random')
    """
    return tuple(map(real, x)) if isinstance(x, list | tuple) else real(x)


def is_numbers(x: Any) -> bool:
    """Tell whether this is a number or a tuple of one or more."""
    several = isinstance(x, tuple) and bool(x) and all(map(_NUMBER.accepts, x))
    return several or _NUMBER.accepts(x)


PER_CHANNEL = Check("a number, or one per channel", is_numbers)
"""A colour, or what else may differ between channels."""


def span(low: float | None = None, high: float | None = None, *, above: bool = False) -> Check:
    """Accept two numbers that `number` accepts, the smaller one first."""
    one = number(low, high, above=above)

    def accepts(x: Any) -> bool:
        return isinstance(x, tuple) and len(x) == 2 and all(map(one.accepts, x)) and x[0] <= x[1]

    return Check(f"two of {one.words}, the smaller one first", accepts)


def either(*checks: Check) -> Check:
    """Accept what one of the checks accepts."""
    words = ", or ".join(check.words for check in checks)
    return Check(words, lambda x: any(check.accepts(x) for check in checks))


def pair(x: int | tuple[int, int]) -> tuple[int, int]:
    """Return a height and a width; one number is both.

    Example:
        >>> pair(3), pair((2, 4))
        ((3, 3), (2, 4))
    """
    return x if isinstance(x, tuple) else (x, x)


def as_span(x: float | tuple[float, ...]) -> tuple[float, ...]:
    """Return an interval; one number is the distance of its ends from 0.

    Example:
        >>> as_span(10.0), as_span((5.0, 6.0))
        ((-10.0, 10.0), (5.0, 6.0))
    """
    return x if isinstance(x, tuple) else (-x, x)


def check_channels(
    what: str, values: float | Sequence[float] | None, channels: int | None, name: str
) -> int | None:
    """Return the number of channels, which values for each of them tell as well.

    Args:
        what: the operator.
        values: one number, or several, one per channel.
        channels: as far as it is known.
        name: of the parameter.

    Raises:
        ShapeError: there are more or fewer values than channels.
    """
    if not isinstance(values, Sequence) or len(values) == 1:
        return channels
    if channels is not None and len(values) != channels:
        raise ShapeError(
            f"{what} has {len(values)} values of {name} for {channels} channels.",
            expected=f"{name}: one number, or {channels}",
            got=f"{name}={tuple(values)}",
            fix=f"give one {name} per channel",
        )
    return len(values)


def check_fill(what: str, fill: float | tuple[float, ...], padding_mode: str) -> None:
    """Raise ParameterError where a colour is given that the kind of padding has no use for."""
    if isinstance(fill, tuple) and padding_mode != "constant":
        raise ParameterError(
            f"{what} fills with pixels of the image, not with a colour.",
            expected="padding_mode='constant', or one number as fill",
            got=f"padding_mode={padding_mode!r}, fill={fill}",
            fix="leave out fill, or padding_mode",
            parameter="fill",
            value=fill,
        )
