"""Fewer numeric features in place of many."""

from __future__ import annotations

from typing import Any

import polars as pl

from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import Check, boolean, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import forgotten
from fpipe.ops.estimator import call
from fpipe.ops.fitted_columns import EstimatorColumns, FittedColumns
from fpipe.ops.selector import View


def _is_count(x: Any) -> bool:
    whole = isinstance(x, int) and not isinstance(x, bool) and x >= 1
    return x is None or whole or (isinstance(x, float) and 0.0 < x < 1.0)


@descriptor
class PCA(EstimatorColumns):
    """Replace the numeric features by their principal components, ``PC1``, ``PC2`` and so on.

    Features are centred, not scaled: put ``ops.scale()`` before it where their units differ.
    The components come after the features that are left alone.

    Args:
        n_components: how many; or, between 0 and 1, the share of the variance to be explained;
            None for as many as there are features (or rows, if these are fewer).
        whiten: whether the components are scaled to variance 1.
        columns: the features; all numbers by default.

    Raises:
        ParameterError: more components than features are asked for.
        DataError: a feature is missing or infinite somewhere, or there are too few rows.
        SchemaError: another feature has the name of a component.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0, 6.0], "y": [1, 2, 3]}, "y")
        >>> fp.transform(ops.pca(1), task, key=fp.key(0)).features
        ('PC1',)

    Source:
        scikit-learn's PCA, signs included.
    """

    name = "pca"
    takes_missing = False

    n_components: int | float | None = parameter(
        default=None,
        check=Check("an integer of at least 1, a number between 0 and 1, or None", _is_count),
    )
    whiten: bool = parameter(default=False, check=boolean())

    def made(self, rows: int, key: Key) -> Any:
        """Return the transformer."""
        from sklearn import decomposition  # noqa: PLC0415

        if rows < 2:
            raise DataError(
                "pca needs at least two rows.", expected="at least 2 rows", got=f"{rows} row"
            )
        if isinstance(self.n_components, int) and self.n_components > rows:
            raise DataError(
                f"pca cannot find {self.n_components} components in {rows} rows.",
                expected=f"at most {rows} components",
                got=f"n_components={self.n_components}",
                fix=f"n_components={rows}",
            )
        seed = key.integer(31)
        return decomposition.PCA(self.n_components, whiten=self.whiten, random_state=seed)

    def learn(self, task: Task, key: Key) -> FittedColumns:
        """Find the components."""
        self._check(task)
        columns = self.chosen(task)
        if columns and len(self._with_values(task, columns)) < len(columns):
            self.checked(task, columns)
        return EstimatorColumns.learn(self, task, key)

    def transform(self, state: FittedColumns, task: Task, key: Key) -> Task:
        """Project onto the components."""
        del key
        if state.estimator is None:
            return task
        made = state.estimator.rebuilt()
        names = [f"PC{i + 1}" for i in range(made.n_components_)]
        x = self.checked(task, state.columns)
        made_of = call(made, "transform", x) if task.n_rows else x[:, : len(names)]
        rest = task.select([name for name in task.features if name not in state.columns])
        return rest.cbind(pl.DataFrame(made_of, schema=names))

    def typed(self, task: TaskType) -> TaskType:
        """The number of components is known where it is given."""
        sure, possible = self.bounds(task)
        if sure != possible:
            return forgotten(evolve(task, open=True), possible)
        count = self._check(task)
        columns = self.chosen(task)
        if not columns and not task.open:
            return task
        rest = tuple((n, task.dtype(n)) for n in task.features if n not in columns)
        if count is None or task.open:
            return task.with_features(rest, open=True)
        new = tuple((f"PC{i + 1}", pl.Float64()) for i in range(count))
        return task.with_features((*rest, *new))

    def _check(self, task: View) -> int | None:
        """Return the number of components where it was given."""
        columns = self.chosen(task)
        count = self.n_components if isinstance(self.n_components, int) else None
        is_open = isinstance(task, TaskType) and task.open
        if columns and not is_open and count is not None and count > len(columns):
            raise ParameterError(
                f"pca cannot make {count} components of {len(columns)} features.",
                expected=f"at most {len(columns)}",
                got=f"n_components={count}",
                fix=f"n_components={len(columns)}",
            )
        taken = {c for names in task.roles.values() for c in names} - set(columns)
        new = [f"PC{i + 1}" for i in range(count or len(columns))]
        clash = [name for name in new if name in taken] if columns else []
        if clash:
            raise SchemaError(
                f"pca would make a second column '{clash[0]}'.",
                expected="names that are free",
                got=", ".join(clash),
                fix=f"ops.rename({{'{clash[0]}': 'first {clash[0]}'}}) before it",
                column=clash[0],
            )
        return count


pca = operator(PCA)
