"""Strategies of what comes of tasks: graphs that learn from them, descriptors, predictions."""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe import nn
from fpipe.data.task import Task
from fpipe.evaluate.fitting import fit, run
from fpipe.graph.graph import Graph, identity
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.testing.graphs import learners, task_graphs
from fpipe.testing.networks import layer_graphs
from fpipe.testing.tables import tasks
from fpipe.testing.training import runs
from fpipe.testing.values import keys
from fpipe.train.fold import fold
from fpipe.train.plan import events

Cases: TypeAlias = SearchStrategy[tuple[Any, ...]]


@st.composite
def transforming(
    draw: DrawFn,
    /,
    *more: SearchStrategy[Any],
    law: str | None = None,
    learner: bool | None = None,
    **form: Any,
) -> tuple[Any, ...]:
    """A graph and a task it can take, whatever else is asked for, and a key."""
    shape: dict[str, Any] = {"rows": (6, 20), "repeats": True}
    task = draw(tasks(**shape | form))
    ends = draw(st.integers(0, 3)) == 0 if learner is None else learner
    graph = draw(learners(task) if ends else task_graphs(task, law=law))
    return graph, task, *(draw(one) for one in more), draw(keys())


def learning(*more: SearchStrategy[Any], rows: tuple[int, int] = (6, 10), **form: Any) -> Cases:
    """The same for small graphs that end in a prediction."""
    return transforming(*more, learner=True, rows=rows, repeats=False, **form)


def splitting() -> Cases:
    """Learners over tasks of which any half can be learned from."""
    return learning(rows=(6, 9), kind="regression", missing=False, roles=False)


@st.composite
def descriptors(draw: DrawFn, count: int) -> tuple[tuple[ModelDescriptor, ...], Task]:
    """Descriptors of paths that leave one shared prefix, over one task."""
    task = draw(tasks("regression", numeric=True, missing=False, rows=(6, 8)))
    paths = [
        nn.linear(2, id=f"own{i}") >> draw(layer_graphs(2, max_layers=2)) for i in range(count)
    ]
    graph = nn.ingress_numeric() >> nn.linear(3, id="shared") >> _beside(paths)
    held = 0.3 if draw(st.booleans()) and task.role("group") is None else None
    found = run(graph, task, key=draw(keys()), validate=held)[1]
    return (found if isinstance(found, tuple) else (found,)), task


def joined(count: int) -> Cases:
    """Descriptors of paths that leave one shared prefix."""
    return descriptors(count).map(lambda found: found[0])


def _beside(paths: list[Graph]) -> Graph:
    whole = identity(0)
    for path in paths:
        whole = whole & path
    return whole


@st.composite
def fitted_graphs(draw: DrawFn) -> Any:
    """A learner, fitted."""
    graph, task, k = draw(learning())
    return fit(graph, task, key=k)


@st.composite
def predictions(draw: DrawFn) -> Any:
    """What a fitted learner predicts for the rows it has learned from."""
    graph, task, k = draw(learning())
    return run(graph, task, key=k)[1]


@st.composite
def states(draw: DrawFn) -> Any:
    """The state that a whole run ends in."""
    training = draw(runs())
    return fold(training.run, training.state, events(training.run.plan))
