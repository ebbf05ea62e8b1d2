"""Lenses: reading and replacing one place inside a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.tree import parts

_T = TypeVar("_T")
Path = tuple[Any, ...]


def get(value: Any, path: Path) -> Any:
    """Return what stands at a path of field names, positions and map keys.

    Raises:
        ParameterError: the path leads nowhere.

    Example:
        >>> get({"a": (1, 2)}, ("a", 1))
        2
    """
    for step in path:
        value = _children(value, step)[step]
    return value


def put(value: _T, path: Path, new: Any) -> _T:
    """Return the value with ``new`` at a path; nothing else changes.

    Raises:
        ParameterError: the path leads nowhere.

    Example:
        >>> put({"a": (1, 2)}, ("a", 1), 5)
        {'a': (1, 5)}
    """
    if not path:
        return new  # type: ignore[no-any-return]
    step, rest = path[0], path[1:]
    children = _children(value, step)
    found = parts(value)
    assert found is not None
    changed = children | {step: put(children[step], rest, new)}
    return found.build(tuple(changed[key] for key in found.keys))  # type: ignore[no-any-return]


def over(value: _T, path: Path, function: Callable[[Any], Any]) -> _T:
    """Return the value with ``function`` applied to what stands at a path."""
    return put(value, path, function(get(value, path)))


def _children(value: Any, step: Any) -> dict[Any, Any]:
    found = parts(value)
    children = {} if found is None else dict(zip(found.keys, found.children, strict=True))
    if step not in children:
        names = [str(key) for key in children]
        raise ParameterError(
            f"{type(value).__name__} has nothing at {step!r}.",
            expected=", ".join(names) or "no further step",
            got=repr(step),
            fix=did_you_mean(str(step), names),
        )
    return children
