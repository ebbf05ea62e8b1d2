"""Keeping some features."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, instance_of, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task
from fpipe.graph.graph import Graph
from fpipe.graph.operator import operator
from fpipe.ops.selector import Selector, as_selector
from fpipe.ops.task_op import TaskOp

_P = ParamSpec("_P")


@descriptor
class Select(TaskOp):
    """Keep only the features that a selector chooses; other roles stay.

    They are chosen at fit: later the same names are kept, whatever the new rows hold.

    Args:
        selector: a selector such as ``ops.numeric()``, or feature names.

    Raises:
        SchemaError: a named feature is not there.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 2.0], "k": ["u", "v"], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.select(ops.numeric()), task, key=fp.key(0)).features
        ('a',)
    """

    name = "select"

    selector: Selector = parameter(
        default=REQUIRED, check=instance_of(Selector), convert=as_selector
    )

    def learn(self, task: Task, key: Key) -> tuple[str, ...]:
        """Capture the chosen features."""
        del key
        return self.selector.of(task)

    def transform(self, state: tuple[str, ...], task: Task, key: Key) -> Task:
        """Keep them."""
        del key
        return task.select(state)

    def typed(self, task: TaskType) -> TaskType:
        """Keep them; a feature whose choice depends on data may come or not."""
        if self.selector is REQUIRED:
            return task.with_features((), open=True)
        sure, possible = self.selector.bounds(task)
        dtypes = dict(task.dtypes)
        kept = tuple((name, dtypes[name]) for name in task.features if name in sure)
        return task.with_features(kept, open=task.open or sure != possible)


def _of_one_choice(make: Callable[_P, Graph]) -> Callable[_P, Graph]:
    """Return the function that refuses several names in a row, and says how to give them."""

    @functools.wraps(make)
    def select(*args: _P.args, **kwargs: _P.kwargs) -> Graph:
        if len(args) > 1:
            names = all(isinstance(one, str) for one in args)
            raise ParameterError(
                f"select takes one selector, or one list of names, but got {len(args)} arguments.",
                expected="a selector such as ops.numeric(), a name, or a list of names",
                got=", ".join(map(repr, args))[:200],
                fix=f"ops.select({list(args)!r})" if names else "join selectors with |, & and ~",
            )
        return make(*args, **kwargs)

    return select


select = _of_one_choice(operator(Select))
