"""Where the bulk of a document stands beside it: tensors, arrays and tables.

What is the same is kept once, whoever refers to it. So a state whose best weights are its last is
no larger than its weights, and a file that refers to one tensor a million times stays small.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import safetensors.torch
import torch

from fpipe.codec.archive import damaged
from fpipe.codec.dtypes import array_type, array_type_tree, column_type, column_type_tree
from fpipe.core.bits import tensor_bytes

Array = np.ndarray[Any, Any]

_TENSORS = "tensors.safetensors"
_KEPT = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
"""The dtypes that are kept under their own name; others are kept as bytes."""

DTYPES: Mapping[str, torch.dtype] = {
    str(found): found for found in vars(torch).values() if isinstance(found, torch.dtype)
}
"""Every dtype of torch by its name."""

_MOST_ROWS = 2**32 - 2
"""How many rows polars can count."""


class Writer:
    """Collects tensors, arrays and tables while a document is written."""

    def __init__(self) -> None:
        self._tensors: dict[str, torch.Tensor] = {}
        self._tables: list[bytes] = []
        self._places: dict[Any, int] = {}

    def tensor(self, tensor: torch.Tensor) -> list[Any]:
        """Keep a tensor; return where, its dtype and its shape."""
        shape = list(tensor.shape)
        return [self._keep(tensor_bytes(tensor), tensor.dtype, shape), str(tensor.dtype), shape]

    def array(self, array: Array) -> list[Any]:
        """Keep the bytes of an array; return where, its dtype and its shape."""
        kind = array_type_tree(array.dtype)
        plain = np.ascontiguousarray(array).reshape(array.shape)
        data = (plain if array.dtype.names is None else _unpadded(plain)).tobytes()
        return [self._keep(data, torch.uint8, [len(data)]), kind, list(array.shape)]

    def table(self, columns: list[pl.Series]) -> list[Any]:
        """Keep columns; return where, and their names and types."""
        types = [[column.name, column_type_tree(column.dtype)] for column in columns]
        from fpipe.codec import tables  # noqa: PLC0415  pyarrow is loaded where it is needed

        data = tables.write_table(columns)
        key = hashlib.blake2b(data).digest()
        if key not in self._places:
            self._places[key] = len(self._tables)
            self._tables.append(data)
        return [self._places[key], types]

    def members(self) -> dict[str, bytes]:
        """Return what was kept, by the names that it has in the archive."""
        kept = {} if not self._tensors else {_TENSORS: safetensors.torch.save(self._tensors)}
        return kept | {_table_name(i): data for i, data in enumerate(self._tables)}

    def _keep(self, data: bytes, dtype: torch.dtype, shape: list[int]) -> int:
        key = (str(dtype), tuple(shape), hashlib.blake2b(data).digest())
        if key not in self._places:
            place = len(self._tensors)
            self._places[key] = place
            raw = _from_bytes(data)
            own = raw.view(dtype).reshape(shape) if dtype in _KEPT and data else raw
            self._tensors[str(place)] = own
        return self._places[key]


class Reader:
    """Hands out tensors, arrays and tables while a document is read."""

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self._members = dict(members)
        self._tensors = _loaded(self._members.pop(_TENSORS, None))
        self._unread = set(self._tensors) | set(self._members)
        self._found: dict[Any, Any] = {}

    def tensor(self, place: int, dtype: str, shape: list[int]) -> torch.Tensor:
        """Return a tensor that was kept."""
        kind = DTYPES[dtype]
        key = ("tensor", place, dtype, tuple(shape))
        if key not in self._found:
            raw = self._bytes(place)
            _check_size(shape, kind.itemsize, raw.numel())
            if kind == torch.bool and raw.numel() and int(raw.max()) > 1:
                raise damaged("a truth value is neither true nor false", str(int(raw.max())))
            empty = torch.empty(shape, dtype=kind)
            self._found[key] = raw.view(kind).reshape(shape) if raw.numel() else empty
        found: torch.Tensor = self._found[key]
        return found

    def array(self, place: int, kind: Any, shape: list[int]) -> Array:
        """Return an array that was kept."""
        key = ("array", place, repr(kind), tuple(shape))
        if key not in self._found:
            dtype, raw = array_type(kind), self._bytes(place)
            _check_size(shape, dtype.itemsize, raw.numel())
            made = raw.numpy().view(dtype) if raw.numel() else np.empty(0, dtype)
            _check_cells(made)
            self._found[key] = made.reshape(shape)
        found: Array = self._found[key]
        return found

    def table(self, place: int, types: list[Any]) -> list[pl.Series]:
        """Return columns that were kept."""
        from fpipe.codec import tables  # noqa: PLC0415  pyarrow is loaded where it is needed

        key = ("table", place, repr(types))
        if key not in self._found:
            name = _table_name(place)
            self._unread.discard(name)
            data = self._members[name]
            columns = tables.read_table(data, [column_type(kind) for _, kind in types])
            named = zip(columns, types, strict=True)
            self._found[key] = [column.alias(name) for column, (name, _) in named]
        found: list[pl.Series] = self._found[key]
        return found

    def finish(self) -> None:
        """Raise CodecError where something was kept that the document does not refer to."""
        if self._unread:
            raise damaged("it holds what its document does not refer to", min(self._unread))

    def _bytes(self, place: int) -> torch.Tensor:
        """Return the bytes of what was kept, ``[bytes]`` uint8."""
        found = self._tensors[str(place)]
        self._unread.discard(str(place))
        flat = found.contiguous().reshape(-1)
        return flat.view(torch.uint8) if flat.numel() else torch.empty(0, dtype=torch.uint8)


def frame_of(columns: list[pl.Series], height: int) -> pl.DataFrame:
    """Return columns as a frame of a height (which a frame without columns has too)."""
    if not 0 <= height <= _MOST_ROWS or any(column.len() != height for column in columns):
        raise damaged("a table has another height than declared", f"{height:,} rows")
    named = {column.name: column for column in columns}
    if len(named) < len(columns):
        raise damaged("a table has two columns of one name", ", ".join(named)[:80])
    # By name: from a list of columns polars would rename one that is called "".
    return pl.DataFrame(named) if columns else pl.DataFrame(height=height)


def _table_name(place: int) -> str:
    return f"tables/{place}.arrows"


def _loaded(data: bytes | None) -> dict[str, torch.Tensor]:
    return {} if data is None else safetensors.torch.load(data)


def _from_bytes(data: bytes) -> torch.Tensor:
    if not data:
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _check_size(shape: Any, itemsize: int, size: int) -> None:
    plain = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not plain or len(shape) > 32 or math.prod(shape) * itemsize != size:
        raise damaged("a tensor or array has another size than declared", f"{size:,} bytes")


def _check_cells(array: Array) -> None:
    """Refuse cells that no value of their type has."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check_cells(array[name])
        return
    plain = array.dtype.newbyteorder("=")
    if array.dtype.kind == "b" and array.size and int(array.view(np.uint8).max()) > 1:
        raise damaged("a truth value is neither true nor false", "another byte")
    if array.dtype.kind == "U" and array.size and plain.itemsize:
        codes = np.ascontiguousarray(array).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if int(codes.max()) > 0x10FFFF:
            raise damaged("a text holds what is no character", str(int(codes.max())))


def _unpadded(array: Array) -> Array:
    """Return a structured array with zeros between its fields."""
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names or ():
        held = array[name]
        clean[name] = held if held.dtype.names is None else _unpadded(held)
    return clean


def check_scalar(data: bytes, kind: Any) -> np.generic:
    """Return a NumPy scalar from its bytes.

    Raises:
        CodecError: the bytes are not of its size.
    """
    dtype = array_type(kind)
    if len(data) != dtype.itemsize:
        raise damaged("a number has another size than its type", f"{len(data)} bytes")
    whole = np.frombuffer(bytearray(data), dtype) if data else np.zeros(1, dtype)
    _check_cells(whole)
    found: np.generic = whole[0]
    return found
