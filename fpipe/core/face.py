"""What a public module offers: its vocabulary, without the modules that it is written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def offering(names: Mapping[str, Any]) -> Callable[[], list[str]]:
    """Return the ``__dir__`` of a module, so that completion shows what users call.

    Args:
        names: the module's ``globals()``.

    Example:
        >>> import types
        >>> offering({"scale": len, "scaling": types, "_own": 1})()
        ['scale']
    """

    def __dir__() -> list[str]:  # noqa: N807
        """Return the public names that are no modules."""
        return sorted(
            name
            for name, thing in names.items()
            if not name.startswith("_") and not isinstance(thing, ModuleType) and name != "offering"
        )

    return __dir__
