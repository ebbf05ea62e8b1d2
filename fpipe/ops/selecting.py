"""Keeping some features."""

from __future__ import annotations

from typing import Any

from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, instance_of, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.graph import operator
from fpipe.ops.selector import ByName, Selector
from fpipe.ops.task_op import TaskOp


def _selector(given: Any) -> Any:
    if isinstance(given, str):
        return ByName((given,))
    return ByName(tuple(given)) if isinstance(given, list | tuple) else given


@descriptor
class Select(TaskOp):
    """Keep only the features that a selector chooses; other roles stay.

    Args:
        selector: a selector such as ``ops.numeric()``, or feature names.

    Raises:
        SchemaError: a named feature is not there.
    """

    name = "select"

    selector: Selector = parameter(default=REQUIRED, check=instance_of(Selector), convert=_selector)

    def learn(self, task: Task, key: Key) -> tuple[str, ...]:
        """Capture the chosen features."""
        del key
        return self.selector.of(task)

    def transform(self, state: tuple[str, ...], task: Task, key: Key) -> Task:
        """Keep them."""
        del key
        return task.select(state)

    def typed(self, task: TaskType) -> TaskType:
        """Keep them."""
        chosen = self.selector.of(task)
        kept = tuple((n, t) for n, t in task.dtypes if n in chosen)
        order = {name: i for i, name in enumerate(chosen)}
        return task.with_features(tuple(sorted(kept, key=lambda pair: order[pair[0]])))


select = operator(Select)
