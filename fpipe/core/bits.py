"""The bits of leaves: one account of them, read by sameness and by the canonical bytes."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from fpipe.core.errors import CodecError

DtypeTree = tuple[Any, ...]

_AS_TEXT = (pl.String, pl.Categorical, pl.Enum)
_WIDE = (pl.Int128, pl.UInt128, pl.Decimal)


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    r"""Return the elements of a tensor, row by row, wherever and however they are stored.

    Raises:
        CodecError: the tensor is sparse, quantized or holds no data.

    Example:
        >>> tensor_bytes(torch.tensor([[1, 2], [3, 4]], dtype=torch.int8).T)
        b'\x01\x03\x02\x04'
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        raise CodecError(
            "a tensor without plain elements has no bits.",
            expected="a strided tensor with data",
            got=f"{tensor.layout}, {tensor.dtype}, on {tensor.device}",
            fix="make it dense, or leave it out of the value",
        )
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    flat = plain.as_strided((plain.numel(),), (1,))
    return flat.view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def array_chunks(array: NDArray[Any]) -> Iterator[bytes]:
    r"""Yield the elements of an array without object elements, field by field, row by row.

    Example:
        >>> list(array_chunks(np.array([1, 2], np.int8)))
        [b'\x01\x02']
    """
    if array.dtype.names is None:
        yield array.tobytes()
        return
    for name in array.dtype.names:
        yield from array_chunks(array[name])


def column_chunks(column: pl.Series) -> Iterator[bytes]:
    r"""Yield what a column holds: which rows are null, then the values of the others.

    How the column is cut into chunks and what lies under its nulls cannot be seen.

    Raises:
        CodecError: the column holds Python objects.

    Example:
        >>> list(column_chunks(pl.Series([1, None], dtype=pl.Int8)))
        [b'@', b'\x01']
    """
    if column.null_count() == 0:
        yield b""
        yield from _value_chunks(column)
        return
    yield np.packbits(column.is_null().to_numpy()).tobytes()
    yield from _value_chunks(column.drop_nulls())


def dtype_tree(dtype: Any) -> DtypeTree:
    """Return a polars dtype as nested tuples of names and numbers.

    Example:
        >>> dtype_tree(pl.List(pl.Datetime("ms")))
        ('List', ('inner', ('Datetime', ('time_unit', 'ms'), ('time_zone', None))))
    """
    name = dtype.__name__ if isinstance(dtype, type) else type(dtype).__name__
    settings = {} if isinstance(dtype, type) else vars(dtype)
    return (name, *((key, _plain(settings[key])) for key in sorted(settings)))


def moment_text(moment: datetime.datetime | datetime.time) -> str:
    """Return a time with all that tells it from another: clock, fold and zone.

    Example:
        >>> moment_text(datetime.time(12, 30))
        '12:30:00 0 '
    """
    zone = moment.tzinfo
    kind = "" if zone is None else f"{type(zone).__module__}.{type(zone).__qualname__}:{zone}"
    return f"{moment.isoformat()} {moment.fold} {kind}"


def _value_chunks(column: pl.Series) -> Iterator[bytes]:
    dtype = column.dtype
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            yield from column_chunks(column.struct.field(field.name))
    elif isinstance(dtype, pl.List | pl.Array):
        yield from _list_chunks(column.arr.to_list() if isinstance(dtype, pl.Array) else column)
    elif isinstance(dtype, _AS_TEXT):
        yield from _text_chunks(column.cast(pl.String))
    elif isinstance(dtype, _WIDE):
        yield from _text_chunks(column.to_physical().cast(pl.String))
    else:
        yield from _flat_chunks(column)


def _list_chunks(column: pl.Series) -> Iterator[bytes]:
    lengths = column.list.len()
    yield _numbers(lengths.cast(pl.UInt64))
    yield from column_chunks(column.filter(lengths > 0).explode())


def _text_chunks(column: pl.Series) -> Iterator[bytes]:
    yield _numbers(column.str.len_bytes().cast(pl.UInt64))
    yield str(column.str.join("").item()).encode()


def _flat_chunks(column: pl.Series) -> Iterator[bytes]:
    dtype = column.dtype
    if dtype == pl.Null:
        return
    if dtype == pl.Binary:
        yield _numbers(column.bin.size().cast(pl.UInt64))
        yield b"".join(column.to_list())
    elif dtype == pl.Boolean:
        yield np.packbits(column.to_numpy()).tobytes()
    elif dtype.is_numeric() or dtype.is_temporal():
        yield _numbers(column.to_physical())
    else:
        raise CodecError(
            f"a column of {dtype} has no bits.",
            expected="a column of numbers, text, times, or lists and structs of them",
            got=f"column '{column.name}': {dtype}",
            fix="turn the column into numbers or text",
        )


def _numbers(column: pl.Series) -> bytes:
    array = column.to_numpy()
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _plain(setting: Any) -> Any:
    if isinstance(setting, pl.Series):
        return tuple(setting.to_list())
    if isinstance(setting, pl.Categories):
        return (setting.name(), setting.namespace(), dtype_tree(setting.physical()))
    if isinstance(setting, pl.Field):
        return (setting.name, dtype_tree(setting.dtype))
    if isinstance(setting, list | tuple):
        return tuple(map(_plain, setting))
    is_dtype = isinstance(setting, pl.DataType | type(pl.DataType))
    return dtype_tree(setting) if is_dtype else setting
