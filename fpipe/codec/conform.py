"""Whether a value is of the type that a field declares."""

from __future__ import annotations

import collections.abc
import sys
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs
import numpy as np
import polars as pl

from fpipe.core.parameter import REQUIRED, Check
from fpipe.core.tree import fields_of

_Hints = dict[str, Any]


@lru_cache(maxsize=1024)
def hints_of(cls: type) -> _Hints:
    """Return the declared type of every field; ``Any`` where a name in it leads nowhere.

    Example:
        >>> from fpipe.core.key import Key
        >>> hints_of(Key)["seed"]
        <class 'int'>
    """
    return {field.name: _hint(cls, field.name) for field in fields_of(cls)}


def fits(value: Any, cls: type, name: str) -> bool:
    """Tell whether a value may stand in a field of a class.

    ``REQUIRED`` may stand wherever a parameter is declared.
    """
    if value is REQUIRED:
        field: Any = getattr(attrs.fields(cls), name)
        return field.default is REQUIRED or isinstance(field.validator, Check) or _checked(field)
    return conforms(value, hints_of(cls)[name])


def conforms(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type, as a type checker would.

    An int may stand for a float. What cannot be told from a value (type variables, the arguments
    of a callable) is not looked at.

    Example:
        >>> conforms((1, "a"), tuple[int | str, ...]), conforms((1, None), tuple[int, ...])
        (True, False)
    """
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar | str | typing.ForwardRef):
        return True
    if hint is None:
        return value is None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, one) for one in typing.get_args(hint))
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in typing.get_args(hint))
    if origin is not None:
        return _conforms_inside(value, origin, typing.get_args(hint))
    return _is_a(value, hint)


def _conforms_inside(value: Any, origin: Any, args: tuple[Any, ...]) -> bool:
    if origin is tuple:
        return isinstance(value, tuple) and _conform_places(value, args)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _conforms_dtype(value.dtype, args[-1])
    if origin is type:
        return isinstance(value, type)
    if origin is collections.abc.Callable:
        return callable(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        keys, members = args
        return isinstance(value, origin) and all(
            conforms(key, keys) and conforms(member, members) for key, member in value.items()
        )
    if isinstance(origin, type) and issubclass(origin, collections.abc.Collection):
        return isinstance(value, origin) and _conform_all(value, args[0])
    return _is_a(value, origin)


def _conform_places(value: tuple[Any, ...], args: tuple[Any, ...]) -> bool:
    if len(args) == 2 and args[1] is Ellipsis:
        return _conform_all(value, args[0])
    return len(value) == len(args) and all(map(conforms, value, args))


def _conform_all(members: Any, hint: Any) -> bool:
    kinds = set(map(type, members))
    if kinds <= {int, str, bytes, bool}:
        # Plain members of one kind are alike: one of each is enough to look at.
        return (
            all(conforms(kind(), hint) for kind in kinds)
            if _plain_hint(hint)
            else all(conforms(member, hint) for member in members)
        )
    return all(conforms(member, hint) for member in members)


def _plain_hint(hint: Any) -> bool:
    return hint in (int, str, bytes, bool, float)


def _conforms_dtype(dtype: np.dtype[Any], hint: Any) -> bool:
    args = typing.get_args(hint)
    kind = args[0] if args else Any
    return not isinstance(kind, type) or issubclass(dtype.type, kind)


def _is_a(value: Any, hint: Any) -> bool:
    if not isinstance(hint, type):
        return True
    if hint is float:
        return isinstance(value, float | int | np.floating) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    if hint is pl.DataType and isinstance(value, type):
        return issubclass(value, pl.DataType)
    if getattr(hint, "_is_protocol", False):
        return True
    return isinstance(value, hint)


def _checked(field: Any) -> bool:
    """Tell whether a field has one of the checks of parameters, alone or among others."""
    return any(isinstance(one, Check) for one in getattr(field.validator, "_validators", ()))


def _hint(cls: type, name: str) -> Any:
    owner = next(c for c in cls.__mro__ if name in vars(c).get("__annotations__", {}))
    written = vars(owner)["__annotations__"][name]
    holder = types.SimpleNamespace(__annotations__={name: written})
    spaces = vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    try:
        # Not the class as it is: a field may be called like a builtin, such as `type`.
        return typing.get_type_hints(holder, spaces, {})[name]
    except Exception:
        # A name that is known to the type checker only, or in a function only.
        return Any
