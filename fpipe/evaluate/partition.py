"""Splitting a task in two."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import Key, require_key
from fpipe.data.apart import groups_of, strata_of
from fpipe.data.split import holdout_rows
from fpipe.data.task import Task


def partition(
    task: Task, ratio: float = 2 / 3, *, key: Key, stratify: bool = True
) -> tuple[Task, Task]:
    """Split the rows of a task at random in two.

    Rows of one group, and repeats of one row, stay together. The task's strata, or where it has
    none its classes, keep their proportions, within one row where there are no groups.

    Args:
        task: the task.
        ratio: share of the rows in the first part, in (0, 1).
        key: where the randomness comes from.
        stratify: whether proportions are kept.

    Returns:
        both parts; row ids are kept.

    Raises:
        DataError: one part would be empty.

    Example:
        >>> import fpipe as fp
        >>> task = fp.regression({"x": [1, 2, 3], "y": [1, 2, 3]}, "y")
        >>> [part.n_rows for part in fp.partition(task, key=fp.key(0))]
        [2, 1]
    """
    check_ratio(ratio, "ratio")
    check_task(task)
    first, rest = holdout_rows(
        task.n_rows,
        ratio,
        require_key(key, "partition"),
        groups=groups_of(task),
        strata=strata_of(task) if stratify else None,
    )
    return task.take(first), task.take(rest)


def check_task(task: Any) -> None:
    """Raise DataError for anything but a task."""
    if not isinstance(task, Task):
        raise DataError(
            f"{type(task).__name__} is no task.",
            expected="a task",
            got=type(task).__name__,
            fix="fp.classification(data, target) or fp.regression(data, target)",
        )
    if task.valid is not None:
        raise DataError(
            "a task that carries validation rows cannot be split.",
            expected="a task without them",
            got=f"{task.valid.n_rows} validation rows",
            fix="split first, then task.with_valid(...)",
        )


def check_ratio(ratio: object, name: str) -> float:
    """Return a share, or raise ParameterError where it is none in (0, 1)."""
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0.0 < ratio < 1.0:
        raise ParameterError(
            f"{name} cannot be {ratio!r}.",
            expected="a number above 0 and below 1",
            got=repr(ratio),
            fix=f"{name}=0.2, or a task" if name == "validate" else f"{name}=0.8",
        )
    return float(ratio)
