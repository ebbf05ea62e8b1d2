"""Columns as Arrow: the same bytes for the same content, and nothing believed when they are read.

What lies under a null, how a column is cut into chunks and where an offset begins can be told from
no bytes: every buffer is written anew. Types that Arrow lacks are kept in one that it has; the true
type of a column stands in the document.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fpipe.codec.archive import damaged

Mask = NDArray[np.bool_] | None

_YEARS = 200_000
_SECONDS = _YEARS * 31_556_952
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_V5 = 4
"""The version of Arrow's metadata that is written and read."""


def write_table(columns: list[pl.Series]) -> bytes:
    """Return columns of one height as an Arrow stream.

    Raises:
        CodecError: a column holds times that cannot be shown.

    Example:
        >>> column = pl.Series("x", [1, None])
        >>> read_table(write_table([column]), [column.dtype])[0].to_list()
        [1, None]
    """
    arrays = [_stored(column) for column in columns]
    batch = pa.RecordBatch.from_arrays(arrays, [str(i) for i in range(len(arrays))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read_table(data: bytes, dtypes: list[pl.DataType]) -> list[pl.Series]:
    """Return the columns of an Arrow stream; they must be of the given types.

    Raises:
        CodecError: the bytes are no such stream, or what they declare does not hold.
    """
    source = pa.BufferReader(data)
    _check_messages(list(pa.ipc.MessageReader.open_stream(source)))
    source.seek(0)
    with pa.ipc.open_stream(source) as reader:
        fields = [pa.field(str(i), _storage(dtype)) for i, dtype in enumerate(dtypes)]
        if not reader.schema.equals(pa.schema(fields), check_metadata=True):
            raise damaged("a table has other columns than declared", str(reader.schema))
        batch = reader.read_next_batch()
    batch.validate(full=True)
    return [_read(array, dtype) for array, dtype in zip(batch.columns, dtypes, strict=True)]


def check_stream(data: bytes) -> None:
    """Raise where bytes are no sound Arrow stream, before something less careful reads them."""
    source = pa.BufferReader(data)
    for message in pa.ipc.MessageReader.open_stream(source):
        if message.type == "record batch":
            _check_plain(message.metadata.to_pybytes())
    source.seek(0)
    with pa.ipc.open_stream(source) as reader:
        for batch in reader:
            batch.validate(full=True)


def _check_messages(messages: list[Any]) -> None:
    """Refuse what is not one schema and one batch, and what would grow when it is read."""
    if [message.type for message in messages] != ["schema", "record batch"]:
        raise damaged("a table is no single batch", f"{len(messages)} messages")
    _check_plain(messages[1].metadata.to_pybytes())


def _check_plain(head: bytes) -> None:
    root = _table(head, 0)
    version, extra = root.get(0), root.get(4)
    batch = _table(head, root[2] + struct.unpack_from("<I", head, root[2])[0], root=False)
    if version is None or struct.unpack_from("<h", head, version)[0] != _V5 or extra is not None:
        raise damaged("a table has another version of Arrow's metadata", "not version 5")
    if 3 in batch:
        raise damaged("a table is compressed", "not plain buffers")


def _table(data: bytes, at: int, *, root: bool = True) -> dict[int, int]:
    """Return where the fields of a flatbuffers table stand, by number.

    Args:
        data: the whole buffer.
        at: where the table stands, or with ``root`` what points to it.
        root: whether this is the outermost table.

    Source:
        FlatBuffers, *Internals*: a table begins with the distance to its vtable, which holds its
        own size, the table's, and the place of every field (0 where it is absent).
    """
    place = at + struct.unpack_from("<I", data, at)[0] if root else at
    vtable = place - struct.unpack_from("<i", data, place)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    count = (size - 4) // 2
    starts = struct.unpack_from(f"<{count}H", data, vtable + 4)
    return {number: place + start for number, start in enumerate(starts) if start}


def _storage(dtype: pl.DataType) -> Any:
    """Return the Arrow type that columns of a type are kept in."""
    if isinstance(dtype, pl.Struct):
        members = [(str(i), _storage(_of(f.dtype))) for i, f in enumerate(dtype.fields)]
        # A struct without fields would be a number of rows that nothing stands for.
        return pa.struct(members) if members else pa.bool_()
    found = _PLAIN.get(type(dtype))
    return _SET[type(dtype)](dtype) if found is None else found


def _codes_type(dtype: pl.Enum) -> pl.DataType:
    return pl.Series([], dtype=dtype).to_physical().dtype


def _inner(dtype: pl.List | pl.Array) -> pl.DataType:
    return _of(dtype.inner)


def _of(dtype: Any) -> pl.DataType:
    """Return a dtype as an instance, where only its class was given."""
    made: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return made


# ---------------------------------------------------------------- writing


def _stored(column: pl.Series) -> Any:
    """Return a column as an Arrow array whose buffers depend on its content alone."""
    dtype, count = column.dtype, column.len()
    valid = None if column.null_count() == 0 else column.is_not_null().to_numpy()
    mask = None if valid is None else _packed(valid)
    kind = _storage(dtype)
    if isinstance(dtype, pl.List | pl.Array | pl.Struct) and kind != pa.bool_():
        return _stored_nested(column, kind, valid, mask)
    if kind == pa.large_string():
        return pa.Array.from_buffers(kind, count, [mask, *_text_buffers(column)])
    if kind == pa.large_binary():
        cells = column.fill_null(b"")
        sizes = cells.bin.size()
        return pa.Array.from_buffers(
            kind, count, [mask, _offsets(sizes), pa.py_buffer(b"".join(cells.to_list()))]
        )
    if kind == pa.bool_():
        held = _truths(column) if isinstance(dtype, pl.Boolean) else np.zeros(count, bool)
        mask = None if isinstance(dtype, pl.Null) else mask
        return pa.Array.from_buffers(kind, count, [mask, _packed(held)])
    made = pa.Array.from_buffers(kind, count, [mask, _numbers(column)])
    check_shown(made)
    return made


def _stored_nested(column: pl.Series, kind: Any, valid: Mask, mask: Any) -> Any:
    dtype, count = column.dtype, column.len()
    whole = column if valid is None else column.drop_nulls()
    if isinstance(dtype, pl.List):
        sizes = column.list.len().fill_null(0)
        below = _stored(whole.filter(whole.list.len() > 0).explode())
        return pa.Array.from_buffers(kind, count, [mask, _offsets(sizes)], children=[below])
    if isinstance(dtype, pl.Array):
        inner = _spread(whole.explode(), valid, dtype.size)
        return pa.Array.from_buffers(kind, count, [mask], children=[_stored(inner)])
    assert isinstance(dtype, pl.Struct)
    fields = [_spread(whole.struct.field(f.name), valid, 1) for f in dtype.fields]
    return pa.Array.from_buffers(kind, count, [mask], children=[_stored(f) for f in fields])


def _spread(members: pl.Series, valid: Mask, width: int) -> pl.Series:
    """Return the members of the rows that are there, with nulls for those of the others."""
    if valid is None:
        return members
    there = np.repeat(valid, width)
    places = pl.Series(np.cumsum(there) - 1)
    return members.gather(places.zip_with(pl.Series(there), pl.Series([None], dtype=pl.Int64)))


def _truths(column: pl.Series) -> NDArray[np.bool_]:
    return column.fill_null(False).to_numpy()


def _text_buffers(column: pl.Series) -> tuple[Any, Any]:
    plain = column.to_physical() if column.dtype in (pl.Int128, pl.UInt128) else column
    cells = plain.cast(pl.String).fill_null("")
    text = str(cells.str.join("").item()).encode()
    return _offsets(cells.str.len_bytes()), pa.py_buffer(text)


def _numbers(column: pl.Series) -> Any:
    if isinstance(column.dtype, pl.Decimal):
        array = column.fill_null(0).rechunk().to_arrow()
        start = 16 * array.offset
        return array.buffers()[1].slice(start, 16 * len(array))
    held = column.to_physical()
    cells = held.fill_null(0.0 if held.dtype.is_float() else 0).to_numpy()
    return pa.py_buffer(np.ascontiguousarray(cells.astype(cells.dtype.newbyteorder("<"))))


def _offsets(sizes: pl.Series) -> Any:
    ends = np.cumsum(sizes.to_numpy().astype(np.int64))
    return pa.py_buffer(np.concatenate([np.zeros(1, np.int64), ends]))


def _packed(truths: NDArray[np.bool_]) -> Any:
    return pa.py_buffer(np.packbits(truths, bitorder="little"))


# ---------------------------------------------------------------- reading


def _read(array: Any, dtype: pl.DataType) -> pl.Series:
    made = pl.Series(_logical(array, dtype))
    return made if made.dtype == dtype else made.cast(dtype)


def _logical(array: Any, dtype: pl.DataType) -> Any:
    """Return an array of storage as one that polars reads as the type, or nearly so."""
    if isinstance(dtype, pl.Null):
        return pa.nulls(len(array))
    if isinstance(dtype, pl.Enum):
        levels = pa.array(list(dtype.categories), pa.large_string())
        # A code without a level is refused here.
        return pa.DictionaryArray.from_arrays(array, levels, safe=True)
    if isinstance(dtype, pl.List):
        below = _logical(array.values, _inner(dtype))
        return _rebuilt(array, pa.large_list(below.type), [below])
    if isinstance(dtype, pl.Array):
        below = _logical(array.values, _inner(dtype))
        return _rebuilt(array, pa.list_(below.type, dtype.size), [below])
    if isinstance(dtype, pl.Struct) and not dtype.fields:
        return pa.Array.from_buffers(pa.struct([]), len(array), [_mask(array)], children=[])
    if isinstance(dtype, pl.Struct):
        of = [_of(field.dtype) for field in dtype.fields]
        below = [_logical(array.field(i), one) for i, one in enumerate(of)]
        named = zip(dtype.fields, below, strict=True)
        return _rebuilt(array, pa.struct([pa.field(f.name, b.type) for f, b in named]), below)
    check_shown(array)
    return array


def _rebuilt(array: Any, kind: Any, children: list[Any]) -> Any:
    own = 2 if isinstance(kind, pa.LargeListType) else 1
    buffers = array.buffers()[:own]
    return pa.Array.from_buffers(kind, len(array), buffers, offset=array.offset, children=children)


def _mask(array: Any) -> Any:
    return array.buffers()[0]


def check_shown(array: Any) -> None:
    """Raise CodecError where a time lies where no calendar reaches: showing it would fail."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        most = _SECONDS * _PER_SECOND[kind.unit]
        _check_between(array.view(pa.int64()), -most, most)
    elif pa.types.is_date32(kind):
        _check_between(array.view(pa.int32()), -_YEARS * 365, _YEARS * 365)
    elif pa.types.is_time64(kind):
        _check_between(array.view(pa.int64()), 0, 86_400 * 10**9 - 1)
    elif pa.types.is_duration(kind):
        _check_between(array.view(pa.int64()), 1 - 2**63, 2**63 - 1)


def _check_between(numbers: Any, low: int, high: int) -> None:
    found = pc.min_max(numbers).as_py()
    least, most = found["min"], found["max"]
    if least is not None and not (low <= least and most <= high):
        raise damaged(f"a time lies outside {_YEARS:,} years", f"{least} to {most}")


_PLAIN: dict[Any, Any] = {
    pl.Int8: pa.int8(),
    pl.Int16: pa.int16(),
    pl.Int32: pa.int32(),
    pl.Int64: pa.int64(),
    pl.UInt8: pa.uint8(),
    pl.UInt16: pa.uint16(),
    pl.UInt32: pa.uint32(),
    pl.UInt64: pa.uint64(),
    pl.Float16: pa.float16(),
    pl.Float32: pa.float32(),
    pl.Float64: pa.float64(),
    pl.Boolean: pa.bool_(),
    pl.Null: pa.bool_(),
    pl.String: pa.large_string(),
    pl.Categorical: pa.large_string(),
    pl.Int128: pa.large_string(),
    pl.UInt128: pa.large_string(),
    pl.Binary: pa.large_binary(),
    pl.Date: pa.date32(),
    pl.Time: pa.time64("ns"),
}
"""The storage of types without settings, or whose settings the document holds."""

_SET: dict[Any, Callable[[Any], Any]] = {
    pl.Enum: lambda dtype: _PLAIN[type(_codes_type(dtype))],
    pl.List: lambda dtype: pa.large_list(_storage(_inner(dtype))),
    pl.Array: lambda dtype: pa.list_(_storage(_inner(dtype)), dtype.size),
    pl.Decimal: lambda dtype: pa.decimal128(dtype.precision, dtype.scale),
    pl.Datetime: lambda dtype: pa.timestamp(dtype.time_unit, dtype.time_zone),
    pl.Duration: lambda dtype: pa.duration(dtype.time_unit),
}
"""The storage of types by their settings."""
