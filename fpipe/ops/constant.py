"""Dropping features that hardly vary."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from fpipe.core.key import Key
from fpipe.core.parameter import boolean, number, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType, is_numeric
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, as_float, forgotten
from fpipe.ops.feature_selector import categorical, numeric, temporal
from fpipe.ops.finite import check_finite, first_infinite


@descriptor
class RemoveConstants(ColumnOp):
    """Drop features whose values, but for a share of the rows, are all the same.

    Numbers are the same where they lie within ``abs_tol``, or within ``rel_tol`` times the mean
    of their absolute values. A feature that is missing in every row is constant.

    Args:
        ratio: the share of rows that may differ in a feature that is dropped.
        rel_tol: how far equal numbers may lie apart, relative to their mean absolute value.
        abs_tol: how far equal numbers may lie apart.
        ignore_missing: whether missing values do not count; otherwise they are a value of their
            own.
        columns: the features that may be dropped; all but tensors by default.

    Source:
        mlr3pipelines' PipeOpRemoveConstants.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 1.0], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.remove_constants(), task, key=fp.key(0)).features
        ('b',)
    """

    name = "remove_constants"
    default = numeric() | categorical() | temporal()

    ratio: float = parameter(default=0.0, check=number(0.0, 1.0), convert=float)
    rel_tol: float = parameter(default=1e-8, check=number(0.0), convert=float)
    abs_tol: float = parameter(default=1e-8, check=number(0.0), convert=float)
    ignore_missing: bool = parameter(default=True, check=boolean())

    def learn(self, task: Task, key: Key) -> tuple[str, ...]:
        """Find the features to keep."""
        del key
        columns = self.chosen(task)
        wanted = [
            one.alias(f"{i}.{j}")
            for i, name in enumerate(columns)
            for j, one in enumerate(_counted(pl.col(name), task.dtype(name)))
        ]
        found = iter(task.statistics(*wanted))
        counts = {n: Counts(*(next(found) for _ in Counts._fields)) for n in columns}
        for name, one in counts.items():
            check_finite(self.name, name, one.infinite)
        dropped = {n for n, one in counts.items() if self._constant(task, n, one)}
        return tuple(name for name in task.features if name not in dropped)

    def transform(self, state: tuple[str, ...], task: Task, key: Key) -> Task:
        """Keep the others."""
        del key
        return task.select(state)

    def typed(self, task: TaskType) -> TaskType:
        """Only data can tell which features stay."""
        return forgotten(task, self.bounds(task).possible)

    def _constant(self, task: Task, name: str, counts: Counts) -> bool:
        """Tell whether at most the given share of the rows differs from the most frequent value."""
        observed, missing = counts.observed, 0 if self.ignore_missing else counts.missing
        if not observed + missing:
            return True
        same = counts.same
        if same is None:
            width = max(self.abs_tol, self.rel_tol * (counts.size or 0.0))
            inside = counts.range is None or counts.range <= width
            # Where all must be the same, the range tells enough.
            bound = 0 if self.ratio == 0.0 else None
            same = observed if inside else bound
            same = _most_within(task.column(name), width) if same is None else same
        return 1.0 - max(same, missing) / (observed + missing) <= self.ratio


class Counts(NamedTuple):
    """What is known of a feature from one pass.

    Args:
        observed: how many values there are.
        missing: how many are missing.
        same: how often the most frequent value occurs; None for numbers.
        range: the distance between the ends of numbers.
        size: the mean absolute value of numbers.
        infinite: the first row with an infinite number, or None.
    """

    observed: int
    missing: int
    same: int | None
    range: float | None
    size: float | None
    infinite: int | None


remove_constants = operator(RemoveConstants)


def _counted(column: pl.Expr, dtype: pl.DataType) -> tuple[pl.Expr, ...]:
    """Return the counts of a feature as aggregating expressions."""
    observed, missing, none = column.count(), column.null_count(), pl.lit(None)
    if not is_numeric(dtype):
        most = column.drop_nulls().unique_counts().max().fill_null(0)
        return observed, missing, most, none, none, none
    x = as_float(column)
    return observed, missing, none, x.max() - x.min(), x.abs().mean(), first_infinite(column)


def _most_within(series: pl.Series, width: float) -> int:
    """Return how many numbers an interval of some width holds at most."""
    x = np.sort(series.drop_nulls().cast(pl.Float64).to_numpy())
    ends = np.searchsorted(x, x + width, side="right")
    return int((ends - np.arange(len(x))).max())
