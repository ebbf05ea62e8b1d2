"""Operators that put something else in the place of each chosen feature."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import polars as pl

from fpipe.core.errors import SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import instance_of, optional, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.task import Task
from fpipe.ops.feature_selector import numeric
from fpipe.ops.selector import Bounds, Selector, View, as_selector, known_choice
from fpipe.ops.task_op import TaskOp


@descriptor
class Learned:
    """What was learned of every feature that an operator works on.

    Args:
        columns: the features.
        values: for each of them what its column's expression needs.
    """

    columns: tuple[str, ...]
    values: tuple[Any, ...]

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield each feature with what was learned of it."""
        return zip(self.columns, self.values, strict=True)


@descriptor
class ColumnOp(TaskOp):
    """An operator whose new columns are polars expressions of the old ones.

    A class says which aggregates it needs of a feature (all are computed in one pass), what it
    learns from them, and the expression that takes the feature's place.

    Args:
        columns: the features to work on, as a selector or names; by default those that the
            operator is made for (`default`). It may be asked for others that it can take (`able`).
    """

    default: ClassVar[Selector] = numeric()
    able: ClassVar[Selector | None] = None

    columns: Selector | None = parameter(
        default=None, check=optional(instance_of(Selector)), convert=as_selector, kw_only=True
    )

    def chosen(self, task: View) -> tuple[str, ...]:
        """Return the features to work on.

        Raises:
            SchemaError: a feature that was asked for is of a kind that the operator cannot take,
                or only data can tell what is chosen and the task is a type.
        """
        chosen = self.kinds()[0] if self.columns is None else self.columns
        return known_choice(chosen, self.bounds(task), task)

    def kinds(self) -> tuple[Selector, Selector]:
        """Return what is worked on by default, and what can be."""
        return self.default, self.default if self.able is None else self.able

    def bounds(self, task: View) -> Bounds:
        """Return the features that are surely worked on, and all that may be.

        Raises:
            SchemaError: a feature that was asked for is of a kind that the operator cannot take.
        """
        usual, able = self.kinds()
        if self.columns is None:
            return usual.bounds(task)
        takes = able.bounds(task).sure
        asked = self.columns.bounds(task)
        wrong = [name for name in task.features if name in asked.sure - takes]
        if wrong:
            raise SchemaError(
                f"{self.name} cannot work on '{wrong[0]}', which is {task.dtype(wrong[0])}.",
                expected=f"features of {able!r}",
                got=", ".join(f"{name}: {task.dtype(name)}" for name in wrong[:6]),
                fix=f"ops.{self.name}(columns=({self.columns!r} & {able!r}))",
                columns=tuple(wrong),
            )
        return Bounds(asked.sure, asked.possible & takes)

    def aggregates(self, column: pl.Expr) -> tuple[pl.Expr, ...]:
        """Return what must be known of a column, as aggregating expressions."""
        return ()

    def learned(self, name: str, found: tuple[Any, ...]) -> Any:
        """Return what is learned of a feature from its aggregates."""
        return found

    def expression(self, column: pl.Expr, learned: Any) -> pl.Expr:
        """Return what takes the place of a column."""
        raise NotImplementedError

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """Return the dtype of what takes the place of a column; by default a float."""
        del dtype
        return pl.Float64()

    def learn(self, task: Task, key: Key) -> Any:
        """Compute all aggregates in one pass."""
        del key
        columns = self.chosen(task)
        wanted = [self.aggregates(pl.col(name)) for name in columns]
        flat = [e.alias(f"{i}.{j}") for i, one in enumerate(wanted) for j, e in enumerate(one)]
        found = iter(task.statistics(*flat))
        values = [
            self.learned(name, tuple(next(found) for _ in one))
            for name, one in zip(columns, wanted, strict=True)
        ]
        return Learned(columns, tuple(values))

    def transform(self, state: Any, task: Task, key: Key) -> Task:
        """Plan the new columns; they are computed when they are read."""
        del key
        check_columns(state.columns, task.features)
        made = (self._typed(name, value, task.dtype(name)) for name, value in state.items())
        return task.computed(*made)

    def _typed(self, name: str, learned: Any, dtype: pl.DataType) -> pl.Expr:
        """Return what takes the place of a column; polars may take text for levels to be text."""
        made = self.expression(pl.col(name), learned).alias(name)
        stays = isinstance(dtype, pl.Enum) and self.becomes(dtype) == dtype
        return made.cast(dtype) if stays else made

    def typed(self, task: TaskType) -> TaskType:
        """The chosen features change their dtype.

        One that only data can choose, and whose dtype would change, is not known any more.
        """
        sure, possible = self.bounds(task)
        after = {n: self.becomes(t) if n in possible else t for n, t in task.dtypes}
        lost = {n for n, t in task.dtypes if n in possible - sure and after[n] != t}
        changed = evolve(task, dtypes=tuple(after.items()))
        return forgotten(changed, lost)


def forgotten(task: TaskType, features: Collection[str]) -> TaskType:
    """Return the type without features of which only data can tell what they have become."""
    if not features:
        return task
    kept = tuple(name for name in task.features if name not in features)
    dtypes = tuple((name, dtype) for name, dtype in task.dtypes if name not in features)
    return evolve(task, dtypes=dtypes, roles=task.roles.set("feature", kept), open=True)


def as_float(column: pl.Expr) -> pl.Expr:
    """Return a numeric column as 64-bit floats."""
    return column.cast(pl.Float64)
