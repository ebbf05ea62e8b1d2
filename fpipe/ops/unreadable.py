"""Leaving out rows whose lazy tensors cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
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
        broken = unreadable(task, columns)
        if len(broken) == task.n_rows and task.n_rows:
            raise DataError(
                f"none of the {task.n_rows} rows can be read.",
                expected="rows that can be read",
                got=broken[min(broken)],
                fix="check the paths",
            )
        return Dropped(columns, tuple((int(task.row_id[p]), broken[p]) for p in sorted(broken)))

    def apply(
        self, state: Dropped, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Leave them out."""
        del key
        task: Task = inputs[0]
        broken = unreadable(task, state.columns)
        for position in sorted(broken):
            row = int(task.row_id[position])
            context.report({"kind": "dropped", "row": row, "reason": broken[position]})
        return (task.take([p for p in range(task.n_rows) if p not in broken]),)


def unreadable(task: Task, columns: tuple[str, ...]) -> dict[int, str]:
    """Return the positions of rows that cannot be read, and why."""
    found: dict[int, str] = {}
    for name in columns:
        tensor = task.tensor(name)
        bare: LazyTensor = evolve(tensor, column=LazyColumn(tensor.column.source))
        for position in range(len(bare)):
            if position in found:
                continue
            try:
                materialize(bare.take([position]))
            except DataError as error:
                found[position] = f"{error.at or name}: {error.got}"
    return found


drop_unreadable = operator(DropUnreadable)
