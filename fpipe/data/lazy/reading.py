"""Reading lazy tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fpipe.core.equality import same
from fpipe.core.errors import DataError, FpipeError, ParameterError
from fpipe.core.key import Key
from fpipe.data.lazy.gathering import Gathered
from fpipe.data.lazy.maps import Map, Uniforms, applied, checked, drawn
from fpipe.data.lazy.memory_pool import MemoryPool
from fpipe.data.lazy.source import (
    Rows,
    TensorShape,
    UnreadableError,
    Values,
    agrees,
    stacked,
)
from fpipe.data.lazy.tensor import LazyTensor

_AT_ONCE = 8 * 1024**2
"""Bytes of a column that are read and mapped at a time: they stay in the processor's caches."""

_UNKNOWN = 256
"""What an unknown size is taken for where rows are counted."""


def materialize(
    tensor: LazyTensor, *, key: Key | None = None, epoch: int = 0, batch: int | None = None
) -> Values:
    """Read a lazy tensor.

    Args:
        tensor: what to read.
        key: where maps draw from that have no key of their own; needed only where one draws.
        epoch: draws of another epoch are others.
        batch: rows that are read at a time; by default a few MB of them.

    Returns:
        ``[rows, …]`` where all rows have one shape, else a list with one tensor per row.

    Raises:
        DataError: a row cannot be read; the error names it and the file.
        ShapeError: a map gives another shape than it said.

    Example:
        >>> import fpipe as fp
        >>> fp.materialize(fp.lazy([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    if batch is not None and batch < 1:
        raise ParameterError(
            f"{batch} rows cannot be read at a time.",
            expected="batch of at least 1, or None",
            got=f"batch={batch}",
            fix="leave batch out",
        )
    if not isinstance(tensor, LazyTensor):
        raise ParameterError(
            f"{type(tensor).__name__} is no lazy tensor.",
            expected="a LazyTensor, such as task.tensor('image')",
            got=type(tensor).__name__,
        )
    return read_together((tensor,), key=key, epoch=epoch, batch=batch)[0]


def read_together(
    tensors: Sequence[LazyTensor],
    *,
    key: Key | None = None,
    epoch: int = 0,
    batch: int | None = None,
    pool: MemoryPool | None = None,
) -> list[Values]:
    """Return the rows of several lazy tensors; what they share is read once.

    Args:
        tensors: columns over the same rows.
        key: as in `materialize`.
        epoch: as in `materialize`.
        batch: as in `materialize`.
        pool: where memory for the rows comes from.
    """
    if not tensors:
        return []
    rows = len(tensors[0])
    columns = [_Column(one, key, epoch) for one in tensors]
    firsts = [next(j for j, two in enumerate(columns) if one.reads_with(two)) for one in columns]
    size = min(_at_once(one.shapes) for one in columns) if batch is None else batch
    if rows <= size:
        parts = _group(columns, firsts, slice(0, rows), [None] * len(columns))
        return [_in_order(part) for part in parts]
    gathered = [Gathered(rows, one.tensor.column.type, pool) for one in columns]
    for start in range(0, rows, size):
        here = slice(start, min(start + size, rows))
        memory = [whole.memory(here.stop - start) for whole in gathered]
        for whole, part in zip(gathered, _group(columns, firsts, here, memory), strict=True):
            whole.add(_in_order(part) if isinstance(part, list) else part)
    return [whole.values() for whole in gathered]


class _Column:
    """What is worked out once for a column, however many groups of rows there are.

    Args:
        tensor: the column.
        key: as in `materialize`.
        epoch: likewise.
    """

    def __init__(self, tensor: LazyTensor, key: Key | None, epoch: int) -> None:
        maps = tensor.column.maps
        self.tensor = tensor
        self.shapes = tensor.column.shapes()
        self.dtypes = tensor.column.dtypes()
        self.draws = [drawn(one, key, place, tensor.ids, epoch) for place, one in enumerate(maps)]

    def reads_with(self, other: _Column) -> bool:
        """Tell whether both read the same rows of the same source."""
        one, two = self.tensor, other.tensor
        sources = one.column.source, two.column.source
        together = sources[0] is sources[1] or same(*sources)
        return together and np.array_equal(one.positions, two.positions)


def _in_order(values: Values) -> Values:
    """Return rows as they are compared and computed with: dimension by dimension in memory."""
    if isinstance(values, Tensor):
        return values.contiguous()
    return [row.contiguous() for row in values]


def _at_once(shapes: Sequence[TensorShape]) -> int:
    """Return how many rows of a column are read and mapped at a time."""
    sizes = [
        math.prod(_UNKNOWN if n is None else n for n in shape)
        for shape in shapes
        if shape is not None
    ]
    largest = max(sizes, default=_UNKNOWN**2) * 4  # pixels become floats on the way
    return max(1, _AT_ONCE // max(largest, 1))


def _group(
    columns: Sequence[_Column],
    firsts: Sequence[int],
    here: slice,
    memory: Sequence[Tensor | None],
) -> list[Values]:
    """Return some rows of all columns.

    Args:
        columns: the columns.
        firsts: the first column that reads the same, of each.
        here: which rows.
        memory: where they may be put, of each.
    """
    raw = {first: _raw(columns[first].tensor, here) for first in sorted(set(firsts))}
    return [
        _mapped(one, here, _own(raw[first]) if firsts.count(first) > 1 else raw[first], place)
        for one, first, place in zip(columns, firsts, memory, strict=True)
    ]


def _own(values: Values) -> Values:
    """Return rows in memory of their own: a map may write into what it is given."""
    return values.clone() if isinstance(values, Tensor) else [row.clone() for row in values]


def _raw(tensor: LazyTensor, here: slice) -> Values:
    positions = tensor.positions[here]
    if not len(positions):
        return torch.empty(0)
    try:
        found = tensor.column.source.read(positions)
        _check_read(tensor, positions, found)
        return found
    except UnreadableError as error:
        row = int(tensor.ids[here][np.flatnonzero(positions == error.position)[0]])
        raise DataError(
            f"the tensor of row {row} cannot be read.",
            expected="a file that can be read" if error.place else "a row that can be read",
            got=error.reason,
            at=error.place,
            fix="mend or replace it, or put ops.drop_unreadable() first",
            row=row,
        ) from error


def _check_read(tensor: LazyTensor, positions: Rows, found: Values) -> None:
    """Raise UnreadableError where a source gives more, fewer or other rows than it said."""
    source = tensor.column.source
    if len(found) != len(positions):
        reason = f"{len(positions)} rows were asked for, and {len(found)} came"
        raise UnreadableError(int(positions[0]), reason)
    for position, row in zip(positions, found, strict=True):
        if not agrees(tuple(row.shape), source.shape) or row.dtype != source.dtype:
            got, said = f"{row.dtype} {list(row.shape)}", f"{source.dtype} {source.shape}"
            raise UnreadableError(int(position), f"it is {got}, where {said} was said")
        if isinstance(found, Tensor):
            break  # the others are alike


def _mapped(column: _Column, here: slice, values: Values, memory: Tensor | None) -> Values:
    shapes, dtypes = column.shapes, column.dtypes
    if not len(column.tensor):
        return torch.empty((0, *(n or 0 for n in shapes[-1] or ())), dtype=dtypes[-1])
    with torch.no_grad():
        for place, one in enumerate(column.tensor.column.maps, 1):
            last = (shapes[place], dtypes[place]) == (shapes[-1], dtypes[-1])
            draws = column.draws[place - 1][here]
            given = values
            try:
                values = applied(one.map, values, draws, memory if last else None)
                checked(one, values, shapes[place], dtypes[place])
            except FpipeError as error:
                where = _row_of(one.map, given, draws, column.tensor.ids[here])
                raise (error.located(where) if where else error) from error.__cause__
            except Exception as error:
                where = _row_of(one.map, given, draws, column.tensor.ids[here])
                error.add_note(f"in the map {one.map!r} of a lazy tensor {where}".rstrip())
                raise
            values = _private(values, one.map)
    return values


def _private(values: Values, one: Map) -> Values:
    """Return rows in memory that the next map may write into."""
    if not isinstance(values, Tensor):
        return values
    shared = one.foreign or any(
        step == 0 < size - 1 for step, size in zip(values.stride(), values.shape, strict=True)
    )
    return values.clone(memory_format=torch.contiguous_format) if shared else values


def _row_of(one: Map, given: Values, draws: Uniforms, ids: Rows) -> str:
    """Return the first row that a map cannot take by itself; nothing where there is none."""
    for place, number in enumerate(ids):
        try:
            applied(one, given[place : place + 1], draws[place : place + 1])
        except Exception:
            return f"row {number}"
    return ""


def stack(values: Values, what: str) -> Tensor:
    """Return rows as one tensor.

    Raises:
        DataError: they have different shapes.
    """
    if isinstance(values, list):
        values = stacked(values)
    if isinstance(values, Tensor):
        return values
    shapes = sorted({str(tuple(row.shape)) for row in values})
    raise DataError(
        f"{what} have different shapes.",
        expected="one shape in every row",
        got=", ".join(shapes[:6]),
        fix="bring them to one shape first, e.g. with ops.trafo_resize((64, 64))",
    )
