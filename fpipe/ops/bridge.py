"""scikit-learn transformers as operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.graph import Graph, node
from fpipe.ops.estimator import (
    Estimator,
    estimator_class,
    fit_estimator,
    kept,
    make,
    matrix,
    numeric_features,
)
from fpipe.ops.task_op import TaskOp


@descriptor
class SklearnTransform(TaskOp):
    """A scikit-learn transformer over all features.

    Args:
        code: the transformer's class.
        settings: its arguments.
    """

    name = "sklearn"

    code: Ref | Opaque
    settings: PMap[str, Any] = pmap()

    def parameters(self) -> dict[str, Any]:
        """The transformer's own arguments."""
        return dict(self.settings)

    def written(self) -> tuple[str, ...]:
        """The class and its arguments."""
        return (repr(self.code.name), *(f"{k}={v!r}" for k, v in items(self.settings)))

    def with_parameters(self, changes: Mapping[str, Any]) -> SklearnTransform:
        """Return the operator with some arguments replaced."""
        return evolve(self, settings=self.settings.update(pmap(dict(changes))))

    def learn(self, task: Task, key: Key) -> Estimator:
        """Fit a fresh transformer."""
        columns = numeric_features(task, self.code.name)
        made = make(self.code, self.settings, key)
        fit_estimator(made, matrix(task, columns), None)
        return kept(made, columns)

    def transform(self, state: Estimator, task: Task, key: Key) -> Task:
        """Transform with a private copy."""
        del key
        made = state.rebuilt()
        x = matrix(task, state.columns)
        names = _names(made, self.code.name, state.columns)
        if not task.n_rows:
            return task.with_features(pl.DataFrame(schema=dict.fromkeys(names, pl.Float64)))
        try:
            out = made.transform(x)
        except ValueError as error:
            raise DataError(
                f"{self.code.name} refuses these rows.", got=str(error)[:300]
            ) from error
        dense = np.asarray(out.toarray() if hasattr(out, "toarray") else out, np.float64)
        return task.with_features(pl.DataFrame(dense, schema=list(names)))

    def typed(self, task: TaskType) -> TaskType:
        """Only data can tell how many features a transformer makes."""
        self.code.resolve()
        if not task.open:
            numeric_features(task, self.code.name)
        return task.with_features((), open=True)


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
