"""Rows to validate on: split off, or given, they ride along with the task."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.data.apart import groups_of, strata_of
from fpipe.data.conform import conform
from fpipe.data.split import holdout_rows
from fpipe.data.task import Task
from fpipe.evaluate.partition import check_ratio

Data = Any
Validate = float | str | Task | None


def entered(data: Data, validate: Validate, key: Key) -> tuple[Any, ...]:
    """Return what enters a graph: tasks with rows, and validation rows riding along."""
    given = data if isinstance(data, tuple) else (data,)
    return tuple(
        with_validation(_checked_task(d), validate, key) if isinstance(d, Task) else d
        for d in given
    )


def with_validation(task: Task, validate: Validate, key: Key) -> Task:
    """Return the task with validation rows riding along.

    Raises:
        ParameterError: ``validate`` is none of the accepted forms.
        DataError: the task carries validation rows already.
    """
    if validate is None:
        return task
    if task.valid is not None:
        raise DataError(
            "the task carries validation rows already.",
            expected="validate=None, or a task without them",
            got=f"{task.valid.n_rows} rows, and validate={validate!r}"[:200],
        )
    if isinstance(validate, Task):
        return task.with_valid(_checked_valid(task, validate))
    if not isinstance(validate, str | int | float):
        raise ParameterError(
            f"validate cannot be {_article(validate)}.",
            expected="a share such as 0.2, or a task",
            got=type(validate).__name__,
            fix=f"make a task of it: {_task_call(task)}",
        )
    if validate == "test":
        raise ParameterError(
            f"validate={validate!r} has a meaning only where there is a test set.",
            expected="a share such as 0.2, or a task",
            got=repr(validate),
            fix='validate="test" belongs to fp.resample; here give the task itself',
        )
    share = check_ratio(validate, "validate")
    first, rest = holdout_rows(
        task.n_rows,
        1.0 - share,
        key.fold_in("validate"),
        groups=groups_of(task),
        strata=strata_of(task),
    )
    return task.take(first).with_valid(task.take(rest))


def _article(thing: Any) -> str:
    name = type(thing).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _task_call(task: Task) -> str:
    return f"fp.{task.kind.name}(data, {task.target!r})"


def _checked_task(task: Task) -> Task:
    if task.n_rows == 0:
        raise DataError("the task has no rows.", expected="at least one row", got=repr(task))
    return task


def _checked_valid(task: Task, valid: Task) -> Task:
    if valid.kind != task.kind or valid.target != task.target:
        raise SchemaError(
            "the validation task predicts something else.",
            expected=f"target '{task.target}' of a {task.kind.name}",
            got=f"target '{valid.target}' of a {valid.kind.name}",
        )
    if valid.n_rows == 0:
        raise DataError("the validation task has no rows.", expected="at least one row")
    return conform(valid.with_valid(None), task.outline())
