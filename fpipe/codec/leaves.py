"""Leaves of a document: everything without parts, as JSON with the name of its kind."""

from __future__ import annotations

import base64
import datetime
import enum
import pathlib
import re
import struct
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch

from fpipe.codec.archive import damaged
from fpipe.codec.dtypes import array_type, array_type_tree, column_type, column_type_tree
from fpipe.codec.store import Reader, Writer, check_scalar, frame_of
from fpipe.codec.trust import Catalogue, resolve, type_name, type_of
from fpipe.core.errors import CodecError
from fpipe.core.parameter import REQUIRED

_SAFE = 2**63
_HEX = re.compile(r"-?[0-9a-f]{1,100000}")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_NONE = object()


def write_leaf(value: Any, store: Writer) -> Any:
    """Return a leaf as JSON, or `NO_LEAF` where the value has parts or is of an unknown kind."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind in _EXACT:
        return _EXACT[kind](value)
    if value is REQUIRED:
        return {"required": True}
    for kinds, tag, write in _WRITTEN:
        if isinstance(value, kinds):
            return {tag: write(value, store)}
    return NO_LEAF


def read_leaf(tag: str, given: Any, store: Reader, catalogue: Catalogue) -> Any:
    """Return the leaf of a tag, or `NO_LEAF` where the tag is none of a leaf.

    Raises:
        Exception: what is given is not what was written (any kind of error).
    """
    if tag in _STORED:
        return _STORED[tag](given, store)
    if tag in _CODE:
        return _CODE[tag](given, catalogue)
    return _READ[tag](given) if tag in _READ else NO_LEAF


NO_LEAF: Any = _NONE
"""Stands for a value that is no leaf."""


def is_text(value: Any) -> bool:
    """Tell whether a value is text that JSON can hold as it is."""
    return type(value) is str and (value.isascii() or not _has_surrogates(value))


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def _text(value: str) -> Any:
    if is_text(value):
        return value
    return {"text": _base64(value.encode("utf-8", "surrogatepass"))}


def _integer(value: int) -> Any:
    return value if -_SAFE <= value < _SAFE else {"int": f"{value:x}"}


def _real(value: float) -> Any:
    if value - value == 0.0:
        return value
    return {"float": struct.pack(">d", value).hex()}


def _read_real(given: str) -> float:
    found: float = struct.unpack(">d", bytes.fromhex(given))[0]
    return found


def _read_integer(given: str) -> int:
    if not _HEX.fullmatch(given):
        raise damaged("an integer has no digits", given[:20])
    return int(given, 16)


def _complex(value: complex) -> Any:
    return {"complex": struct.pack(">dd", value.real, value.imag).hex()}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read_base64(given: str) -> bytes:
    return base64.b64decode(given, validate=True)


def _zone(zone: datetime.tzinfo | None) -> Any:
    if zone is None:
        return None
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return ["zone", zone.key]
    if type(zone) is datetime.timezone:
        return ["offset", zone.utcoffset(None) // datetime.timedelta(microseconds=1), str(zone)]
    raise CodecError(
        f"the time zone {zone!r} cannot be written.",
        expected="a zoneinfo.ZoneInfo or a datetime.timezone",
        got=type(zone).__name__,
        fix="use zoneinfo.ZoneInfo",
    )


def _read_zone(given: Any) -> datetime.tzinfo | None:
    if given is None:
        return None
    if given[0] == "zone" and _ZONE.fullmatch(given[1]):
        return zoneinfo.ZoneInfo(given[1])
    offset = datetime.timedelta(microseconds=given[1])
    plain = datetime.timezone(offset)
    if given[2] == str(datetime.UTC) and not offset:
        return datetime.UTC
    return plain if str(plain) == given[2] else datetime.timezone(offset, given[2])


def _moment(value: Any, store: Writer) -> Any:
    return [value.replace(tzinfo=None).isoformat(), value.fold, _zone(value.tzinfo)]


def _read_moment(kind: Any) -> Callable[[Any], Any]:
    return lambda given: kind.fromisoformat(given[0]).replace(
        fold=given[1], tzinfo=_read_zone(given[2])
    )


def _span(value: datetime.timedelta, store: Writer) -> Any:
    return [value.days, value.seconds, value.microseconds]


def _frame(value: pl.DataFrame, store: Writer) -> Any:
    columns = value.get_columns()
    return [value.height, *(store.table(columns) if columns else [])]


def _read_frame(given: Any, store: Reader) -> pl.DataFrame:
    height, *rest = given
    return frame_of(store.table(*rest) if rest else [], height)


def _read_column(given: Any, store: Reader) -> pl.Series:
    (column,) = store.table(*given)
    return column


def _array(value: np.ndarray[Any, Any], store: Writer) -> Any:
    if isinstance(value, np.ma.MaskedArray):
        raise CodecError(
            "a masked array cannot be written.",
            expected="an array",
            got="MaskedArray",
            fix="hold its data and its mask",
        )
    return store.array(value)


def _member(value: enum.Enum, store: Writer) -> Any:
    return [type_name(type(value)), value.name if value.name is not None else value.value]


def _read_member(given: Any, catalogue: Catalogue) -> enum.Enum:
    name, member = given
    cls = resolve(name, catalogue) if ":" in name else type_of(name, catalogue)
    if not (isinstance(cls, type) and issubclass(cls, enum.Enum)):
        raise damaged("a member belongs to no enumeration", name[:80])
    return cls[member] if isinstance(member, str) else cls(member)


def _read_class(given: str, catalogue: Catalogue) -> type:
    found = resolve(given, catalogue) if ":" in given else type_of(given, catalogue)
    if not isinstance(found, type):
        raise damaged("what should be a class is none", given[:80])
    return found


_TORCH: dict[str, Any] = {
    str(found): found
    for found in vars(torch).values()
    if isinstance(found, torch.dtype | torch.layout | torch.memory_format)
}

_PATHS = {
    cls.__name__: cls
    for cls in (
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
        pathlib.PosixPath,
        pathlib.WindowsPath,
    )
}

_EXACT: dict[type, Callable[[Any], Any]] = {
    int: _integer,
    float: _real,
    str: _text,
    complex: _complex,
    bytes: lambda value: {"bytes": _base64(value)},
}
"""Plain leaves, by their very class: an instance of a subclass is no such leaf."""

_WRITTEN: tuple[tuple[Any, str, Callable[[Any, Writer], Any]], ...] = (
    (enum.Enum, "member", _member),
    (torch.Tensor, "tensor", lambda value, store: store.tensor(value)),
    (np.ndarray, "array", _array),
    (np.generic, "scalar", lambda v, _: [array_type_tree(v.dtype), v.tobytes().hex()]),
    (pl.DataFrame, "frame", _frame),
    (pl.Series, "column", lambda value, store: store.table([value])),
    (pl.DataType, "polars", lambda value, _: column_type_tree(value)),
    ((torch.dtype, torch.layout, torch.memory_format), "torch", lambda value, _: str(value)),
    (torch.device, "device", lambda value, _: str(value)),
    (np.dtype, "dtype", lambda value, _: array_type_tree(value)),
    (type, "class", lambda value, _: type_name(value)),
    (datetime.datetime, "datetime", _moment),
    (datetime.date, "date", lambda value, _: value.isoformat()),
    (datetime.time, "time", _moment),
    (datetime.timedelta, "timedelta", _span),
    (pathlib.PurePath, "path", lambda value, _: [type(value).__name__, str(value)]),
)

_STORED: dict[str, Callable[[Any, Reader], Any]] = {
    "tensor": lambda given, store: store.tensor(*given),
    "array": lambda given, store: store.array(*given),
    "frame": _read_frame,
    "column": _read_column,
}

_CODE: dict[str, Callable[[Any, Catalogue], Any]] = {
    "member": _read_member,
    "class": _read_class,
}

_READ: dict[str, Callable[[Any], Any]] = {
    "required": lambda _: REQUIRED,
    "text": lambda given: _read_base64(given).decode("utf-8", "surrogatepass"),
    "int": _read_integer,
    "float": _read_real,
    "complex": lambda given: complex(*struct.unpack(">dd", bytes.fromhex(given))),
    "bytes": _read_base64,
    "scalar": lambda given: check_scalar(bytes.fromhex(given[1]), given[0]),
    "polars": column_type,
    "torch": lambda given: _TORCH[given],
    "device": torch.device,
    "dtype": array_type,
    "datetime": _read_moment(datetime.datetime),
    "date": datetime.date.fromisoformat,
    "time": _read_moment(datetime.time),
    "timedelta": lambda given: datetime.timedelta(*given),
    "path": lambda given: _PATHS[given[0]](given[1]),
}
