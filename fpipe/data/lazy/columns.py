"""Lazy tensors in tables: a column holds where each row stands in its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from pyrsistent import PMap, pmap

from fpipe.core.errors import SchemaError
from fpipe.data.lazy.source import Rows
from fpipe.data.lazy.tensor import LazyColumn, LazyTensor

LAZY = pl.Struct({"position": pl.Int64})
"""The type of a column of positions: no operator on numbers or levels takes it for its own."""


def is_lazy(dtype: pl.DataType) -> bool:
    """Tell whether a column holds positions of lazy tensors."""
    return bool(dtype == LAZY)


def kind_text(dtype: pl.DataType) -> str:
    """Return the type of a column as messages show it.

    Example:
        >>> kind_text(LAZY), kind_text(pl.Enum(["a", "b"])), kind_text(pl.Int64())
        ('lazy tensors', 'Enum', 'Int64')
    """
    if is_lazy(dtype):
        return "lazy tensors"
    return "Enum" if isinstance(dtype, pl.Enum) else str(dtype)


def positions_of(column: pl.Series) -> Rows:
    """Return the positions in a lazy column, ``[rows]`` int64."""
    return column.struct.field("position").to_numpy().astype(np.int64)


def as_column(name: str, positions: Rows) -> pl.Series:
    """Return positions as a column of a table."""
    return pl.DataFrame({"position": positions}).to_struct(name)


def set_apart(data: Any) -> tuple[Any, PMap[str, LazyColumn]]:
    """Return a mapping of columns with positions in place of lazy tensors, and what they share.

    Other data is returned as it is.
    """
    if not isinstance(data, Mapping):
        return data, pmap()
    lazy = {name: x for name, x in data.items() if isinstance(x, LazyTensor)}
    if not lazy:
        return data, pmap()
    placed = {name: as_column(name, x.positions) if name in lazy else x for name, x in data.items()}
    return placed, pmap({name: x.column for name, x in lazy.items()})


def check_plain(column: str, dtype: pl.DataType) -> None:
    """Raise SchemaError where a column that is wanted as values holds lazy tensors."""
    if is_lazy(dtype):
        raise SchemaError(
            f"the column '{column}' holds lazy tensors, which are not values yet.",
            expected="a column of values",
            got=f"'{column}', a lazy tensor",
            fix=f"read it first: fp.materialize(task.tensor({column!r})) of a task, or "
            "fp.materialize(lazy) before one is made",
            column=column,
        )


def check_lazy(column: str, dtype: pl.DataType) -> None:
    """Raise SchemaError where a column that is wanted as lazy tensors holds values."""
    if not is_lazy(dtype):
        raise SchemaError(
            f"the column '{column}' holds no lazy tensors.",
            expected="a column of lazy tensors",
            got=f"'{column}', {dtype}",
            fix=f"task.column({column!r})",
            column=column,
        )
