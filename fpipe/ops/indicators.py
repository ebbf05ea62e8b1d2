"""Columns that tell where values are missing."""

from __future__ import annotations

import polars as pl

from fpipe.core.key import Key
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, Learned
from fpipe.ops.feature_selector import everything
from fpipe.ops.naming import check_free


@descriptor
class MissingIndicators(ColumnOp):
    """Add a truth value ``feature.missing`` that tells where a feature misses its value.

    The features stay, so that an imputer may follow.

    Args:
        which: ``"fit"`` for features that miss a value at fit, ``"all"`` for all of them.
        columns: the features to look at; all by default.

    Raises:
        SchemaError: a new column would have the name of an old one.

    Source:
        scikit-learn's MissingIndicator; mlr3pipelines' PipeOpMissInd.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, None], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.missing_indicators(), task, key=fp.key(0)).features
        ('a', 'b', 'a.missing')
    """

    name = "missing_indicators"
    default = everything()

    which: str = parameter(default="fit", check=one_of("fit", "all"))

    def learn(self, task: Task, key: Key) -> Learned:
        """Find the features that get an indicator."""
        del key
        columns = self.chosen(task)
        if self.which == "fit":
            counts = task.statistics(*(pl.col(name).null_count() for name in columns))
            columns = tuple(name for name, n in zip(columns, counts, strict=True) if n)
        return Learned(columns, (None,) * len(columns))

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Add the indicators behind the features."""
        del key
        check_columns(state.columns, task.features)
        new = [_indicator(name) for name in state.columns]
        check_free(self.name, new, task)
        return task.computed(
            *(pl.col(name).is_null().alias(_indicator(name)) for name in state.columns)
        )

    def typed(self, task: TaskType) -> TaskType:
        """Add the indicators that are known without data."""
        sure, possible = self.bounds(task)
        if self.which == "fit":
            return evolve(task, open=task.open or bool(possible))
        new = [_indicator(name) for name in task.features if name in sure]
        check_free(self.name, new, task)
        features = (*task.features, *new)
        return evolve(
            task,
            dtypes=(*task.dtypes, *((name, pl.Boolean()) for name in new)),
            roles=task.roles.set("feature", features),
            open=task.open or sure != possible,
        )


missing_indicators = operator(MissingIndicators)


def _indicator(name: str) -> str:
    return f"{name}.missing"
