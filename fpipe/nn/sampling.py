"""How often each training row is drawn."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError
from fpipe.data.kind import Classification
from fpipe.data.task import Task


def chances(task: Task, sampling: str) -> NDArray[np.float64] | None:
    """Return the chance of each row to be drawn, ``[rows]``; None where every row comes once.

    Args:
        task: the training rows.
        sampling: ``"all"``, ``"classes"`` for classes that are equally likely, or ``"weights"``
            for chances in proportion to the weights of the rows.

    Raises:
        ParameterError: the task has no classes, or no weights.

    Example:
        >>> import fpipe as fp
        >>> task = fp.classification({"x": [1, 2, 3], "y": ["a", "a", "b"]}, "y")
        >>> chances(task, "classes").tolist()
        [0.25, 0.25, 0.5]
    """
    if sampling == "all":
        return None
    if sampling == "classes":
        return _of_classes(task)
    weights = task.role("weight")
    if weights is None:
        raise ParameterError(
            "sampling by weights needs weights.",
            expected="a task with a weight in every row",
            got=f"'{task.name}', without the role weight",
            fix="task.with_roles(weight='column'), or sampling='classes'",
        )
    given = weights.cast(pl.Float64).to_numpy()
    total: NDArray[np.float64] = given / given.sum()
    return total


def _of_classes(task: Task) -> NDArray[np.float64]:
    target = task.role("target")
    if not isinstance(task.kind, Classification) or target is None:
        raise ParameterError(
            "sampling by classes is for classification.",
            expected="a classification task",
            got=f"'{task.name}', a {task.kind.name}",
            fix="sampling='all', or 'weights' with a column of weights",
        )
    codes = target.to_physical().to_numpy()
    counts = np.bincount(codes, minlength=len(task.classes))
    present = int((counts > 0).sum())
    found = 1.0 / (present * counts[codes])
    total: NDArray[np.float64] = found / found.sum()
    return total
