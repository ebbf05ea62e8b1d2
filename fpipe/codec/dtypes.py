"""Column types and array types as plain lists, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from fpipe.core.errors import CodecError

Tree = Any
"""A type as JSON: a list of its name and its settings."""

_SIMPLE: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128),
        *(pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.UInt128),
        *(pl.Float16, pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Binary),
        *(pl.Date, pl.Time, pl.Null),
    )
}

_WIDEST = 2**31 - 1
_DEEPEST = 32
_ARRAY = re.compile(r"[<>|]([?biufcSUV]\d{1,9}|[mM]8(\[[0-9a-zA-Z]{1,20}\])?)")


def column_type_tree(dtype: Any) -> Tree:
    """Return a polars dtype as plain lists.

    Raises:
        CodecError: columns of this type cannot be written.

    Example:
        >>> column_type_tree(pl.List(pl.Enum(["a", "b"])))
        ['List', ['Enum', ['a', 'b']]]
    """
    if isinstance(dtype, type):
        dtype = dtype()
    name = type(dtype).__name__
    if name in _SIMPLE:
        return [name]
    if name not in _WRITTEN or (isinstance(dtype, pl.Array) and dtype.size == 0):
        raise CodecError(
            f"a column of type {dtype} cannot be written.",
            expected="numbers, text, truth values, times, levels, or lists and structs of them",
            got=str(dtype),
            fix="cast the column, or leave it out",
        )
    return [name, *_WRITTEN[name](dtype)]


def column_type(tree: Tree, depth: int = 0) -> pl.DataType:
    """Return the polars dtype of plain lists.

    Raises:
        CodecError: they are no dtype.

    Example:
        >>> column_type(["Datetime", "ms", None])
        Datetime(time_unit='ms', time_zone=None)
    """
    if isinstance(tree, list) and tree and depth < _DEEPEST:
        name, settings = tree[0], tree[1:]
        if isinstance(name, str) and name in _SIMPLE and not settings:
            return _SIMPLE[name]()  # type: ignore[no-any-return]
        if isinstance(name, str) and name in _READ:
            return _READ[name](depth + 1, *settings)
    raise _no_type(tree)


def array_type_tree(dtype: np.dtype[Any]) -> Tree:
    """Return a NumPy dtype as text, or as lists where it has fields.

    Raises:
        CodecError: it holds Python objects or is unknown.

    Example:
        >>> array_type_tree(np.dtype([("a", "<f4"), ("b", "|i1")]))
        ['fields', 5, [['a', '<f4', 0], ['b', '|i1', 4]]]
    """
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return ["many", array_type_tree(inner), list(shape)]
    if dtype.names is not None and dtype.fields is not None:
        places = [(name, *dtype.fields[name][:2]) for name in dtype.names]
        fields = [[name, array_type_tree(inner), start] for name, inner, start in places]
        return ["fields", dtype.itemsize, fields]
    if not _ARRAY.fullmatch(dtype.str):
        raise CodecError(
            f"an array of {dtype} cannot be written.",
            expected="numbers, truth values, text, bytes or times",
            got=dtype.str,
            fix="turn it into an array of numbers",
        )
    return dtype.str


def array_type(tree: Tree, depth: int = 0) -> np.dtype[Any]:
    """Return the NumPy dtype of what `array_type_tree` gave.

    Raises:
        CodecError: it is no dtype.
    """
    if isinstance(tree, str) and _ARRAY.fullmatch(tree):
        return np.dtype(tree)
    if isinstance(tree, list) and len(tree) == 3 and depth < _DEEPEST:
        if tree[0] == "many":
            return np.dtype((array_type(tree[1], depth + 1), tuple(tree[2])))
        if tree[0] == "fields":
            names, inner, starts = zip(*tree[2], strict=True) if tree[2] else ((), (), ())
            formats = [array_type(one, depth + 1) for one in inner]
            _check_offsets(formats, starts, tree[1])
            return np.dtype(
                {
                    "names": list(names),
                    "formats": formats,
                    "offsets": list(starts),
                    "itemsize": tree[1],
                }
            )
    raise _no_type(tree)


def _check_offsets(formats: list[np.dtype[Any]], starts: tuple[Any, ...], size: Any) -> None:
    """Refuse fields that overlap or reach beyond the item."""
    end = 0
    for inner, start in sorted(zip(formats, starts, strict=True), key=lambda pair: pair[1]):
        if type(start) is not int or start < end:
            raise _no_type(start)
        end = start + inner.itemsize
    if type(size) is not int or size < end:
        raise _no_type(size)


def _no_type(tree: Tree) -> CodecError:
    return CodecError(
        "the file names a type of columns or arrays that is unknown.",
        expected="a type that fp.save writes",
        got=repr(tree)[:80],
        fix="take another copy of the file",
    )


def _categories(dtype: Any) -> list[Any]:
    categories = dtype.categories
    physical = column_type_tree(categories.physical()())
    return [categories.name(), categories.namespace(), physical]


def _categorical(depth: int, name: Any, namespace: Any, physical: Any) -> pl.DataType:
    _check(name == "" or isinstance(name, str), isinstance(namespace, str))
    plain = pl.Categorical()
    if _categories(plain) == [name, namespace, physical]:
        return plain
    kind = type(column_type(physical, depth))
    return pl.Categorical(pl.Categories(name, namespace=namespace, physical=kind))


def _enum(depth: int, levels: Any) -> pl.DataType:
    _check(isinstance(levels, list), all(isinstance(x, str) for x in levels))
    return pl.Enum(levels)


def _struct(depth: int, fields: Any) -> pl.DataType:
    _check(isinstance(fields, list), len({name for name, _ in fields}) == len(fields))
    return pl.Struct([pl.Field(_text(name), column_type(of, depth)) for name, of in fields])


def _array(depth: int, inner: Any, width: Any) -> pl.DataType:
    _check(type(width) is int, 0 < width <= _WIDEST)
    return pl.Array(column_type(inner, depth), width)


def _decimal(depth: int, precision: Any, scale: Any) -> pl.DataType:
    _check(type(precision) is int, type(scale) is int, 0 <= scale <= precision <= 38, precision > 0)
    return pl.Decimal(precision, scale)


def _datetime(depth: int, unit: Any, zone: Any) -> pl.DataType:
    _check(unit in ("ms", "us", "ns"), zone is None or isinstance(zone, str))
    made = pl.Datetime(unit, zone)
    if zone is not None:
        # polars looks up the zone when it is first used; better now than at the first print.
        str(pl.Series([0]).cast(made))
    return made


def _duration(depth: int, unit: Any) -> pl.DataType:
    _check(unit in ("ms", "us", "ns"))
    return pl.Duration(unit)


def _text(name: Any) -> str:
    _check(isinstance(name, str))
    return str(name)


def _check(*facts: bool) -> None:
    if not all(facts):
        raise _no_type("settings of another type")


_WRITTEN: dict[str, Callable[[Any], list[Any]]] = {
    "Enum": lambda d: [list(d.categories)],
    "Categorical": _categories,
    "List": lambda d: [column_type_tree(d.inner)],
    "Array": lambda d: [column_type_tree(d.inner), d.size],
    "Struct": lambda d: [[[f.name, column_type_tree(f.dtype)] for f in d.fields]],
    "Decimal": lambda d: [d.precision, d.scale],
    "Datetime": lambda d: [d.time_unit, d.time_zone],
    "Duration": lambda d: [d.time_unit],
}

_READ: dict[str, Callable[..., pl.DataType]] = {
    "Enum": _enum,
    "Categorical": _categorical,
    "List": lambda depth, inner: pl.List(column_type(inner, depth)),
    "Array": _array,
    "Struct": _struct,
    "Decimal": _decimal,
    "Datetime": _datetime,
    "Duration": _duration,
}
