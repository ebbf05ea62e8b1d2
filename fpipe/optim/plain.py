"""What objects keep, as values and back: lists, dicts and numbers that cannot change."""

from __future__ import annotations

import copy
import types
from functools import partial
from typing import Any

import numpy as np
from pyrsistent import PMap, PVector, pmap, pvector
from torch import Tensor

from fpipe.core.equality import same
from fpipe.core.tree import items

_SCALARS = (type(None), bool, int, float, complex, str, bytes, np.generic)
_CODE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    type,
    partial,
)


class NotPlain(Exception):  # noqa: N818 - it tells, nobody sees it
    """An object that is neither a number, text, a tensor nor a list, tuple or dict of such."""


def frozen(thing: Any) -> Any:
    """Return plain data as a value: lists as persistent vectors, dicts as persistent maps.

    Raises:
        NotPlain: there is something else in it.

    Example:
        >>> frozen({"a": [1, (2, 3)]})
        pmap({'a': pvector([1, (2, 3)])})
    """
    if isinstance(thing, _SCALARS):
        return thing
    if isinstance(thing, Tensor):
        return thing.detach().clone()
    if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        return thing.copy()
    if type(thing) is tuple:
        return tuple(map(frozen, thing))
    if type(thing) is list:
        return pvector(map(frozen, thing))
    if type(thing) is dict:
        return pmap({key: frozen(below) for key, below in thing.items()})
    raise NotPlain(type(thing).__name__)


def thawed(value: Any) -> Any:
    """Return what `frozen` was given, made anew.

    Example:
        >>> thawed(frozen({"a": [1, (2, 3)]}))
        {'a': [1, (2, 3)]}
    """
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        return tuple(map(thawed, value))
    if isinstance(value, PVector):
        return [thawed(below) for below in value]
    if isinstance(value, PMap):
        return {key: thawed(below) for key, below in items(value)}
    return value


_UNKNOWN = object()


def snapshot(kept: Any) -> tuple[Any, Any]:
    """Return what is kept, frozen, for `unchanged`; where that cannot be done, a copy of it."""
    try:
        return frozen(kept), None
    except NotPlain:
        return _UNKNOWN, kept if _is_code(kept) else _copied(kept)


def _copied(kept: Any) -> Any:
    try:
        return copy.deepcopy(kept)
    except (TypeError, ValueError, AttributeError):
        return object()  # equal to nothing: it counts as changed


def unchanged(before: tuple[Any, Any], after: tuple[Any, Any]) -> bool:
    """Tell whether two snapshots show the same; code counts as the same, it is made anew.

    Example:
        >>> unchanged(snapshot([1]), snapshot([1])), unchanged(snapshot([1]), snapshot([1.0]))
        (True, False)
    """
    if before[0] is not _UNKNOWN and after[0] is not _UNKNOWN:
        return same(before[0], after[0])
    if _is_code(before[1]) and _is_code(after[1]):
        return True
    return type(before[1]) is type(after[1]) and bool(before[1] == after[1])


def _is_code(thing: Any) -> bool:
    return isinstance(thing, _CODE)
