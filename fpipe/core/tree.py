"""Walking values: what a value is made of, in one fixed order."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs
from pyrsistent import PMap, PVector, pmap, pvector


class Parts(NamedTuple):
    """The children of a value and how it is put together.

    ``keys`` are field names, positions or map keys (sorted); ``build`` makes a value of the
    same type from new children in the same order.
    """

    keys: tuple[Any, ...]
    children: tuple[Any, ...]
    build: Callable[[tuple[Any, ...]], Any]


def parts(value: Any) -> Parts | None:
    """Return the parts of a container or fpipe value, or None for a leaf.

    Maps are walked by sorted keys, so the order in which they were built cannot be seen.
    Label fields are no parts.

    Example:
        >>> parts({"b": 1, "a": 2}).keys
        ('a', 'b')
        >>> parts(3) is None
        True
    """
    cls = type(value)
    if attrs.has(cls):
        return _of_attrs(value)
    if isinstance(value, Mapping):
        keys = sorted_keys(value)
        return Parts(
            keys,
            tuple(value[key] for key in keys),
            lambda new: _map(cls, zip(keys, new, strict=True)),
        )
    if isinstance(value, tuple | list | PVector):
        return Parts(tuple(range(len(value))), tuple(value), lambda new: _sequence(cls, new))
    if isinstance(value, frozenset | set):
        members = tuple(sorted(value, key=_sort_key))
        return Parts(tuple(range(len(members))), members, cls)
    return None


def sorted_keys(mapping: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Return the keys of a map in an order that depends on the keys alone.

    Example:
        >>> sorted_keys({"b": 0, 2: 0, "a": 0, 10: 0})
        (2, 10, 'a', 'b')
    """
    return tuple(sorted(mapping, key=_sort_key))


def items(mapping: Mapping[Any, Any]) -> tuple[tuple[Any, Any], ...]:
    """Return the items of a map by sorted keys."""
    return tuple((key, mapping[key]) for key in sorted_keys(mapping))


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Return the value with every leaf replaced by ``function(leaf)``.

    Example:
        >>> map_leaves(lambda x: x + 1, {"a": (1, 2)})
        {'a': (2, 3)}
    """
    found = parts(value)
    if found is None:
        return function(value)
    return found.build(tuple(map_leaves(function, child) for child in found.children))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Return every leaf with its path, in walking order.

    Example:
        >>> leaves({"a": (1, 2)})
        [(('a', 0), 1), (('a', 1), 2)]
    """
    found = parts(value)
    if found is None:
        return [(path, value)]
    pairs = zip(found.keys, found.children, strict=True)
    return [leaf for key, child in pairs for leaf in leaves(child, (*path, key))]


def within(value: Any) -> Iterator[Any]:
    """Yield a value and everything that it is made of, in walking order.

    Example:
        >>> list(within({"a": (1, 2)}))
        [{'a': (1, 2)}, (1, 2), 1, 2]
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        found = parts(one)
        waiting += [] if found is None else reversed(found.children)


def fields_of(cls: type) -> tuple[attrs.Attribute[Any], ...]:
    """Return the attrs fields of a class that count for equality (all but labels)."""
    return tuple(a for a in attrs.fields(cls) if not a.metadata.get("label", False))


def _of_attrs(value: Any) -> Parts:
    names = tuple(a.name for a in fields_of(type(value)))
    children = tuple(getattr(value, name) for name in names)
    return Parts(names, children, lambda new: attrs.evolve(value, **_init_names(value, names, new)))


def _init_names(value: Any, names: tuple[str, ...], new: tuple[Any, ...]) -> dict[str, Any]:
    alias = {a.name: a.alias or a.name for a in attrs.fields(type(value))}
    return {alias[name]: child for name, child in zip(names, new, strict=True)}


def _map(cls: Any, pairs: Any) -> Any:
    return pmap(dict(pairs)) if issubclass(cls, PMap) else cls(dict(pairs))


def _sequence(cls: Any, new: tuple[Any, ...]) -> Any:
    if issubclass(cls, PVector):
        return pvector(new)
    if hasattr(cls, "_fields"):
        return cls(*new)
    return cls(new)


def _sort_key(key: Any) -> tuple[str, Any]:
    kind = f"{type(key).__module__}.{type(key).__qualname__}"
    if isinstance(key, float):
        return (kind, struct.pack(">d", key))
    if isinstance(key, bool) or not isinstance(key, str | int):
        return (kind, repr(key))
    return (kind, key)
