"""Infinite numbers, from which nothing can be learned."""

from __future__ import annotations

import polars as pl

from fpipe.core.errors import DataError
from fpipe.ops.column_op import as_float


def first_infinite(column: pl.Expr) -> pl.Expr:
    """Return the first row with a number that is not finite, or missing, as an aggregate."""
    return pl.arg_where(~as_float(column).is_finite()).first()


def check_finite(operator: str, name: str, row: int | None) -> None:
    """Raise DataError where a feature holds a number that is not finite in this row.

    Args:
        operator: who wants to learn from it.
        name: the feature.
        row: what `first_infinite` found.
    """
    if row is not None:
        raise DataError(
            f"{operator} cannot learn from '{name}', which is not finite in row {row}.",
            expected="finite numbers, or missing values",
            got=f"an infinite number in row {row}",
            fix=f"replace it by a missing value or a bound before {operator}",
            column=name,
            row=row,
        )
