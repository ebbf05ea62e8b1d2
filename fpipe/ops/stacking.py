"""Predictions of a graph as features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.errors import GraphError
from fpipe.core.key import Key
from fpipe.core.parameter import Check, boolean, integer, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.apart import groups_of, strata_of
from fpipe.data.kind import Classification, Kind
from fpipe.data.prediction import Prediction
from fpipe.data.schema import TaskType
from fpipe.data.split import fold_rows, holdout_rows
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, Joinable, as_graph, node
from fpipe.graph.interpret import apply_graph, fit_graph, infer_graph
from fpipe.graph.op import MacroState
from fpipe.ops.naming import check_free
from fpipe.ops.selector import View
from fpipe.ops.task_op import TaskOp

_SHARE = Check(
    "a number above 0 and below 1, or None",
    lambda x: x is None or (isinstance(x, float) and 0.0 < x < 1.0),
)
_REASON = "a training row is predicted by a fit that has not seen it"


@descriptor
class OutOfFold(TaskOp):
    """Features that are the predictions of a graph; see `out_of_fold`.

    Args:
        graph: what predicts; its paths follow the node's id directly.
        folds: how many parts the training rows are dealt to.
        keep: whether the features stay beside the predictions.
        validate: share of the rows of every fit that the graph validates on.
    """

    name = "out_of_fold"
    graph_fields = ("graph",)
    exempt: ClassVar[Mapping[str, str]] = {"fit is apply": _REASON, "fit with validation": _REASON}

    graph: Graph
    folds: int = parameter(default=3, check=integer(2))
    keep: bool = parameter(default=False, check=boolean())
    validate: float | None = parameter(default=None, check=_SHARE)

    def __attrs_post_init__(self) -> None:
        check_predicts(self.name, self.graph)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> MacroState:
        """Fit the graph on all rows, for rows that come later."""
        task: Task = inputs[0]
        self._check_names(task, context)
        return fitted_inside(self.graph, self._validated(task, key), key, context)

    def fit_outputs(
        self, state: MacroState, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Predict each fold of the training rows by the graph fitted on the other folds."""
        task: Task = inputs[0]
        groups, strata = groups_of(task), strata_of(task)
        tests = fold_rows(task.n_rows, self.folds, key.fold_in(-2), groups=groups, strata=strata)
        columns = np.empty((task.n_rows, len(_suffixes(task.kind))))
        for fold, rows in enumerate(tests):
            others = np.setdiff1d(np.arange(task.n_rows), rows)
            own = key.fold_in(fold)
            learned_from = self._validated(task.take(others), own)
            inside = context.below(f"[{fold}]")
            found = fitted_inside(self.graph, learned_from, own, inside)
            columns[rows] = _numbers(predicted_inside(found, task.take(rows), own, inside))
        return (self._joined(task, columns, context),)

    def apply(
        self, state: MacroState, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Predict by the graph fitted on all rows."""
        task: Task = inputs[0]
        columns = _numbers(predicted_inside(state, task, key, context))
        return (self._joined(task, columns, context),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """One number per row, or per row and class."""
        task: TaskType = types[0]
        infer_graph(self.graph, types, key=key, context=context)
        self._check_names(task, context)
        new = tuple((name, pl.Float64()) for name in self._names(task.kind, context))
        kept = tuple((name, task.dtype(name)) for name in task.features) if self.keep else ()
        return (task.with_features((*kept, *new), open=task.open and self.keep),)

    def graphs(self) -> Mapping[str, Graph]:
        """Return the graph inside; its paths follow the node's id directly."""
        return {"": self.graph}

    def with_graphs(self, graphs: Mapping[str, Graph]) -> OutOfFold:
        """Return the operator around another graph."""
        return evolve(self, graph=graphs[""])

    def _validated(self, task: Task, key: Key) -> Task:
        """Return the task with some of its rows set aside to validate on, where wanted."""
        if self.validate is None:
            return task
        groups, strata, own = groups_of(task), strata_of(task), key.fold_in(-1)
        ratio = 1.0 - self.validate
        first, rest = holdout_rows(task.n_rows, ratio, own, groups=groups, strata=strata)
        return task.take(first).with_valid(task.take(rest))

    def _joined(self, task: Task, columns: np.ndarray[Any, Any], context: Context) -> Task:
        frame = pl.DataFrame(columns, schema=list(self._names(task.kind, context)))
        return task.cbind(frame) if self.keep else task.with_features(frame)

    def _names(self, kind: Kind, context: Context) -> tuple[str, ...]:
        return tuple(f"{context.path[-1]}.{suffix}" for suffix in _suffixes(kind))

    def _check_names(self, task: View, context: Context) -> None:
        replaced = () if self.keep else task.features
        check_free(self.name, self._names(task.kind, context), task, replaced=replaced)


def out_of_fold(
    graph: Joinable,
    *,
    folds: int = 3,
    keep: bool = False,
    validate: float | None = None,
    id: str | None = None,
) -> Graph:
    """Make the predictions of a graph the features, for a learner that comes after it.

    While fitting, each training row is predicted by the graph fitted on folds without it, so that
    what comes next learns from honest predictions; groups and repeats of a row are never parted.
    Later rows, and validation rows, are predicted by the graph fitted on all training rows.
    Features are named ``<id>.response`` for a regression, else ``<id>.<class>`` for the
    probability of each class.

    Args:
        graph: what predicts, from one task to a prediction. Its parameters are addressed below
            the node's id, as in ``"out_of_fold.mlp.epochs"``.
        folds: how many parts the training rows are dealt to, at least 2.
        keep: whether the features stay beside the predictions.
        validate: share of the rows of every fit that the graph validates on, for early stopping.
        id: the node's id; ``"out_of_fold"`` by default.

    Raises:
        GraphError: the graph does not lead from one task to a prediction.
        DataError: there are fewer rows (or groups) than folds.
        SchemaError: a column has the name of a prediction already.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners, ops
        >>> task = fp.regression({"x": [0, 0, 0], "y": [1.0, 3.0, 8.0]}, "y")
        >>> stack = ops.out_of_fold(learners.featureless(), id="mean")
        >>> out = fp.transform(stack, task, key=fp.key(0))
        >>> out.column("mean.response").to_list()
        [5.5, 4.5, 2.0]

    Source:
        Wolpert 1992, *Stacked generalization*.
    """
    return node(OutOfFold(as_graph(graph), folds, keep, validate, id=id))


def fitted_inside(graph: Graph, task: Task, key: Key, context: Context) -> MacroState:
    """Return a graph fitted to a task inside an operator."""
    states, _ = fit_graph(graph, (task,), key=key, context=context, wanted=False)
    return MacroState(graph, pmap(states))


def predicted_inside(state: MacroState, task: Task, key: Key, context: Context) -> Prediction:
    """Return the prediction of a graph that was fitted inside an operator."""
    found = apply_graph(state.expansion, state.states, (task,), key=key, context=context)
    prediction: Prediction = found[0]
    return prediction


def check_predicts(what: str, graph: Graph) -> None:
    """Raise GraphError for a graph that does not lead from one task to one prediction."""
    last = [port.type for port in graph.output_ports]
    takes = len(graph.ports) == 1 and issubclass(Task, graph.ports[0].type)
    if not takes or last != [Prediction]:
        raise GraphError(
            f"{what} needs a graph that predicts.",
            expected="one task in, one prediction out",
            got=f"({', '.join(map(repr, graph.ports))}) -> "
            f"({', '.join(map(repr, graph.output_ports))})",
            fix="end it with a learner or nn.model(...)",
        )


def _suffixes(kind: Kind) -> tuple[str, ...]:
    return kind.classes if isinstance(kind, Classification) else ("response",)


def _numbers(prediction: Prediction) -> np.ndarray[Any, Any]:
    """Return what is predicted as ``[rows, 1]`` or ``[rows, classes]``."""
    if prediction.prob is not None:
        return prediction.prob.to_numpy()
    return prediction.response.cast(pl.Float64).to_numpy().reshape(-1, 1)
