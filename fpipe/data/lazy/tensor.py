"""Lazy tensors: rows of a source, and what is to be done to them after reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from fpipe.core.code import as_code
from fpipe.core.equality import same
from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.core.value import descriptor, evolve, value
from fpipe.data.lazy.maps import FunctionMap, Link, Map, flat
from fpipe.data.lazy.source import Rows, Source, TensorShape


@descriptor
class LazyType:
    """What is known of a lazy column without reading it.

    Args:
        shape: the shape of a row.
        dtype: the dtype.
        later: the shape of a row of new data: where something is done while fitting alone, it
            may be another one.
    """

    shape: TensorShape
    dtype: torch.dtype
    later: TensorShape


@value
class LazyColumn:
    """What the rows of a lazy column share.

    Args:
        source: where they are read from.
        maps: what is done to them, in order.
        later: what is done to rows of new data, where that is something else.
    """

    source: Source
    maps: tuple[Link, ...] = ()
    later: tuple[Map, ...] | None = None

    @property
    def type(self) -> LazyType:
        """Shape and dtype, as far as they are known."""
        shapes = self.shapes()
        later = shapes[-1]
        if self.later is not None:
            later = self.source.shape
            for other in self.later:
                later = other.shaped(later)
        return LazyType(shapes[-1], self.dtypes()[-1], later)

    def dtypes(self) -> tuple[torch.dtype, ...]:
        """Return the dtype of a row as it is read, and after each map."""
        found = [self.source.dtype]
        for one in self.maps:
            found.append(one.map.typed_as(found[-1]))
        return tuple(found)

    def shapes(self) -> tuple[TensorShape, ...]:
        """Return the shape of a row as it is read, and after each map."""
        found = [self.source.shape]
        for one in self.maps:
            found.append(one.map.shaped(found[-1]))
        return tuple(found)

    def mapped(self, one: Map, key: Key | None = None, *, stages: str = "both") -> LazyColumn:
        """Return the column with a map appended.

        Args:
            one: the map.
            key: where its draws come from.
            stages: ``"both"``, or ``"now"`` or ``"later"`` for what is done to these rows only,
                or to those of new data only.
        """
        maps = self.maps + tuple(Link(each, key if each.draws else None) for each in flat(one))
        if stages == "both" and self.later is None:
            return evolve(self, maps=maps)
        later = tuple(each.map for each in self.maps) if self.later is None else self.later
        return evolve(
            self,
            maps=self.maps if stages == "later" else maps,
            later=later if stages == "now" else (*later, *flat(one)),
        )


@value
class LazyTensor:
    """A column of tensors that are not read yet.

    Args:
        column: what the rows share.
        positions: where the rows stand in the source, ``[rows]`` int64; they may repeat.
        ids: row ids, on which draws depend, ``[rows]`` int64.

    Example:
        >>> import fpipe as fp
        >>> lazy = fp.lazy(torch.arange(6).reshape(3, 2))
        >>> lazy
        LazyTensor (3 rows, int64 [2])
        >>> fp.materialize(lazy.take([2, 0]).map(lambda x: x * 10)).tolist()
        [[40, 50], [0, 10]]
    """

    column: LazyColumn
    positions: Rows
    ids: Rows

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def shape(self) -> TensorShape:
        """The shape of a row: None for sizes that are not known, or in its place."""
        return self.column.type.shape

    @property
    def dtype(self) -> torch.dtype:
        """The dtype."""
        return self.column.type.dtype

    def take(self, positions: Sequence[int] | Rows) -> LazyTensor:
        """Return the rows at some positions of this column; they may repeat.

        Raises:
            DataError: there is no such row.
        """
        given = np.asarray(positions)
        if given.ndim != 1 or (len(given) and given.dtype.kind not in "iu"):
            raise DataError(
                "rows are taken by their positions.",
                expected="whole numbers in a list or array",
                got=f"{given.dtype} of shape {given.shape}",
                fix="np.flatnonzero(mask), or range(start, stop)",
            )
        rows = given.astype(np.int64)
        outside = rows[(rows < 0) | (rows >= len(self))]
        if len(outside):
            raise DataError(
                f"there is no row at position {int(outside[0])}.",
                expected=f"positions from 0 to {len(self) - 1}",
                got=f"{len(outside)} positions outside",
            )
        return evolve(self, positions=self.positions[rows], ids=self.ids[rows])

    def map(
        self,
        function: Map | Callable[..., Any],
        *,
        draws: int = 0,
        batched: bool = False,
        shape: TensorShape = None,
        dtype: torch.dtype | None = None,
    ) -> LazyTensor:
        """Return the column with a function to be applied to each row after it is read.

        Args:
            function: a `Map`, or a pure function of one row's tensor.
            draws: how many uniform numbers are drawn for each row; the function gets them as its
                second argument, an array ``[draws]``.
            batched: whether the function takes batches ``[rows, …]`` of rows of one shape (and
                draws ``[rows, draws]``), and keeps rows apart.
            shape: the shape of a row afterwards, where it is known. By default a function that
                draws nothing is tried without data, which tells shape and dtype of most.
            dtype: the dtype afterwards, where it changes.

        Raises:
            ParameterError: what is given cannot be called.
        """
        if isinstance(function, Map):
            grown = evolve(self, column=self.column.mapped(function))
            _ = grown.column.type  # shapes that cannot be are refused at once
            return grown
        if not callable(function):
            raise ParameterError(
                f"a lazy tensor is mapped by functions, not by {type(function).__name__}.",
                expected="a function of a tensor, or a Map",
                got=repr(function)[:80],
                fix="lt.map(lambda x: x / 255)",
            )
        if not draws and dtype is None:
            found = foreseen(function, self.column.type, batched=batched)
            shape, dtype = (found.shape if shape is None else shape), found.dtype
        made = FunctionMap(as_code(function), draws, batched, shape, dtype)
        return evolve(self, column=self.column.mapped(made))

    def __repr__(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        return f"LazyTensor ({len(self)} rows, {kind} {sizes_text(self.shape)})"


def foreseen(function: Callable[..., Any], known: LazyType, *, batched: bool) -> LazyType:
    """Return what a function makes of rows of a type, tried on a tensor without data.

    Nothing is known of the shape where the function cannot be tried so, or where sizes of rows
    are not known.

    Raises:
        ParameterError: the function is at fault: it uses what is not there, on zeros as well.
    """
    unknown = LazyType(None, known.dtype, None)
    if known.shape is None:
        return unknown
    sizes = tuple(_STANDS_FOR if n is None else n for n in known.shape)
    try:
        with torch.no_grad(), torch.device("meta"):
            x = torch.empty((2, *sizes) if batched else sizes, dtype=known.dtype)
            out = function(x)
        shape = tuple(out.shape[1:] if batched else out.shape)
        dtype: torch.dtype = out.dtype
    except Exception as error:  # code of the user's, which may need numbers
        if isinstance(error, AttributeError | NameError | TypeError):
            _check_on_zeros(function, (2, *sizes) if batched else sizes, known.dtype)
        return unknown
    exact = None not in known.shape
    return LazyType(shape if exact else None, dtype, None)


_STANDS_FOR = 32


def _check_on_zeros(
    function: Callable[..., Any], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Raise ParameterError where a function fails on numbers as it does without them."""
    try:
        with torch.no_grad():
            function(torch.zeros(shape, dtype=dtype))
    except (AttributeError, NameError, TypeError) as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise ParameterError(
            f"the function {name} fails on every row.",
            expected="a function of a tensor that gives a tensor",
            got=f"{type(error).__name__}: {error}",
            fix=f"mend it; it was tried on zeros, {dtype} {sizes_text(shape)}",
        ) from error
    except Exception:  # it may fail on zeros alone
        return


def lazy_tensor(source: Source) -> LazyTensor:
    """Return all rows of a source."""
    rows = np.arange(source.rows, dtype=np.int64)
    return LazyTensor(LazyColumn(source), rows, rows)


def concatenated(*tensors: LazyTensor) -> LazyTensor:
    """Return rows below each other; they must be read from one source and mapped alike.

    Raises:
        SchemaError: they are not.
    """
    first = tensors[0]
    for other in tensors[1:]:
        if not same(first.column, other.column):
            raise SchemaError(
                "lazy tensors of different origin cannot be put below each other.",
                expected=repr(first),
                got=repr(other),
                fix="make one lazy tensor of all files, and take rows of it",
            )
    positions = np.concatenate([one.positions for one in tensors])
    return LazyTensor(first.column, positions, np.concatenate([one.ids for one in tensors]))


def sizes_text(shape: TensorShape) -> str:
    """Return the shape of a row as text.

    Example:
        >>> sizes_text((3, None, None)), sizes_text(None)
        ('[3, ?, ?]', '[…]')
    """
    if shape is None:
        return "[…]"
    return f"[{', '.join('?' if n is None else str(n) for n in shape)}]"
