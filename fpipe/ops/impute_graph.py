"""Filling missing values by what a graph predicts from the other features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.parameter import instance_of, optional, parameter
from fpipe.core.value import descriptor, evolve, value
from fpipe.data.kind import Classification, Kind, Regression
from fpipe.data.schema import TaskType, is_numeric
from fpipe.data.task import Rows, Task
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, Joinable, as_graph, node
from fpipe.graph.interpret import infer_graph
from fpipe.graph.op import MacroState
from fpipe.ops.column_op import ColumnOp, as_float
from fpipe.ops.feature_selector import categorical, numeric
from fpipe.ops.selector import Selector, as_selector
from fpipe.ops.stacking import check_predicts, fitted_inside, predicted_inside
from fpipe.ops.task_op import TaskOp

_KEPT_ROLES = ("group", "stratum", "weight", "order")


@value
class FilledBy:
    """What fills one feature.

    Args:
        column: the feature.
        kind: what its values are predicted as.
        content: the fitted graph, or the one value that the feature has.
    """

    column: str
    kind: Kind
    content: MacroState | float | str


@value
class Fillers:
    """What fills each feature.

    Args:
        columns: the features that are worked on.
        fillers: for those of them that can be filled.
    """

    columns: tuple[str, ...]
    fillers: tuple[FilledBy, ...]


@descriptor
class ImputeBy(TaskOp):
    """Fill missing values by predictions from the other features; see `impute_by`.

    Args:
        graph: what predicts; its paths follow the node's id directly.
        columns: the features to fill.
    """

    name = "impute_by"
    graph_fields = ("graph",)

    graph: Graph
    columns: Selector | None = parameter(
        default=None, check=optional(instance_of(Selector)), convert=as_selector
    )

    def __attrs_post_init__(self) -> None:
        check_predicts(self.name, self.graph)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Fillers:
        """Fit the graph once for each feature that is to be filled."""
        task: Task = inputs[0]
        columns = self._chooser().chosen(task)
        counts = task.statistics(*(pl.col(name).null_count() for name in columns))
        asked = self.columns is not None
        wanted = [n for n, gone in zip(columns, counts, strict=True) if gone or asked]
        fillers = tuple(self._filler(task, name, key.fold_in(name), context) for name in wanted)
        return Fillers(columns, fillers)

    def apply(
        self, state: Fillers, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Predict the missing values; numbers become floats."""
        task: Task = inputs[0]
        filled = [
            _filled(filler, task, key.fold_in(filler.column), context) for filler in state.fillers
        ]
        done = task.computed(
            *(as_float(pl.col(n)) for n in state.columns if is_numeric(task.dtype(n)))
        )
        return (done.cbind(pl.DataFrame(filled)) if filled else done,)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Numbers become floats."""
        task: TaskType = types[0]
        sure, _ = self._chooser().bounds(task)
        for name in task.features if not task.open else ():
            if name in sure:
                below = context.below(f"[{name}]")
                infer_graph(self.graph, (_part_type(task, name),), key=key, context=below)
        return (self._chooser().typed(task),)

    def graphs(self) -> Mapping[str, Graph]:
        """Return the graph inside; its paths follow the node's id directly."""
        return {"": self.graph}

    def with_graphs(self, graphs: Mapping[str, Graph]) -> ImputeBy:
        """Return the operator around another graph."""
        return evolve(self, graph=graphs[""])

    def _chooser(self) -> _Chosen:
        return _Chosen(columns=self.columns)

    def _filler(self, task: Task, name: str, key: Key, context: Context) -> FilledBy:
        known = task.take(_where(task, name, missing=False))
        present = known.column(name).unique()
        if not known.n_rows:
            raise DataError(
                f"impute_by cannot learn to fill '{name}', which is missing in every row.",
                expected="at least one value to learn from",
                got=f"{task.n_rows} missing values",
                fix=f"drop '{name}' with ops.select(~ops.named('{name}'))",
                column=name,
            )
        kind = _kind_of(known, name)
        if len(present) == 1:
            only = present.cast(pl.Float64 if is_numeric(present.dtype) else pl.String)[0]
            return FilledBy(name, kind, only)
        part = _part(known, name, kind)
        return FilledBy(
            name, kind, fitted_inside(self.graph, part, key, context.below(f"[{name}]"))
        )


def impute_by(
    graph: Joinable, *, columns: Selector | str | list[str] | None = None, id: str | None = None
) -> Graph:
    """Fill the missing values of each feature by what a graph predicts from the other features.

    For every feature the graph is fitted to the rows where it is known: numbers are predicted by
    regression, levels and truth values by classification. The graph meets missing values in the
    other features, and has to cope with them, say by ``ops.impute_median()`` at its start. All
    predictions are made from the features as they enter. Numbers become floats.

    Args:
        graph: what predicts, from one task to a prediction. Its parameters are addressed below
            the node's id, as in ``"impute_by.sklearn.max_depth"``.
        columns: the features to fill, each by a fit of its own; by default the numbers, levels
            and truth values that miss something at fit (others then stay as they are later too).
        id: the node's id; ``"impute_by"`` by default.

    Raises:
        GraphError: the graph does not lead from one task to a prediction.
        DataError: a feature is missing in every row.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners, ops
        >>> task = fp.regression({"a": [1.0, None, 3.0], "b": [1, 2, 3], "y": [1, 2, 3]}, "y")
        >>> line = learners.sklearn("sklearn.linear_model:LinearRegression")
        >>> out = fp.transform(ops.impute_by(line), task, key=fp.key(0))
        >>> [round(x, 9) for x in out.column("a")]
        [1.0, 2.0, 3.0]
    """
    return node(ImputeBy(as_graph(graph), as_selector(columns), id=id))


@descriptor
class _Chosen(ColumnOp):
    """Which features can be filled, and what type they have then."""

    name = "impute_by"
    default = numeric() | categorical()

    def becomes(self, dtype: pl.DataType) -> pl.DataType:
        """Numbers become floats."""
        return pl.Float64() if is_numeric(dtype) else dtype


def _kind_of(task: Task, name: str) -> Kind:
    """Return a regression for numbers, else a classification among the values that occur."""
    column = task.column(name)
    if is_numeric(column.dtype):
        return Regression()
    seen = set(column.unique().cast(pl.String))
    named = column.dtype.categories if isinstance(column.dtype, pl.Enum) else ("false", "true")
    classes = tuple(level for level in named if level in seen)
    return Classification(classes, classes[-1] if len(classes) == 2 else None)


def _part(task: Task, name: str, kind: Kind) -> Task:
    """Return the task of predicting one feature from the others."""
    target = task.column(name)
    if isinstance(kind, Classification):
        target = target.cast(pl.String).cast(pl.Enum(list(kind.classes)))
    else:
        target = target.cast(pl.Float64)
    bare = _without_target(task, name)
    table = pl.DataFrame([*bare.table.get_columns(), target.alias(name)])
    return evolve(bare, kind=kind, table=table, roles=bare.roles.set("target", (name,)))


def _without_target(task: Task, name: str) -> Task:
    """Return the rows with the other features, and the roles that do not speak of the target."""
    roles = {role: task.roles[role] for role in _KEPT_ROLES if task.roles.get(role)}
    roles["feature"] = tuple(n for n in task.features if n != name)
    used = [n for names in roles.values() for n in names]
    table = task.table.select(list(dict.fromkeys(used)))
    return evolve(task, table=table, roles=pmap(roles), target_inverse=())


def _part_type(task: TaskType, name: str) -> TaskType:
    dtype = task.dtype(name)
    if is_numeric(dtype):
        kind: Kind = Regression()
    else:
        named = tuple(dtype.categories) if isinstance(dtype, pl.Enum) else ("false", "true")
        kind = Classification(named, named[-1] if len(named) == 2 else None)
    roles = {role: task.roles[role] for role in _KEPT_ROLES if task.roles.get(role)}
    roles |= {"feature": tuple(n for n in task.features if n != name), "target": (name,)}
    return evolve(task, kind=kind, roles=pmap(roles))


def _filled(filler: FilledBy, task: Task, key: Key, context: Context) -> pl.Series:
    """Return a feature with its missing values filled."""
    column = task.column(filler.column)
    numbers = isinstance(filler.kind, Regression)
    rows = _where(task, filler.column, missing=True)
    values: Any = filler.content
    if isinstance(filler.content, MacroState) and len(rows):
        part = evolve(_without_target(task.take(rows), filler.column), kind=filler.kind)
        below = context.below(f"[{filler.column}]")
        values = predicted_inside(filler.content, part, key, below).response
    elif isinstance(filler.content, MacroState):
        return column.cast(pl.Float64) if numbers else column
    plain = column.cast(pl.Float64 if numbers else pl.String)
    whole = np.array(plain.to_list(), dtype=object)
    whole[rows] = values.to_list() if isinstance(values, pl.Series) else values
    made = pl.Series(filler.column, whole.tolist(), dtype=plain.dtype)
    if isinstance(column.dtype, pl.Boolean):
        return (made == "true").alias(filler.column)
    return made if numbers else made.cast(column.dtype)


def _where(task: Task, name: str, *, missing: bool) -> Rows:
    return np.flatnonzero(task.column(name).is_null().to_numpy() == missing)
