"""Imputation of missing numbers by an average of their feature."""

from __future__ import annotations

from typing import Any

import polars as pl

from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.ops.column_op import as_float
from fpipe.ops.finite import check_finite, first_infinite
from fpipe.ops.impute import Filler, Impute


@descriptor
class ImputeAverage(Impute):
    """Fill missing numbers by an average; the features become floats."""

    def average(self, x: pl.Expr) -> pl.Expr:
        """Return the average as an aggregating expression."""
        raise NotImplementedError

    def aggregates(self, column: pl.Expr) -> tuple[pl.Expr, ...]:
        """The average, and whether a number is infinite."""
        return first_infinite(column), self.average(as_float(column))

    def learned(self, name: str, found: tuple[Any, ...]) -> float:
        """Return the average.

        Raises:
            DataError: all is missing, or a number is infinite.
        """
        check_finite(self.name, name, found[0])
        return float(self.there(name, found[1]))

    def expression(self, column: pl.Expr, learned: Filler) -> pl.Expr:
        """Fill as floats."""
        return as_float(column).fill_null(learned)


@descriptor
class ImputeMean(ImputeAverage):
    """Fill missing numbers by the mean of their feature; the features become floats.

    Args:
        columns: the features to fill; all numbers by default.

    Raises:
        DataError: a feature is missing in every row, or holds an infinite number.

    Source:
        scikit-learn's SimpleImputer, ``strategy="mean"``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, None, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.impute_mean(), task, key=fp.key(0)).column("x").to_list()
        [1.0, 2.0, 3.0]
    """

    name = "impute_mean"

    def average(self, x: pl.Expr) -> pl.Expr:
        """The mean."""
        return x.mean()


@descriptor
class ImputeMedian(ImputeAverage):
    """Fill missing numbers by the median of their feature; the features become floats.

    Args:
        columns: the features to fill; all numbers by default.

    Raises:
        DataError: a feature is missing in every row, or holds an infinite number.

    Source:
        scikit-learn's SimpleImputer, ``strategy="median"``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1, None, 2], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.impute_median(), task, key=fp.key(0)).column("x").to_list()
        [1.0, 1.5, 2.0]
    """

    name = "impute_median"

    def average(self, x: pl.Expr) -> pl.Expr:
        """The median."""
        return x.median()


impute_mean = operator(ImputeMean)
impute_median = operator(ImputeMedian)
