"""Sets of levels: what a feature's levels become, and bringing a feature to them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fpipe.core.errors import DataError
from fpipe.data.schema import levels
from fpipe.data.task import Task

Levels = tuple[str, ...]
"""The levels of a feature, in order."""


def joined_levels(first: Sequence[str], *others: Sequence[str]) -> pl.Enum:
    """Return an ``Enum`` of some levels, then of those in other sets that are new.

    Example:
        >>> joined_levels(["b", "a"], ["a", "c"]).categories.to_list()
        ['b', 'a', 'c']
    """
    return pl.Enum(list(dict.fromkeys([*first, *(level for more in others for level in more)])))


def with_levels(column: pl.Expr, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """Return a column in another set of levels; one that is not among them becomes missing.

    Args:
        column: the column.
        found: its present type.
        wanted: the type it shall have.
    """
    return column if found == wanted else column.cast(pl.String).cast(wanted, strict=False)


def check_seen(task: Task, name: str, known: Levels, *, fix: str) -> None:
    """Raise DataError where a row has a level that was not there at fit.

    Rows are looked at only where the type has further levels.
    """
    further = [level for level in levels(task.dtype(name)) if level not in known]
    if not further:
        return
    text = task.column(name).cast(pl.String)
    hits = text.is_in(further).fill_null(False)
    if hits.any():
        row = int(hits.arg_true()[0])
        raise DataError(
            f"column '{name}' has the level '{text[row]}', which was not there at fit.",
            expected=", ".join(known[:12]),
            got=f"'{text[row]}' in row {row}; {int(hits.sum())} such rows",
            fix=f"{fix}, ops.drop_unseen_levels() before it, or drop those rows",
            column=name,
            row=row,
        )
