"""Imputation of missing values by one value per feature."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, Check, boolean, number, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import check_columns, is_numeric, levels
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, Learned, as_float
from fpipe.ops.feature_selector import boolean as truths
from fpipe.ops.feature_selector import categorical, numeric
from fpipe.ops.feature_selector import levels as levelled
from fpipe.ops.finite import check_finite, first_infinite
from fpipe.ops.level_sets import joined_levels, with_levels
from fpipe.ops.selector import Selector

Filler = float | int | str | bool


@descriptor
class Impute(ColumnOp):
    """Fill missing values by one value per feature.

    The value of every feature is learned, also of those that miss nothing at fit.
    """

    def expression(self, column: pl.Expr, learned: Filler) -> pl.Expr:
        """Fill."""
        return column.fill_null(pl.lit(learned))

    def there(self, name: str, value: Any) -> Any:
        """Return what was learned, where there was anything to learn from.

        Raises:
            DataError: the feature is missing in every row.
        """
        if value is None:
            raise DataError(
                f"{self.name} cannot fill '{name}', which is missing in every row.",
                expected="at least one value to learn from",
                got="missing values only",
                fix=f"drop '{name}' with ops.select(~ops.named('{name}'))",
                column=name,
            )
        return value


@descriptor
class ImputeMode(Impute):
    """Fill missing values by the most frequent one; types stay.

    Of equally frequent values the first fills: in the order of the levels, False before True,
    the smallest number.

    Args:
        columns: the features to fill; levels and truth values by default, numbers if asked for.

    Raises:
        DataError: a feature is missing in every row.

    Source:
        scikit-learn's SimpleImputer, ``strategy="most_frequent"``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": ["v", None, "v"], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.impute_mode(), task, key=fp.key(0)).column("x").to_list()
        ['v', 'v', 'v']
    """

    name = "impute_mode"
    default = categorical()
    able = categorical() | numeric()

    def aggregates(self, column: pl.Expr) -> tuple[pl.Expr, ...]:
        """The most frequent value, the first of equals."""
        return (column.drop_nulls().mode().sort().first(),)

    def learned(self, name: str, found: tuple[Any, ...]) -> Filler:
        """Return the most frequent value."""
        filler: Filler = self.there(name, found[0])
        return filler

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """The types stay."""
        return dtype


Filling = tuple[Filler, tuple[str, ...]]
"""What fills a feature, and its levels at fit, the one that fills among them."""


@descriptor
class ImputeAnew(Impute):
    """Fill by a value that no row need have; levels gain it."""

    def filler(self, dtype: pl.DataType) -> Filler | None:
        """Return what fills a feature of this type; None where its values must tell."""
        raise NotImplementedError

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """Levels gain the one that fills, and numbers can hold what fills."""
        filler = self.filler(dtype)
        if isinstance(dtype, pl.Enum):
            return joined_levels(levels(dtype), [str(filler)])
        return _holding(dtype, filler) if is_numeric(dtype) else dtype

    def learn(self, task: Task, key: Key) -> Learned:
        """Learn what fills, and the levels that are there."""
        found = super().learn(task, key)
        dtypes = [task.dtype(name) for name in found.columns]
        values = tuple(
            (value if self.filler(t) is None else self.filler(t), _levels_of(self.becomes(t)))
            for t, value in zip(dtypes, found.values, strict=True)
        )
        return Learned(found.columns, values)

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Fill; levels that were not there at fit stand behind those that were."""
        del key
        check_columns(state.columns, task.features)
        return task.computed(*(self._filled(task, n, value) for n, value in state.items()))

    def _filled(self, task: Task, name: str, learned: Filling) -> pl.Expr:
        filler, known = learned
        dtype, column = task.dtype(name), pl.col(name)
        if _levelled(dtype):
            wanted = joined_levels(known, levels(dtype))
            return with_levels(column, dtype, wanted).fill_null(pl.lit(filler, dtype=wanted))
        wide = self.becomes(dtype)
        return column.cast(wide).fill_null(pl.lit(filler, dtype=wide))


@descriptor
class ImputeConstant(ImputeAnew):
    """Fill missing values by a given one.

    A number fills numbers, True or False fills truth values, and a string fills features with
    levels, which gain it as their last level where they do not have it. Integers stay integers
    where an integer fills them.

    Args:
        value: what fills.
        columns: the features to fill; by default all that the value fits.

    Raises:
        SchemaError: the value does not fit a feature that was asked for.

    Source:
        scikit-learn's SimpleImputer, ``strategy="constant"``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": ["u", None, "v"], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.impute_constant("none"), task, key=fp.key(0)).column("x").to_list()
        ['u', 'none', 'v']
    """

    name = "impute_constant"

    value: Filler = parameter(
        default=REQUIRED,
        check=Check(
            "a finite number, True, False or a string",
            lambda x: isinstance(x, bool | str) or number().accepts(x),
        ),
    )

    def kinds(self) -> tuple[Selector, Selector]:
        """The features that the value fits."""
        if isinstance(self.value, bool):
            return truths(), truths()
        fitting = levelled() if isinstance(self.value, str) else numeric()
        return fitting, fitting

    def filler(self, dtype: pl.DataType) -> Filler | None:
        """The given value."""
        return self.value


@descriptor
class ImputeOutOfRange(ImputeAnew):
    """Fill missing values by one that no row has, so that a tree can tell them apart.

    Levels gain a last level ``.MISSING``; numbers, which become floats, are filled by
    ``min - offset - multiplier * (max - min)``, and by 0 where all are missing.

    Args:
        below: whether numbers are filled from below the smallest; if not, by the same distance
            above the largest.
        offset: a distance in the unit of the feature, at least 0.
        multiplier: a distance in ranges of the feature, at least 0.
        columns: the features to fill; numbers and features with levels by default.

    Raises:
        DataError: a feature holds an infinite number.

    Source:
        mlr3pipelines' PipeOpImputeOOR; Ding and Simonoff (2010), *An Investigation of Missing
        Data Methods for Classification Trees*.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": [1.0, None, 3.0], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.impute_oor(), task, key=fp.key(0)).column("x").to_list()
        [1.0, -2.0, 3.0]
    """

    name = "impute_oor"
    default = numeric() | levelled()

    below: bool = parameter(default=True, check=boolean())
    offset: float = parameter(default=1.0, check=number(0.0), convert=float)
    multiplier: float = parameter(default=1.0, check=number(0.0), convert=float)

    def filler(self, dtype: pl.DataType) -> Filler | None:
        """Levels are filled by one of their own."""
        return ".MISSING" if _levelled(dtype) else None

    def aggregates(self, column: pl.Expr) -> tuple[pl.Expr, ...]:
        """Both ends, and whether a number is infinite; the codes of levels are not used."""
        codes = column.to_physical()
        return first_infinite(codes), as_float(codes).min(), as_float(codes).max()

    def learned(self, name: str, found: tuple[Any, ...]) -> float:
        """Return a number out of range.

        Raises:
            DataError: a number is infinite, or none is out of range.
        """
        row, low, high = found
        check_finite(self.name, name, row)
        if low is None:
            return 0.0
        distance = self.offset + self.multiplier * (high - low)
        value: float = low - distance if self.below else high + distance
        if not math.isfinite(value) or (distance > 0.0 and low <= value <= high):
            raise DataError(
                f"{self.name} finds no number beyond those of '{name}'.",
                expected="numbers that leave room for a 64-bit float beyond them",
                got=f"numbers from {low} to {high}, and a distance of {distance}",
                fix=f"{self.name}(multiplier=1.0), or divide '{name}' by a power of ten first",
                column=name,
            )
        return value


impute_mode = operator(ImputeMode)
impute_constant = operator(ImputeConstant)
impute_oor = operator(ImputeOutOfRange)


def _levelled(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Enum)


def _levels_of(dtype: pl.DataType) -> tuple[str, ...]:
    return levels(dtype) if _levelled(dtype) else ()


def _holding(dtype: pl.DataType, filler: Filler | None) -> pl.DataType:
    """Return the type of numbers that holds those of a type and one more."""
    if not isinstance(filler, int) or not dtype.is_integer() or abs(filler) >= 2**63:
        return pl.Float64()
    fits = pl.Series([filler]).cast(dtype, strict=False).null_count() == 0
    return dtype if fits else pl.Int64()
