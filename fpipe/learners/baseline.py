"""The baseline: predicting without features."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction, predicted_classes, predicted_numbers
from fpipe.data.task import Task, check_learnable
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port


@descriptor
class Featureless(Op):
    """Predict the mean of the target, or the shares of the classes, whatever the features.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import learners
        >>> task = fp.regression({"x": [0, 0], "y": [1.0, 3.0]}, "y")
        >>> fitted = fp.fit(learners.featureless(), task, key=fp.key(0))
        >>> fp.predict(fitted, task).response.to_list()
        [2.0, 2.0]
    """

    name = "featureless"
    inputs = (Port("task", Task),)
    outputs = (Port("prediction", Prediction),)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> tuple[float, ...]:
        """Measure the mean, or the share of every class."""
        del key, context
        task: Task = inputs[0]
        target = check_learnable(task)
        if isinstance(task.kind, Classification):
            text = target.cast(pl.String)
            return tuple(float((text == name).sum()) / task.n_rows for name in task.classes)
        return (float(target.cast(pl.Float64).mean()),)  # type: ignore[arg-type]

    def apply(
        self, state: tuple[float, ...], inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Repeat it for every row."""
        del key, context
        task: Task = inputs[0]
        rows = np.tile(np.array(state), (task.n_rows, 1))
        if isinstance(task.kind, Classification):
            return (predicted_classes(task, rows),)
        return (predicted_numbers(task, rows[:, 0]),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """A prediction."""
        del types, key, context
        return (Prediction,)


featureless = operator(Featureless)
