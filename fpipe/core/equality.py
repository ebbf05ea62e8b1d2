"""The two equalities: ``same`` to the bit, ``close`` within a tolerance."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch

from fpipe.core.bits import array_chunks, column_chunks, dtype_tree, moment_text, tensor_bytes
from fpipe.core.tree import parts


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are the same: type, structure, dtype, shape and bits.

    NaN is the same as NaN with the same bits, ``0.0`` is not the same as ``-0.0``. Device,
    strides, frame chunks and the order of maps do not count; column order does.

    Example:
        >>> import torch
        >>> same({"a": torch.tensor([0.0])}, {"a": torch.tensor([-0.0])})
        False
        >>> same((1, 2.0), (1, 2.0))
        True
    """
    return _compare(left, right, _same_leaf)


def close(left: Any, right: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Tell whether two values have the same structure and numbers within a tolerance.

    ``|left - right| <= atol + rtol * |right|`` for every floating number; all else as in `same`.

    Args:
        left: any value.
        right: any value.
        rtol: relative tolerance, no unit.
        atol: absolute tolerance, in the unit of the numbers.

    Example:
        >>> close((1.0, "a"), (1.0 + 1e-9, "a")), close((1.0,), (1.1,))
        (True, False)
    """
    return _compare(left, right, lambda a, b: _close_leaf(a, b, rtol, atol))


def hash_of(value: Any) -> int:
    """Return a hash that agrees with `same` for values without tensors or tables."""
    if _own_equality(value):
        return hash(value)
    found = parts(value)
    if found is None:
        return hash(_bits(value)) if isinstance(value, float | complex) else hash(value)
    keys, children = map(hash_of, found.keys), map(hash_of, found.children)
    return hash((type(value).__qualname__, tuple(keys), tuple(children)))


def _compare(left: Any, right: Any, leaf: Callable[[Any, Any], bool]) -> bool:
    pairs = [(left, right)]
    while pairs:
        a, b = pairs.pop()
        if a is b:
            continue
        below = _pairs_below(a, b, leaf)
        if below is None:
            return False
        pairs.extend(below)
    return True


def _pairs_below(a: Any, b: Any, leaf: Callable[[Any, Any], bool]) -> list[tuple[Any, Any]] | None:
    """Return what is left to compare when two values agree at the top, else None."""
    if type(a) is not type(b) and not (_is_tensor(a) and _is_tensor(b)):
        return None
    if _own_equality(a):
        return [] if a == b else None
    first, second = parts(a), parts(b)
    if first is None or second is None:
        return [] if leaf(a, b) else None
    if not _same_keys(first.keys, second.keys):
        return None
    return list(zip(first.children, second.children, strict=True))


def _same_keys(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    """Tell whether keys are the same; ``1``, ``1.0`` and ``True`` are three keys."""
    if len(left) != len(right):
        return False
    return all(
        a == b if type(a) is type(b) is str else _compare(a, b, _same_leaf)
        for a, b in zip(left, right, strict=True)
    )


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _own_equality(value: Any) -> bool:
    return bool(getattr(type(value), "equals_only_itself", False))


def _same_leaf(a: Any, b: Any) -> bool:
    for kind, same_kind in _SAME:
        if isinstance(a, kind):
            return same_kind(a, b)
    return bool(a == b)


def _same_tensor(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and tensor_bytes(a) == tensor_bytes(b)


def _same_array(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.hasobject:
        return same(a.tolist(), b.tolist())
    return all(map(bytes.__eq__, array_chunks(a), array_chunks(b)))


def _same_scalar(a: np.generic, b: np.generic) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _same_frame(a: pl.DataFrame, b: pl.DataFrame) -> bool:
    if a.height != b.height or a.columns != b.columns:
        return False
    return all(map(same_series, a.get_columns(), b.get_columns()))


def same_series(a: pl.Series, b: pl.Series) -> bool:
    """Tell whether two columns hold the same values, to the bit (names do not count)."""
    if a.len() != b.len() or dtype_tree(a.dtype) != dtype_tree(b.dtype):
        return False
    if a.dtype == pl.Object:
        return same(a.to_list(), b.to_list())
    return all(map(bytes.__eq__, column_chunks(a), column_chunks(b)))


def _close_leaf(a: Any, b: Any, rtol: float, atol: float) -> bool:
    for kind, close_kind in _CLOSE:
        if isinstance(a, kind):
            return close_kind(a, b, rtol, atol)
    return _same_leaf(a, b)


def _close_tensor(a: torch.Tensor, b: torch.Tensor, rtol: float, atol: float) -> bool:
    if not (a.is_floating_point() or a.is_complex()):
        return _same_tensor(a, b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return torch.allclose(a.detach().cpu(), b.detach().cpu(), rtol, atol, equal_nan=True)


def _close_array(a: Any, b: Any, rtol: float, atol: float) -> bool:
    """Compare arrays or scalars of NumPy."""
    if a.dtype.kind not in "fc":
        return _same_leaf(a, b)
    alike = a.dtype == b.dtype and a.shape == b.shape
    return alike and bool(np.allclose(a, b, rtol, atol, equal_nan=True))


def _close_number(a: complex, b: complex, rtol: float, atol: float) -> bool:
    return bool(np.isclose(a, b, rtol, atol, equal_nan=True))


def _close_frame(a: pl.DataFrame, b: pl.DataFrame, rtol: float, atol: float) -> bool:
    if a.columns != b.columns or a.height != b.height:
        return False
    pairs = zip(a.get_columns(), b.get_columns(), strict=True)
    return all(_close_series(x, y, rtol, atol) for x, y in pairs)


def _close_series(a: pl.Series, b: pl.Series, rtol: float, atol: float) -> bool:
    if a.name != b.name:
        return False
    alike = a.dtype == b.dtype and a.len() == b.len()
    if not alike or not (a.dtype.is_float() or isinstance(a.dtype, pl.Array)):
        return same_series(a, b)
    if not bool((a.is_null() == b.is_null()).all()):
        return False
    if isinstance(a.dtype, pl.Array):
        return _close_series(a.drop_nulls().explode(), b.drop_nulls().explode(), rtol, atol)
    left, right = a.fill_null(0.0).to_numpy(), b.fill_null(0.0).to_numpy()
    return bool(np.allclose(left, right, rtol, atol, equal_nan=True))


def _bits(number: complex) -> bytes:
    return struct.pack("<dd", number.real, number.imag)


_SAME: tuple[tuple[Any, Callable[[Any, Any], bool]], ...] = (
    (torch.Tensor, _same_tensor),
    (np.ndarray, _same_array),
    (np.generic, _same_scalar),
    (pl.DataFrame, _same_frame),
    (pl.Series, lambda a, b: a.name == b.name and same_series(a, b)),
    (pl.DataType, lambda a, b: dtype_tree(a) == dtype_tree(b)),
    ((float, complex), lambda a, b: _bits(a) == _bits(b)),
    ((datetime.datetime, datetime.time), lambda a, b: moment_text(a) == moment_text(b)),
)

_CLOSE: tuple[tuple[Any, Callable[[Any, Any, float, float], bool]], ...] = (
    (torch.Tensor, _close_tensor),
    ((np.ndarray, np.generic), _close_array),
    (pl.DataFrame, _close_frame),
    (pl.Series, _close_series),
    ((float, complex), _close_number),
)
