"""Laws as plain records, so that they can be listed, documented and run by anyone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fpipe.core.value import value


@value
class Law:
    """A statement that must hold, and the function that checks one case of it.

    Args:
        name: short name, unique.
        statement: what holds, in one sentence.
        check: takes one case, raises AssertionError where the law is broken.
    """

    name: str
    statement: str
    check: Callable[..., Any]
