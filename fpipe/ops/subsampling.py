"""Learning from a part of the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.parameter import boolean, number, parameter, real
from fpipe.core.value import descriptor
from fpipe.data.task import Rows, Task
from fpipe.graph.context import Context
from fpipe.graph.operator import operator
from fpipe.ops.task_op import TaskOp

_REASON = "subsampling changes rows only while fitting"


@descriptor
class Subsample(TaskOp):
    """Learn from a part of the rows, drawn at random; new data and validation rows stay whole.

    Args:
        share: the part, as a share of the rows; above 1 only with ``replace``.
        replace: whether rows are drawn with replacement. Repeats get row ids of their own and keep
            their origin.
        stratify: whether each class keeps its share (rounded, halves to even).

    Raises:
        DataError: no row would be left, or a class would lose all of its rows.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": range(10), "y": range(10)}, "y")
        >>> fp.transform(ops.subsample(0.3), task, key=fp.key(0)).n_rows
        3

    Source:
        Subsampling of mlr3pipelines.
    """

    name = "subsample"
    exempt: ClassVar[Mapping[str, str]] = {"fit is apply": _REASON, "fit with validation": _REASON}

    share: float = parameter(
        default=1.0 - math.exp(-1.0), check=number(0.0, above=True), convert=real
    )
    replace: bool = parameter(default=False, check=boolean(), kw_only=True)
    stratify: bool = parameter(default=False, check=boolean(), kw_only=True)

    def learn(self, task: Task, key: Key) -> None:
        """Check that rows are left."""
        for name, rows in self._parts(task):
            size = round(self.share * len(rows))
            if size < 1 or (size > len(rows) and not self.replace):
                raise DataError(
                    f"a share of {self.share} of {len(rows)} {name} is {size}.",
                    expected=f"from 1 to {len(rows)} rows",
                    got=f"{size} rows",
                    fix="give another share, or replace=True",
                )

    def fit_outputs(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Keep the rows that are drawn, in their order."""
        del state, context
        task: Task = inputs[0]
        drawn = [self._drawn(task, rows, key.fold_in(name)) for name, rows in self._parts(task)]
        rows = np.sort(np.concatenate(drawn))
        return (task.repeat(rows) if self.replace else task.take(rows),)

    def transform(self, state: Any, task: Task, key: Key) -> Task:
        """Return the task as it is."""
        del state, key
        return task

    def _drawn(self, task: Task, rows: Rows, key: Key) -> Rows:
        size = round(self.share * len(rows))
        if self.replace:
            return rows[key.numpy().integers(0, len(rows), size)]
        order = np.argsort(key.row_uniforms(task.row_id[rows])[:, 0], kind="stable")
        return rows[order[:size]]

    def _parts(self, task: Task) -> list[tuple[str, Rows]]:
        """Return the rows that are drawn from one by one, with their name."""
        target = task.role("target") if self.stratify else None
        if target is None or not task.classes:
            return [("rows", np.arange(task.n_rows, dtype=np.int64))]
        classes = target.cast(pl.String).to_numpy()
        found = [(name, np.flatnonzero(classes == name)) for name in task.classes]
        return [(f"rows of '{name}'", rows) for name, rows in found if len(rows)]


subsample = operator(Subsample)
