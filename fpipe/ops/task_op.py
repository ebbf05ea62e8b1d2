"""What operators from task to task share."""

from __future__ import annotations

from typing import Any

from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.ports import Port


@descriptor
class TaskOp(Op):
    """An operator with one task in and one task out."""

    inputs = (Port("task", Task),)
    outputs = (Port("task", Task),)

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
