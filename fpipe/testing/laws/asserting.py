"""What the checks of laws share: two equalities that say what differs, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fpipe.core.equality import close, same
from fpipe.core.errors import FpipeError

_E = TypeVar("_E", bound=FpipeError)


def agree(left: Any, right: Any, what: str) -> None:
    """Raise AssertionError unless two values are the same to the bit."""
    assert same(left, right), f"{what} differs:\n{left!r}\n{right!r}"


def near(left: Any, right: Any, what: str, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    """Raise AssertionError unless two values are close."""
    assert close(left, right, rtol, atol), f"{what} is not close:\n{left!r}\n{right!r}"


def refused(kind: type[_E], function: Callable[[], Any]) -> _E:
    """Return the error that a function raises; raise AssertionError where it raises none."""
    try:
        made = function()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, but this came:\n{made!r}")
