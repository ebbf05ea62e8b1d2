"""What operators around a scikit-learn transformer of some features share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.value import descriptor, value
from fpipe.data.task import Task
from fpipe.ops.column_op import ColumnOp, as_float
from fpipe.ops.estimator import Estimator, Matrix, call, fit_estimator, kept, matrix


@value
class FittedColumns:
    """A fitted transformer and the features that it is for.

    Args:
        columns: the features that the operator works on.
        estimator: the transformer, fitted on those of them that hold a value; None where there
            is none.
    """

    columns: tuple[str, ...]
    estimator: Estimator | None


@descriptor
class EstimatorColumns(ColumnOp):
    """An operator that fits one scikit-learn transformer to the features it works on."""

    takes_missing: ClassVar[bool] = True

    def made(self, rows: int, key: Key) -> Any:
        """Return an unfitted transformer."""
        raise NotImplementedError

    def seen(self, x: Matrix, task: Task, key: Key) -> Matrix:
        """Return what the transformer is fitted on, ``[rows, features]``."""
        del task, key
        return x

    def learn(self, task: Task, key: Key) -> FittedColumns:
        """Fit a transformer.

        Raises:
            DataError: a feature is infinite or missing somewhere (where that cannot be taken).
        """
        columns = self.chosen(task)
        known = self._with_values(task, columns)
        if not known:
            return FittedColumns(columns, None)
        x = self.checked(task, known)
        made = self.made(task.n_rows, key)
        with np.errstate(divide="ignore", invalid="ignore"):
            fit_estimator(made, self.seen(x, task, key), None)
        return FittedColumns(columns, kept(made, known))

    def checked(self, task: Task, columns: tuple[str, ...]) -> Matrix:
        """Return features that the transformer can take as ``[rows, features]``."""
        x = matrix(task, columns)
        bad = np.isinf(x) if self.takes_missing else ~np.isfinite(x)
        if bad.any():
            row, place = (int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"{self.name} cannot take '{columns[place]}' in row {row}.",
                expected="finite numbers" + (" or missing values" if self.takes_missing else ""),
                got="a missing value" if np.isnan(x[row, place]) else f"{x[row, place]}",
                fix="fill missing values first, e.g. with ops.impute_median()"
                if np.isnan(x[row, place])
                else "replace infinite numbers first",
                column=columns[place],
                row=row,
            )
        return x

    def transformed(self, state: FittedColumns, task: Task) -> pl.DataFrame:
        """Return what the transformer makes of its features; one float column for each."""
        if state.estimator is None:
            return pl.DataFrame(height=task.n_rows)
        names = state.estimator.columns
        x = self.checked(task, names)
        out = call(state.estimator.rebuilt(), "transform", x) if task.n_rows else x
        columns = [pl.Series(n, out[:, i], nan_to_null=True) for i, n in enumerate(names)]
        return pl.DataFrame(columns)

    def transform(self, state: FittedColumns, task: Task, key: Key) -> Task:
        """Put what the transformer makes in the place of its features."""
        del key
        known = state.estimator.columns if state.estimator else ()
        left = [as_float(pl.col(name)) for name in state.columns if name not in known]
        return task.computed(*left).cbind(self.transformed(state, task)) if state.columns else task

    def _with_values(self, task: Task, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the features that are not missing in every row."""
        counts = task.statistics(*(pl.col(name).count() for name in columns))
        return tuple(n for n, count in zip(columns, counts, strict=True) if count)
