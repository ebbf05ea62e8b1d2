"""The two decorators that make a class a fpipe value."""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

import attrs

from fpipe.core.equality import hash_of, same
from fpipe.core.parameter import label, parameter

_C = TypeVar("_C", bound=type[Any])
_V = TypeVar("_V")


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field, parameter, label))
def descriptor(cls: _C) -> _C:
    """Make a class a frozen value without tensors: comparable and hashable.

    ``==`` is `same`. Fields made with `label` are left out of ``==``, hash and fingerprint.

    Example:
        >>> @descriptor
        ... class Point:
        ...     x: float
        >>> Point(float("nan")) == Point(float("nan")), Point(0.0) == Point(-0.0)
        (True, False)
    """
    return _frozen(cls, hashable=True)


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field, parameter, label))
def value(cls: _C) -> _C:
    """Make a class a frozen value that may hold tensors and tables: comparable, not hashable.

    Example:
        >>> import torch
        >>> @value
        ... class Weights:
        ...     w: torch.Tensor
        >>> Weights(torch.zeros(2)) == Weights(torch.zeros(2))
        True
    """
    return _frozen(cls, hashable=False)


def evolve(value: _V, /, **changes: Any) -> _V:
    """Return a value of the same class with some fields replaced (a typed ``attrs.evolve``).

    Example:
        >>> @descriptor
        ... class Point:
        ...     x: int
        ...     y: int
        >>> evolve(Point(1, 2), y=3)
        Point(x=1, y=3)
    """
    changed: _V = attrs.evolve(value, **changes)  # type: ignore[misc]
    return changed


def _frozen(cls: _C, *, hashable: bool) -> _C:
    own = vars(cls)
    if "__eq__" not in own:
        cls.__eq__ = _equal  # type: ignore[assignment]
    if "__hash__" not in own or own["__hash__"] is None:
        cls.__hash__ = hash_of if hashable else None  # type: ignore[assignment]
    if "__repr__" not in own:
        cls.__repr__ = _text  # type: ignore[assignment]
    # One `__repr__` for all: attrs would write and compile one per class at every import.
    made = attrs.frozen(eq=False, repr=False)(cls)
    return made


def _text(self: Any) -> str:
    shown = (f"{a.name}={getattr(self, a.name)!r}" for a in attrs.fields(type(self)))
    return f"{type(self).__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


def _equal(self: object, other: object) -> bool:
    return same(self, other) if type(self) is type(other) else False
