"""Canonical bytes: two values have equal ones if and only if they are `same`."""

from __future__ import annotations

import datetime
import enum
import pathlib
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import numpy as np
import polars as pl
import torch
from pyrsistent import PMap, PVector

from fpipe.core.bits import array_chunks, column_chunks, dtype_tree, moment_text, tensor_bytes
from fpipe.core.code import path_of
from fpipe.core.errors import CodecError
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import Parts, parts

Chunks = Iterable[bytes]


def canonical_bytes(value: Any) -> bytes:
    """Return bytes that depend on what a value is, and on nothing else.

    They are the same in another process, under another hash seed, on another device, for maps
    built in another order and for tables cut into other chunks. Every item carries its tag and
    its lengths, so two structures never meet in the same bytes.

    Args:
        value: an fpipe value, a container, or a leaf: None, bool, int, float, complex, str,
            bytes, dates and times, paths, Enum members, classes, tensors, arrays, tables,
            columns and their dtypes.

    Raises:
        CodecError: something in the value has no bytes: code that cannot be imported, an
            `Opaque`, or an object of an unknown class.

    Laws:
        ``same(a, b) == (canonical_bytes(a) == canonical_bytes(b))``.

    Example:
        >>> canonical_bytes({"b": 1, "a": 2}) == canonical_bytes({"a": 2, "b": 1})
        True
        >>> canonical_bytes((1, 2)) == canonical_bytes([1, 2])
        False
    """
    written = bytearray()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if getattr(type(current), "equals_only_itself", False):
            raise _no_bytes(current, "name it in an importable module and refer to it by Ref")
        found = parts(current)
        if found is None:
            written += _leaf(current)
        else:
            written += _head(current, found)
            below = (*found.keys, *found.children) if _is_map(current) else found.children
            waiting.extend(reversed(below))
    return bytes(written)


def _head(value: Any, found: Parts) -> bytes:
    names = found.keys if attrs.has(type(value)) else ()
    count = _number(len(found.children))
    return _item("parts", _type_name(type(value)), count, *(name.encode() for name in names))


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping) and not attrs.has(type(value))


def _leaf(value: Any) -> bytes:
    if value is REQUIRED:
        return _item("required")
    for tag, kind, chunks in _LEAVES:
        if isinstance(value, kind):
            return _item(tag + _subclass(value, kind), *chunks(value))
    raise _no_bytes(value, _fix_for(value))


def _subclass(value: Any, kind: Any) -> str:
    """Name the class of a value that is an instance of a subclass only."""
    if kind in _OPEN_KINDS or type(value) is kind:
        return ""
    return " " + _type_name(type(value)).decode()


def _item(tag: str, *chunks: bytes) -> bytes:
    """Write a tag and chunks, each behind its length."""
    name = tag.encode()
    head = struct.pack("<HI", len(name), len(chunks)) + name
    return head + b"".join(_number(len(chunk)) + chunk for chunk in chunks)


def _number(count: int) -> bytes:
    return struct.pack("<Q", count)


def _type_name(cls: Any) -> bytes:
    known = {PMap: b"pmap", PVector: b"pvector"}
    found = (name for kind, name in known.items() if issubclass(cls, kind))
    return next(found, None) or path_of(cls).encode()


def _no_bytes(value: Any, fix: str) -> CodecError:
    return CodecError(
        f"{type(value).__name__} has no canonical bytes.",
        expected="plain data, tensors, arrays, tables, or fpipe values made of them",
        got=repr(value)[:80],
        fix=fix,
        type=type(value),
    )


def _fix_for(value: Any) -> str:
    if callable(value):
        return "hold code as fpipe.core.code.as_code(...)"
    return f"hold the contents of {type(value).__name__} in a class made with @value"


def _integer(value: int) -> Chunks:
    return (b"%d" % value,)


def _real(value: float) -> Chunks:
    return (struct.pack("<d", value),)


def _complex(value: complex) -> Chunks:
    return (struct.pack("<dd", value.real, value.imag),)


def _text(value: object) -> Chunks:
    text = str.__str__(value) if isinstance(value, str) else str(value)
    return (text.encode("utf-8", "surrogatepass"),)


def _member(value: enum.Enum) -> Chunks:
    name = value.name if value.name is not None else f"={value.value}"
    return (_type_name(type(value)), name.encode())


def _tensor(value: torch.Tensor) -> Chunks:
    shape = b"".join(map(_number, value.shape))
    return (str(value.dtype).encode(), shape, tensor_bytes(value))


def _array(value: np.ndarray[Any, Any]) -> Chunks:
    if isinstance(value, np.ma.MaskedArray):
        raise _no_bytes(value, "hold its data and its mask")
    shape = b"".join(map(_number, value.shape))
    if value.dtype.hasobject:
        return (_array_dtype(value.dtype), shape, canonical_bytes(value.tolist()))
    return (_array_dtype(value.dtype), shape, *array_chunks(value))


def _array_dtype(dtype: np.dtype[Any]) -> bytes:
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return _item("many", _array_dtype(inner), canonical_bytes(shape))
    if dtype.names is None or dtype.fields is None:
        return dtype.str.encode()
    places = (dtype.fields[name][:2] for name in dtype.names)
    fields = (_item("at", _array_dtype(inner), _number(start)) for inner, start in places)
    return _item("fields", _number(dtype.itemsize), canonical_bytes(dtype.names), *fields)


def _column(value: pl.Series) -> Chunks:
    dtype = canonical_bytes(dtype_tree(value.dtype))
    return (value.name.encode(), _number(value.len()), dtype, *column_chunks(value))


def _frame(value: pl.DataFrame) -> Chunks:
    columns = (_item("column", *_column(column)) for column in value.get_columns())
    return (_number(value.height), *columns)


def _span(value: datetime.timedelta) -> Chunks:
    return (b"%d %d %d" % (value.days, value.seconds, value.microseconds),)


_LEAVES: tuple[tuple[str, Any, Callable[[Any], Chunks]], ...] = (
    ("none", type(None), lambda _: ()),
    ("member", enum.Enum, _member),
    ("bool", bool, lambda value: (b"1" if value else b"0",)),
    ("scalar", np.generic, lambda value: (_array_dtype(value.dtype), value.tobytes())),
    ("int", int, _integer),
    ("float", float, _real),
    ("complex", complex, _complex),
    ("str", str, _text),
    ("bytes", bytes, lambda value: (bytes(value),)),
    ("tensor", torch.Tensor, _tensor),
    ("array", np.ndarray, _array),
    ("frame", pl.DataFrame, _frame),
    ("column", pl.Series, _column),
    ("polars-dtype", pl.DataType, lambda value: (canonical_bytes(dtype_tree(value)),)),
    ("torch", (torch.dtype, torch.device, torch.layout, torch.memory_format), _text),
    ("numpy-dtype", np.dtype, lambda value: (_array_dtype(value),)),
    ("class", type, lambda value: (_type_name(value),)),
    ("datetime", datetime.datetime, lambda value: (moment_text(value).encode(),)),
    ("date", datetime.date, lambda value: (value.isoformat().encode(),)),
    ("time", datetime.time, lambda value: (moment_text(value).encode(),)),
    ("timedelta", datetime.timedelta, _span),
    ("path", pathlib.PurePath, lambda value: (type(value).__name__.encode(), *_text(value))),
)
"""What each kind of leaf is called and how it is written; the first kind that fits counts."""

_OPEN_KINDS = (
    enum.Enum,
    np.generic,
    torch.Tensor,
    pl.DataType,
    np.dtype,
    type,
    pathlib.PurePath,
    (torch.dtype, torch.device, torch.layout, torch.memory_format),
)
"""Kinds whose chunks say all about the class already, or where it does not count."""
