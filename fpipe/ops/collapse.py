"""Rare levels as one."""

from __future__ import annotations

import polars as pl

from fpipe.core.key import Key
from fpipe.core.parameter import integer, number, optional, parameter, text
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType, check_columns
from fpipe.data.schema import levels as levels_of
from fpipe.data.task import Task
from fpipe.graph.operator import operator
from fpipe.ops.column_op import Learned, forgotten
from fpipe.ops.encoding import Levelled
from fpipe.ops.level_sets import joined_levels, with_levels


@descriptor
class CollapseLevels(Levelled):
    """Let one level stand for all rare ones; levels that were not there at fit become it too.

    The levels that stay keep their order, and the one that stands for the others is the last
    (where it is no level that stays anyway), also where no row has it. Missing values stay
    missing and do not count.

    Args:
        share: levels with a smaller share of the rows are rare.
        max_levels: how many levels may stay, the most frequent ones (the first of equals); any
            number by default.
        into: the level that stands for the rare ones.
        columns: the features to work on; all with levels by default.

    Source:
        mlr3pipelines' PipeOpCollapseFactors; recipes' ``step_other``.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"c": ["u", "u", "v", "w"], "y": [1, 2, 3, 4]}, "y")
        >>> out = fp.transform(ops.collapse_levels(share=0.3), task, key=fp.key(0))
        >>> out.column("c").to_list()
        ['u', 'u', 'other', 'other']
    """

    name = "collapse_levels"

    share: float = parameter(default=0.01, check=number(0.0, 1.0), convert=float)
    max_levels: int | None = parameter(default=None, check=optional(integer(1)))
    into: str = parameter(default="other", check=text())

    def learn(self, task: Task, key: Key) -> Learned:
        """Find the levels that stay."""
        del key
        columns = self.chosen(task)
        return Learned(columns, tuple(self._staying(task, name) for name in columns))

    def transform(self, state: Learned, task: Task, key: Key) -> Task:
        """Collapse the others."""
        del key
        check_columns(state.columns, task.features)
        return task.computed(*(self._collapsed(task, n, stay) for n, stay in state.items()))

    def typed(self, task: TaskType) -> TaskType:
        """Only data can tell which levels stay, so the features are not known any more."""
        return forgotten(task, self.bounds(task).possible)

    def _staying(self, task: Task, name: str) -> tuple[str, ...]:
        known = levels_of(task.dtype(name))
        codes = task.column(name).drop_nulls().to_physical()
        found = dict(codes.value_counts(name="n").iter_rows())
        counts = [found.get(code, 0) for code in range(len(known))]
        order = sorted(range(len(known)), key=lambda code: (-counts[code], code))
        most = set(order[: self.max_levels])
        least = self.share * len(codes)
        return tuple(known[i] for i, n in enumerate(counts) if n and n >= least and i in most)

    def _collapsed(self, task: Task, name: str, stay: tuple[str, ...]) -> pl.Expr:
        column, wanted = pl.col(name), joined_levels(stay, [self.into])
        into = pl.lit(self.into, dtype=wanted)
        found = with_levels(column, task.dtype(name), wanted).fill_null(into)
        return pl.when(column.is_not_null()).then(found).otherwise(pl.lit(None, dtype=wanted))


collapse_levels = operator(CollapseLevels)
