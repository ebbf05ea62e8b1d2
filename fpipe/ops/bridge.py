"""scikit-learn transformers as operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from pyrsistent import pmap

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, node
from fpipe.graph.ports import Port
from fpipe.ops.estimator import (
    Estimator,
    call,
    estimator_class,
    fit_estimator,
    kept,
    make,
    matrix,
    numeric_features,
)
from fpipe.ops.estimator_op import EstimatorOp


@descriptor
class SklearnTransform(EstimatorOp):
    """A scikit-learn transformer over all features."""

    inputs = (Port("task", Task),)
    outputs = (Port("task", Task),)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Estimator:
        """Fit a fresh transformer."""
        del context
        task: Task = inputs[0]
        columns = numeric_features(task, self.code.name)
        made = make(self.code, self.settings, key)
        fit_estimator(made, matrix(task, columns), None)
        return kept(made, columns)

    def apply(
        self, state: Estimator, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Transform with a private copy."""
        del key, context
        return (self.transformed(state, inputs[0]),)

    def transformed(self, state: Estimator, task: Task) -> Task:
        """Return the task with what the transformer makes as its features."""
        made = state.rebuilt()
        x = matrix(task, state.columns)
        names = _names(made, self.code.name, state.columns)
        if not task.n_rows:
            return task.with_features(pl.DataFrame(schema=dict.fromkeys(names, pl.Float64)))
        dense = call(made, "transform", x)
        return task.with_features(pl.DataFrame(dense, schema=list(names)))

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Only data can tell how many features a transformer makes."""
        del key, context
        task: TaskType = types[0]
        self.code.resolve()
        if not task.open:
            numeric_features(task, self.code.name)
        return (task.with_features((), open=True),)


def sklearn(code: Any, *, id: str | None = None, **settings: Any) -> Graph:
    """Use a scikit-learn transformer over all features, which must be numeric.

    Where it draws and no ``random_state`` is given, the seed comes from the key.

    Args:
        code: its class, or ``"package.module:Class"``.
        id: the node's id; ``"sklearn"`` by default.
        **settings: its arguments.

    Raises:
        ParameterError: the class does not take an argument.
        DataError: the transformer refuses the data.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0, 7.0], "y": [1, 2, 3]}, "y")
        >>> pca = ops.sklearn("sklearn.decomposition:PCA", n_components=1)
        >>> fp.transform(pca, task, key=fp.key(0)).features
        ('pca0',)
    """
    return node(SklearnTransform(estimator_class(code), pmap(settings), id=id))


def _names(made: Any, name: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    try:
        found = made.get_feature_names_out(np.array(columns, dtype=object))
    except (AttributeError, ValueError):
        width = made.transform(np.zeros((1, len(columns)))).shape[1]
        return tuple(f"{name.lower()}{i}" for i in range(width))
    return tuple(str(n) for n in found)
