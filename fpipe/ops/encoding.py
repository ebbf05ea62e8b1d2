"""Levels as numbers: one column per level, or one code."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from fpipe.core.key import Key
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.schema import levels as levels_of
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import ColumnOp, Learned, forgotten
from fpipe.ops.feature_selector import boolean, levels
from fpipe.ops.level_sets import check_seen, with_levels
from fpipe.ops.naming import check_free
from fpipe.ops.selector import Selector


@descriptor
class Levelled(ColumnOp):
    """An operator that learns the levels of each chosen feature, in order."""

    default: ClassVar[Selector] = levels()

    def learn(self, task: Task, key: Key) -> Learned:
        """Capture the levels."""
        del key
        columns = self.chosen(task)
        return Learned(columns, tuple(levels_of(task.dtype(name)) for name in columns))


@descriptor
class OneHot(Levelled):
    """Replace every feature with levels by one 0/1 column per level, named ``feature.level``.

    All levels of the task are encoded, also those that no row has. A missing value is missing
    in all its columns. The columns come after the features that are left alone; truth values
    are left alone.

    Args:
        unseen: what a level that was not there at fit does: ``"error"``, ``"zeros"`` in all
            columns, or ``"missing"`` in all columns.
        columns: the features to encode; all with levels by default.

    Raises:
        DataError: a level was not there at fit (with ``unseen="error"``).
        SchemaError: a new column would have the name of an old one.

    Source:
        scikit-learn's OneHotEncoder.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"k": ["u", "v"], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.one_hot(), task, key=fp.key(0)).features
        ('k.u', 'k.v')
    """

    name = "one_hot"

    unseen: str = parameter(default="error", check=one_of("error", "zeros", "missing"))

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Encode."""
        del key
        check_columns(state.columns, task.features)
        if self.unseen == "error":
            for name, known in state.items():
                check_seen(task, name, known, fix='ops.one_hot(unseen="zeros")')
        new = _named(state)
        check_free(self.name, new, task, replaced=state.columns)
        kept = (name for name in task.features if name not in state.columns)
        columns = [
            self._column(name, known, level) for name, known in state.items() for level in known
        ]
        return task.computed(*columns, features=(*kept, *new))

    def typed(self, task: TaskType) -> TaskType:
        """Encode; of a feature that only data can choose it is not known what it becomes."""
        sure, possible = self.bounds(task)
        chosen = tuple(name for name in task.features if name in sure)
        found = Learned(chosen, tuple(levels_of(task.dtype(name)) for name in chosen))
        new = _named(found)
        check_free(self.name, new, task, replaced=chosen)
        rest = forgotten(task, possible - sure)
        kept = tuple((n, rest.dtype(n)) for n in rest.features if n not in chosen)
        return rest.with_features((*kept, *((name, pl.Float64()) for name in new)))

    def _column(self, name: str, known: tuple[str, ...], level: str) -> pl.Expr:
        text = pl.col(name).cast(pl.String)
        hit = (text == level).cast(pl.Float64)
        if self.unseen == "missing":
            hit = pl.when(text.is_in(list(known))).then(hit).otherwise(None)
        return hit.alias(f"{name}.{level}")


@descriptor
class Ordinal(Levelled):
    """Replace every feature with levels by the position of each level, from 0, as an integer.

    Missing values stay missing. Truth values can be asked for: False is 0 and True is 1.

    Args:
        unseen: what a level that was not there at fit becomes: ``"error"``, ``"missing"``, or a
            further ``"code"``, the number of levels at fit.
        columns: the features to encode; all with levels by default.

    Raises:
        DataError: a level was not there at fit (with ``unseen="error"``).

    Source:
        scikit-learn's OrdinalEncoder, with the order of the levels.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": ["v", None, "u"], "y": [1.0, 2.0, 4.0]}, "y")
        >>> fp.transform(ops.ordinal(), task, key=fp.key(0)).column("x").to_list()
        [1, None, 0]
    """

    name = "ordinal"
    able = levels() | boolean()

    unseen: str = parameter(default="error", check=one_of("error", "missing", "code"))

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """Codes are integers."""
        del dtype
        return pl.Int64()

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Encode."""
        del key
        check_columns(state.columns, task.features)
        return task.computed(
            *(self._codes(task, name, known).alias(name) for name, known in state.items())
        )

    def _codes(self, task: Task, name: str, known: tuple[str, ...]) -> pl.Expr:
        column, dtype = pl.col(name), task.dtype(name)
        if isinstance(dtype, pl.Boolean):
            return column.cast(pl.Int64)
        if self.unseen == "error":
            check_seen(task, name, known, fix='ops.ordinal(unseen="code")')
        found = with_levels(column, dtype, pl.Enum(known)).to_physical().cast(pl.Int64)
        if self.unseen != "code":
            return found
        return pl.when(column.is_not_null()).then(found.fill_null(len(known))).otherwise(None)


@descriptor
class DropUnseenLevels(Levelled):
    """Make levels that were not there at fit missing, so that an imputer can fill them.

    The levels are those of the task's type at fit, also those that no row has.

    Args:
        columns: the features to work on; all with levels by default.

    Source:
        mlr3pipelines' PipeOpFixFactors.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"k": ["u", "v"], "y": [1.0, 2.0]}, "y")
        >>> fitted = fp.fit(ops.drop_unseen_levels(), task, key=fp.key(0))
        >>> fp.apply(fitted, {"k": ["w", "u"]}).column("k").to_list()
        [None, 'u']
    """

    name = "drop_unseen_levels"

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """The levels at fit stay."""
        return dtype

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Bring every feature to its levels at fit."""
        del key
        check_columns(state.columns, task.features)
        return task.computed(
            *(with_levels(pl.col(n), task.dtype(n), pl.Enum(known)) for n, known in state.items())
        )


one_hot = operator(OneHot)
ordinal = operator(Ordinal)
drop_unseen_levels = operator(DropUnseenLevels)


def _named(found: Learned) -> tuple[str, ...]:
    return tuple(f"{name}.{level}" for name, known in found.items() for level in known)
