"""One-hot encoding."""

from __future__ import annotations

import polars as pl

from fpipe.core.errors import DataError, SchemaError
from fpipe.core.key import Key
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType, check_columns, levels
from fpipe.data.task import Task
from fpipe.graph.graph import operator
from fpipe.ops.task_op import TaskOp

Levels = tuple[tuple[str, tuple[str, ...]], ...]


@descriptor
class OneHot(TaskOp):
    """Replace every feature with levels by one 0/1 column per level, named ``feature.level``.

    All levels of the task are encoded, also those that no row has. A missing value is missing
    in all its columns. The columns come after the features that are left alone.

    Args:
        unseen: what a level that was not there at fit does: ``"error"``, ``"zeros"`` in all
            columns, or ``"missing"`` in all columns.

    Raises:
        DataError: a level was not there at fit (with ``unseen="error"``).
        SchemaError: a new column would have the name of an old one.
    """

    name = "one_hot"

    unseen: str = parameter(default="error", check=one_of("error", "zeros", "missing"))

    def learn(self, task: Task, key: Key) -> Levels:
        """Capture the levels."""
        del key
        return _levels_of(task)

    def transform(self, state: Levels, task: Task, key: Key) -> Task:
        """Encode."""
        del key
        check_columns(tuple(name for name, _ in state), task.features)
        encoded = {name for name, _ in state}
        kept = [pl.col(n) for n in task.features if n not in encoded]
        new = [self._column(task, name, known, level) for name, known in state for level in known]
        _check_names(tuple(c for c in task.features if c not in encoded), state)
        return task.with_features(task.table.select(*kept, *new))

    def typed(self, task: TaskType) -> TaskType:
        """Encode."""
        found = _levels_of(task)
        encoded = {name for name, _ in found}
        kept = tuple((n, t) for n, t in task.dtypes if n in task.features and n not in encoded)
        _check_names(tuple(n for n, _ in kept), found)
        new = tuple((f"{n}.{level}", pl.Float64()) for n, known in found for level in known)
        order = {name: i for i, name in enumerate(task.features)}
        return task.with_features((*sorted(kept, key=lambda pair: order[pair[0]]), *new))

    def _column(self, task: Task, name: str, known: tuple[str, ...], level: str) -> pl.Expr:
        present = levels(task.dtype(name))
        if level == known[0] and self.unseen == "error":
            _check_seen(task, name, known, present)
        text = pl.col(name).cast(pl.String)
        hit = (text == level).cast(pl.Float64)
        if self.unseen == "missing":
            hit = pl.when(text.is_in(list(known))).then(hit).otherwise(None)
        return hit.alias(f"{name}.{level}")


one_hot = operator(OneHot)


def _levels_of(task: Task | TaskType) -> Levels:
    enums = [n for n in task.features if isinstance(task.dtype(n), pl.Enum)]
    return tuple((name, levels(task.dtype(name))) for name in enums)


def _check_seen(task: Task, name: str, known: tuple[str, ...], present: tuple[str, ...]) -> None:
    further = [level for level in present if level not in known]
    if not further:
        return
    text = task.column(name).cast(pl.String)
    hits = text.is_in(further).fill_null(False)
    if hits.any():
        row = int(hits.arg_true()[0])
        raise DataError(
            f"column '{name}' has the level '{text[row]}', which was not there at fit.",
            expected=", ".join(known[:12]),
            got=f"'{text[row]}' in row {row}; {int(hits.sum())} such rows",
            fix='ops.one_hot(unseen="zeros"), or drop those rows',
            column=name,
            row=row,
        )


def _check_names(kept: tuple[str, ...], found: Levels) -> None:
    new = [f"{name}.{level}" for name, known in found for level in known]
    clash = [n for n in new if n in kept or new.count(n) > 1]
    if clash:
        raise SchemaError(
            f"one_hot would make a second column '{clash[0]}'.",
            expected="new names that are free",
            got=", ".join(clash[:6]),
            fix=f"rename the feature '{clash[0]}' first",
        )
