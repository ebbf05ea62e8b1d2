"""Imputation of missing values."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.task import Task
from fpipe.graph.graph import operator
from fpipe.ops.selector import Selector, categorical, numeric
from fpipe.ops.task_op import TaskOp

Filling = tuple[tuple[str, float | str | bool], ...]


@descriptor
class Impute(TaskOp):
    """Fill missing values of some features by one value per feature.

    The value of every such feature is learned, also of those that miss nothing at fit.
    """

    chooses: ClassVar[Selector]

    def learn(self, task: Task, key: Key) -> Filling:
        """Find the value of each feature."""
        del key
        columns = self.chooses.of(task)
        empty = [n for n in columns if task.column(n).null_count() == task.n_rows]
        if empty:
            raise DataError(
                f"{self.name} cannot fill '{empty[0]}', which is missing in every row.",
                expected="at least one value to learn from",
                got=f"{task.n_rows} missing values",
                fix=f"drop '{empty[0]}' with ops.select(~ops.named('{empty[0]}'))",
                column=empty[0],
            )
        return tuple((name, self.value_of(task.column(name))) for name in columns)

    def value_of(self, series: pl.Series) -> float | str | bool:
        """Return the value that fills a feature."""
        raise NotImplementedError

    def transform(self, state: Filling, task: Task, key: Key) -> Task:
        """Fill the same features."""
        del key
        check_columns(tuple(name for name, _ in state), task.features)
        return evolve(task, table=task.table.with_columns([self.filled(n, v) for n, v in state]))

    def filled(self, name: str, value: float | str | bool) -> pl.Expr:
        """Return a feature with its missing values filled."""
        raise NotImplementedError


@descriptor
class ImputeMedian(Impute):
    """Fill missing numbers by the median of their feature; the features become floats.

    Raises:
        DataError: a feature is missing in every row.
    """

    name = "impute_median"
    chooses = numeric()

    def value_of(self, series: pl.Series) -> float:
        """Return the median."""
        return float(series.cast(pl.Float64).median())  # type: ignore[arg-type]

    def filled(self, name: str, value: float | str | bool) -> pl.Expr:
        """Fill as floats."""
        return pl.col(name).cast(pl.Float64).fill_null(value)

    def typed(self, task: TaskType) -> TaskType:
        """Numbers become floats."""
        changed = set(self.chooses.of(task))
        return evolve(
            task, dtypes=tuple((n, pl.Float64() if n in changed else t) for n, t in task.dtypes)
        )


@descriptor
class ImputeMode(Impute):
    """Fill missing levels and truth values by the most frequent one (the first of equals).

    Raises:
        DataError: a feature is missing in every row.
    """

    name = "impute_mode"
    chooses = categorical()

    def value_of(self, series: pl.Series) -> str | bool:
        """Return the most frequent value, the first in level order among equals."""
        counts = series.drop_nulls().value_counts(name="n")
        most = counts.filter(pl.col("n") == pl.col("n").max())[series.name].sort()[0]
        value: str | bool = most
        return value

    def filled(self, name: str, value: float | str | bool) -> pl.Expr:
        """Fill, keeping the type."""
        return pl.col(name).fill_null(value)


impute_median = operator(ImputeMedian)
impute_mode = operator(ImputeMode)
