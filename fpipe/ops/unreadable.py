"""Leaving out rows whose lazy tensors cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.parameter import instance_of, optional, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.lazy.reading import materialize
from fpipe.data.lazy.tensor import LazyColumn, LazyTensor
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.operator import operator
from fpipe.ops.feature_selector import lazy
from fpipe.ops.selector import Selector, as_selector
from fpipe.ops.task_op import TaskOp
from fpipe.train.loading import ahead, default_workers

_AT_ONCE = 32


@descriptor
class Dropped:
    """What was left out of the rows that were learned from.

    Args:
        columns: the lazy columns that were tried.
        rows: pairs of row id and why the row cannot be read.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, str], ...]


@descriptor
class DropUnreadable(TaskOp):
    """Read every row once, and leave out those that cannot be read; all else stays.

    Without this operator a row that cannot be read is an error, once it is needed. What was left
    out while fitting is in the state (``fitted.state("drop_unreadable").rows``), and sinks are
    told of it each time, as an event of the kind ``"dropped"``. New rows that cannot be read are
    left out as well, so a prediction has fewer rows; their ids tell which.

    Args:
        columns: the lazy columns; all by default.

    Raises:
        DataError: no row can be read.
    """

    name = "drop_unreadable"
    exempt: ClassVar[Mapping[str, str]] = {}

    columns: Selector | None = parameter(
        default=None, check=optional(instance_of(Selector)), convert=as_selector, kw_only=True
    )

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Dropped:
        """Find the rows that cannot be read."""
        del key
        task: Task = inputs[0]
        columns = (lazy() if self.columns is None else self.columns).of(task)
        broken = unreadable(task, columns, context.resources.get("workers"))
        if len(broken) == task.n_rows and task.n_rows:
            raise DataError(
                f"none of the {task.n_rows} rows can be read.",
                expected="rows that can be read",
                got=broken[min(broken)],
                fix="check the paths",
            )
        return Dropped(columns, tuple((int(task.row_id[p]), broken[p]) for p in sorted(broken)))

    def fit_outputs(
        self, state: Dropped, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Leave out the rows that were found just now."""
        del key
        return (_left(inputs[0], dict(state.rows), context),)

    def apply(
        self, state: Dropped, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Leave them out."""
        del key
        task: Task = inputs[0]
        broken = unreadable(task, state.columns, context.resources.get("workers"))
        found = {int(task.row_id[p]): broken[p] for p in sorted(broken)}
        return (_left(task, found, context),)


def _left(task: Task, broken: Mapping[int, str], context: Context) -> Task:
    """Tell of the rows with some ids, and return the task without them."""
    for row, reason in broken.items():
        context.report({"kind": "dropped", "row": row, "reason": reason})
    return task.take([p for p, row in enumerate(task.row_id.tolist()) if row not in broken])


def unreadable(task: Task, columns: tuple[str, ...], workers: int | None = None) -> dict[int, str]:
    """Return the positions of rows that cannot be read, and why.

    Args:
        task: the rows.
        columns: the lazy columns that are tried.
        workers: how many threads read; two by default, where there are so many cores.
    """
    threads = default_workers() if workers is None else workers
    found: dict[int, str] = {}
    for name in columns:
        tensor = task.tensor(name)
        bare: LazyTensor = evolve(tensor, column=LazyColumn(tensor.column.source))
        left = [position for position in range(len(bare)) if position not in found]
        groups = (left[start : start + _AT_ONCE] for start in range(0, len(left), _AT_ONCE))
        for broken in ahead((partial(_broken, bare, name, group) for group in groups), threads):
            found |= broken
    return found


def _broken(bare: LazyTensor, name: str, group: list[int]) -> dict[int, str]:
    """Return which rows of a group cannot be read; most groups can be read at once."""
    try:
        materialize(bare.take(group))
    except DataError as error:
        if len(group) == 1:
            return {group[0]: f"{error.at or name}: {error.got}"}
    else:
        return {}
    alone = (_broken(bare, name, [position]) for position in group)
    return {position: reason for one in alone for position, reason in one.items()}


drop_unreadable = operator(DropUnreadable)
