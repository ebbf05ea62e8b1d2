"""What operators from task to task share."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.ports import Port


@descriptor
class TaskOp(Op):
    """An operator with one task in and one task out; derive from it to write your own.

    The class needs a ``name``, by which its nodes are called, and the decorator ``descriptor``,
    which makes it a frozen value; its fields are its parameters. `learn` gives what is learned,
    `transform` uses it; both leave the task that they are given as it is. Where the features
    change their number, names or types, `typed` says how. ``fpipe.testing.check_op`` tells
    whether such an operator keeps the rules.

    Raises:
        ParameterError: the class has no name or no ``transform``, or is no descriptor.

    Example:
        >>> import fpipe as fp
        >>> import polars as pl
        >>> from fpipe import ops
        >>> from fpipe.callbacks import descriptor
        >>> @descriptor
        ... class Centre(ops.TaskOp):
        ...     name = "centre"
        ...     column: str
        ...
        ...     def learn(self, task, key):
        ...         return task.column(self.column).mean()
        ...
        ...     def transform(self, state, task, key):
        ...         return task.computed(pl.col(self.column) - state)
        >>> task = fp.regression({"a": [1.0, 3.0], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(Centre("a"), task, key=fp.key(0)).column("a").to_list()
        [-1.0, 1.0]
    """

    inputs = (Port("task", Task),)
    outputs = (Port("task", Task),)

    def __attrs_pre_init__(self) -> None:
        _check_class(type(self))

    def learn(self, task: Task, key: Key) -> Any:
        """Return what is learned from a task (None where nothing is)."""
        del task, key
        return None

    def transform(self, state: Any, task: Task, key: Key) -> Task:
        """Return the task transformed by what was learned."""
        raise NotImplementedError

    def typed(self, task: TaskType) -> TaskType:
        """Return the type of the transformed task; by default that of the task."""
        return task

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> Any:
        """Learn from the task."""
        del context
        return self.learn(inputs[0], key)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Transform the task."""
        del context
        return (self.transform(state, inputs[0], key),)

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Transform the type."""
        del key, context
        return (self.typed(types[0]),)


def _check_class(cls: type[TaskOp]) -> None:
    """Raise ParameterError where the class of an operator lacks what makes it a value."""
    if "__attrs_attrs__" not in vars(cls):
        raise ParameterError(
            f"the operator {cls.__name__} is no descriptor: it can be neither compared nor set.",
            expected="a class under the decorator descriptor",
            got=f"class {cls.__name__}, without it",
            fix=f"write @descriptor above class {cls.__name__} (from fpipe.callbacks import "
            "descriptor)",
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise ParameterError(
            f"the operator {cls.__name__} has no name.",
            expected="name, a string that is a Python name, in the class",
            got="no name" if name is None else f"name = {name!r}"[:80],
            fix=f'write name = "{cls.__name__.lower()}" in class {cls.__name__}',
        )
    if cls.transform is TaskOp.transform and cls.apply is TaskOp.apply:
        raise ParameterError(
            f"the operator {cls.__name__} does not say what it makes of a task.",
            expected="a method transform(self, state, task, key) that returns a task",
            got="no such method in the class",
            fix=f"write def transform(self, state, task, key) in class {cls.__name__}",
        )
