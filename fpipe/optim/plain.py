"""What objects keep, as values and back: lists, dicts and numbers that cannot change."""

from __future__ import annotations

import types
from functools import partial
from typing import Any

import numpy as np
from pyrsistent import PMap, PVector, pmap, pvector
from torch import Tensor

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


def is_code(thing: Any) -> bool:
    """Tell whether an object is code, which a constructor makes anew."""
    return isinstance(thing, _CODE)
