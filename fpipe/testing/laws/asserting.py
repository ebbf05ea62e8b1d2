"""What the checks of laws share: two equalities that say what differs, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch

from fpipe.core.equality import close, same
from fpipe.core.errors import FpipeError
from fpipe.core.tree import parts

_E = TypeVar("_E", bound=FpipeError)
_Equality = Callable[[Any, Any], bool]


def agree(left: Any, right: Any, what: str) -> None:
    """Raise AssertionError unless two values are the same to the bit; say where they differ."""
    if not same(left, right):
        raise AssertionError(f"{what} differs{difference(left, right, same)}")


def near(left: Any, right: Any, what: str, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    """Raise AssertionError unless two values are close; say where they differ."""

    def alike(a: Any, b: Any) -> bool:
        return close(a, b, rtol, atol)

    if not alike(left, right):
        raise AssertionError(f"{what} is not close{difference(left, right, alike)}")


def refused(kind: type[_E], function: Callable[[], Any]) -> _E:
    """Return the error that a function raises; raise AssertionError where it raises none."""
    try:
        made = function()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, but this came:\n{made!r}")


def difference(left: Any, right: Any, alike: _Equality) -> str:
    """Return where two values first differ, and how: a field, a column, a row, two numbers.

    Args:
        left: any value.
        right: one that is not ``alike``.
        alike: the equality.

    Example:
        >>> difference({"a": (1, 2)}, {"a": (1, 3)}, same)
        ' at a[1]: 2 and 3'
    """
    path, a, b = "", left, right
    while True:
        below = None if _is_whole(a) else _first_below(a, b, alike)
        if below is None:
            place, words = _leaves(a, b, alike)
            path = ", ".join(part for part in (path, place) if part)
            return f" at {path}: {words}" if path else f": {words}"
        step, a, b = below
        path += step if step.startswith("[") or not path else f".{step}"


def _is_whole(value: Any) -> bool:
    return bool(getattr(type(value), "equals_only_itself", False))


def _first_below(a: Any, b: Any, alike: _Equality) -> tuple[str, Any, Any] | None:
    """Return the first children that differ, with their name; None where a and b are leaves."""
    first, second = parts(a), parts(b)
    if type(a) is not type(b) or first is None or second is None:
        return None
    if not same(first.keys, second.keys):
        return None
    for key, one, other in zip(first.keys, first.children, second.children, strict=True):
        if not alike(one, other):
            return (f"[{key}]" if isinstance(key, int) else str(key)), one, other
    return None


def _leaves(a: Any, b: Any, alike: _Equality) -> tuple[str, str]:
    """Return where two leaves differ, and what stands there."""
    if isinstance(a, pl.DataFrame) and isinstance(b, pl.DataFrame):
        return _frames(a, b, alike)
    if isinstance(a, pl.Series) and isinstance(b, pl.Series):
        return _columns(a, b, alike)
    if isinstance(a, torch.Tensor | np.ndarray) and isinstance(b, torch.Tensor | np.ndarray):
        return _arrays(a, b, alike)
    first, second = parts(a), parts(b)
    if type(a) is type(b) and first is not None and second is not None:
        return "", f"it holds {_short(first.keys)} and {_short(second.keys)}"
    if type(a) is not type(b):
        return "", f"{type(a).__name__} {_short(a)} and {type(b).__name__} {_short(b)}"
    return "", f"{_short(a)} and {_short(b)}"


def _frames(a: pl.DataFrame, b: pl.DataFrame, alike: _Equality) -> tuple[str, str]:
    if a.columns != b.columns:
        return "", f"the columns are {_short(a.columns)} and {_short(b.columns)}"
    if a.height != b.height:
        return "", f"there are {a.height} and {b.height} rows"
    pairs = zip(a.get_columns(), b.get_columns(), strict=True)
    one, other = next(((x, y) for x, y in pairs if not alike(x, y)), (None, None))
    if one is None or other is None:
        return "", f"{_short(a)} and {_short(b)}"
    place, words = _columns(one, other, alike)
    return f"column '{one.name}'" + (f", {place}" if place else ""), words


def _columns(a: pl.Series, b: pl.Series, alike: _Equality) -> tuple[str, str]:
    if a.dtype != b.dtype:
        return "", f"the types are {a.dtype} and {b.dtype}"
    if a.len() != b.len():
        return "", f"there are {a.len()} and {b.len()} rows"
    for row in range(a.len()):
        if not alike(a[row : row + 1], b[row : row + 1]):
            return f"row {row}", f"{_short(a[row])} and {_short(b[row])}"
    return "", f"the names are '{a.name}' and '{b.name}'"


def _arrays(a: Any, b: Any, alike: _Equality) -> tuple[str, str]:
    """Return the position of the first numbers that differ, in tensors or arrays."""
    if a.dtype != b.dtype or a.shape != b.shape or getattr(a, "is_sparse", False):
        return "", f"{a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
    place: list[int] = []
    depth, a, b = a.ndim, a.tolist(), b.tolist()
    for _ in range(depth):
        pairs = enumerate(zip(a, b, strict=True))
        index, (a, b) = next(((i, p) for i, p in pairs if not alike(*p)), (0, (a[0], b[0])))
        place.append(index)
    return (f"position {place}" if place else ""), f"{_short(a)} and {_short(b)}"


def _short(value: Any) -> str:
    """Return a value as one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:58]} …"
