"""scikit-learn classifiers and regressors as learners."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyrsistent import pmap

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import descriptor
from fpipe.data.kind import Classification, Kind
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
        _check_kind(made, task.kind)
        weight = task.role("weight")
        extra = {} if weight is None else {"sample_weight": weight.cast(pl.Float64).to_numpy()}
        classes = isinstance(task.kind, Classification)
        y = np.array(target.to_list(), dtype=object if classes else np.float64)
        fit_estimator(made, matrix(task, columns), y, **extra)
        if classes and not hasattr(made, "classes_"):
            raise _other_kind(made, task.kind, "an estimator without classes_")
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
        del context
        self.code.resolve()
        if not types[0].open:
            numeric_features(types[0], self.code.name)
        if REQUIRED not in self.settings.values():
            _check_kind(make(self.code, self.settings, key), types[0].kind)
        return (Prediction,)


def sklearn(code: Any, *, id: str | None = None, **settings: Any) -> Graph:
    """Use a scikit-learn classifier or regressor over all features, which must be numeric.

    Where it draws and no ``random_state`` is given, the seed comes from the key.

    Args:
        code: its class, or ``"package.module:Class"``.
        id: the node's id; ``"sklearn"`` by default.
        **settings: its arguments.

    Raises:
        ParameterError: the class does not take an argument, or is not for the kind of task.
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


def _check_kind(made: Any, kind: Kind) -> None:
    """Raise ParameterError where an estimator does not predict what a kind of task asks for."""
    found, wanted = _type_of(made), _WANTED[kind.name]
    unknown = found is None and hasattr(made, "predict")
    if found != wanted and not unknown:
        words = "no predictor" if found is None else f"a {found.replace('_', ' ')}"
        raise _other_kind(made, kind, words)


_WANTED = {"classification": "classifier", "regression": "regressor"}


def _type_of(made: Any) -> str | None:
    """Return what scikit-learn says that an estimator is; None where it does not say."""
    try:
        from sklearn.utils import get_tags  # noqa: PLC0415

        found: str | None = get_tags(made).estimator_type
    except (ImportError, AttributeError, TypeError):
        # Older releases of scikit-learn, and classes that are not derived from its own.
        return getattr(made, "_estimator_type", None)
    return found


def _other_kind(made: Any, kind: Kind, words: str) -> ParameterError:
    name, wanted = type(made).__name__, _WANTED[kind.name]
    scaler = hasattr(made, "transform") and not hasattr(made, "predict")
    return ParameterError(
        f"{name} is {words}, and the task is a {kind.name}.",
        expected=f"a {wanted} of scikit-learn",
        got=words,
        fix=f"ops.sklearn({name}), before a learner"
        if scaler
        else f"use the {wanted} of that family"
        + (f", such as {_EXAMPLES[wanted]}" if wanted in _EXAMPLES else ""),
    )


_EXAMPLES = {
    "classifier": '"sklearn.tree:DecisionTreeClassifier"',
    "regressor": '"sklearn.tree:DecisionTreeRegressor"',
}


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
            f"{type(made).__name__} refuses these rows.",
            expected="rows like those that it was fitted on",
            got=str(error).splitlines()[0][:300],
            fix="fill what is missing first, with ops.impute_median() or ops.impute_hist()"
            if np.isnan(x).any()
            else "predict on rows like those at fit",
        ) from error
