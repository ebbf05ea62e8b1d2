"""scikit-learn classifiers and regressors as learners."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyrsistent import pmap

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction, predicted_classes, predicted_numbers
from fpipe.data.task import Task, check_learnable
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, node
from fpipe.graph.ports import Port
from fpipe.ops.estimator import (
    Estimator,
    estimator_class,
    fit_estimator,
    kept,
    make,
    matrix,
    numeric_features,
)
from fpipe.ops.estimator_op import EstimatorOp


@descriptor
class SklearnLearner(EstimatorOp):
    """A scikit-learn classifier or regressor over all features."""

    inputs = (Port("task", Task),)
    outputs = (Port("prediction", Prediction),)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Estimator:
        """Fit a fresh estimator."""
        del context
        task: Task = inputs[0]
        target = check_learnable(task)
        columns = numeric_features(task, self.code.name)
        made = make(self.code, self.settings, key)
        weight = task.role("weight")
        extra = {} if weight is None else {"sample_weight": weight.cast(pl.Float64).to_numpy()}
        classes = isinstance(task.kind, Classification)
        y = np.array(target.to_list(), dtype=object if classes else np.float64)
        fit_estimator(made, matrix(task, columns), y, **extra)
        return kept(made, columns)

    def apply(
        self, state: Estimator, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Predict with a private copy."""
        del key, context
        task: Task = inputs[0]
        made = state.rebuilt()
        x = matrix(task, state.columns)
        if not isinstance(task.kind, Classification):
            numbers = np.asarray(_call(made, "predict", x), np.float64).reshape(-1)
            return (predicted_numbers(task, numbers),)
        return (predicted_classes(task, _probabilities(made, x, task.kind)),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """A prediction."""
        del key, context
        self.code.resolve()
        if not types[0].open:
            numeric_features(types[0], self.code.name)
        return (Prediction,)


def sklearn(code: Any, *, id: str | None = None, **settings: Any) -> Graph:
    """Use a scikit-learn classifier or regressor over all features, which must be numeric.

    Where it draws and no ``random_state`` is given, the seed comes from the key.

    Args:
        code: its class, or ``"package.module:Class"``.
        id: the node's id; ``"sklearn"`` by default.
        **settings: its arguments.

    Raises:
        ParameterError: the class does not take an argument.
        DataError: the estimator refuses the data.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners
        >>> task = fp.regression({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 1.0, 5.0, 5.0]}, "y")
        >>> tree = learners.sklearn("sklearn.tree:DecisionTreeRegressor")
        >>> fp.predict(fp.fit(tree, task, key=fp.key(0)), task).score("rmse")
        0.0
    """
    return node(SklearnLearner(estimator_class(code), pmap(settings), id=id))


def _probabilities(made: Any, x: Any, kind: Classification) -> NDArray[np.float64]:
    """Return ``[rows, classes]`` in the task's order; certain where only classes are given."""
    known = [str(c) for c in made.classes_]
    prob = np.zeros((len(x), len(kind.classes)))
    places = [kind.classes.index(name) for name in known]
    if hasattr(made, "predict_proba"):
        if len(x):
            prob[:, places] = _call(made, "predict_proba", x)
        return prob
    for row, name in enumerate(_call(made, "predict", x)):
        prob[row, kind.classes.index(str(name))] = 1.0
    return prob


def _call(made: Any, method: str, x: Any) -> Any:
    if not len(x):
        return np.empty(0)
    try:
        return getattr(made, method)(x)
    except ValueError as error:
        raise DataError(
            f"{type(made).__name__} refuses these rows.", got=str(error)[:300]
        ) from error
