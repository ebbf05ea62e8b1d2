"""Law 3: what a fitted operator does to a row depends on that row and the fit alone."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from fpipe import learners, ops
from fpipe.data.kind import Regression
from fpipe.graph.graph import Graph
from fpipe.testing import holds, keys, tasks
from fpipe.testing.graphs import TASK_OPS, task_ops
from fpipe.testing.laws.fit_apply import FIT_APPLY, PREDICTORS, TASK_OPERATORS

MORE = {
    "rows are apart": [st.floats(0.0, 1.0)],
    "rows may move": [keys()],
    "columns may move": [keys()],
    "fit with validation": [st.floats(0.05, 0.95)],
    "row order at fit": [keys()],
    "batch size is unread": [st.integers(1, 7)],
}
NOT_TASK_OPS = {"branch", "sklearn"}
"""A macro with laws of its own, and the bridge, which is tried below on numeric tasks."""


def ids(law):
    return law.name


@pytest.mark.parametrize("law", [*FIT_APPLY, *TASK_OPERATORS, *PREDICTORS], ids=ids)
def test_law(law):
    """The law holds in every case that was tried, on graphs and learners."""
    assert holds(law) >= settings().max_examples


@st.composite
def cases_of_op(draw, name, law):
    """One operator over a task that it can take."""
    kind = "regression" if name == "scale_target" else None
    task = draw(tasks(kind, rows=(4, 20), repeats=True))
    fitting = task_ops(task).filter(lambda graph: graph.nodes[0].op.name == name)
    return draw(fitting), task, *(draw(one) for one in MORE.get(law.name, [])), draw(keys())


@pytest.mark.parametrize("law", [*FIT_APPLY, *TASK_OPERATORS], ids=ids)
@pytest.mark.parametrize("name", TASK_OPS)
def test_every_operator(name, law):
    """The law holds for every operator by itself."""
    assert holds(law, cases_of_op(name, law)) >= settings().max_examples


def test_every_operator_is_drawn():
    """A new operator must be added to the strategies, or here with a reason."""
    public = {n for n, f in vars(ops).items() if callable(f) and _makes_graph(f)}
    assert public == {*TASK_OPS} | NOT_TASK_OPS


def _makes_graph(function):
    if getattr(function, "__module__", "").startswith("fpipe.ops.selector"):
        return False
    noted = inspect.signature(function).return_annotation
    return noted in (Graph, "Graph") or hasattr(function, "__signature__")


@st.composite
def bridged(draw, law):
    """A scikit-learn transformer over numbers."""
    task = draw(tasks(rows=(4, 20), numeric=True, missing=False, repeats=True))
    name = draw(st.sampled_from(["StandardScaler", "MinMaxScaler", "PowerTransformer"]))
    graph = ops.sklearn(f"sklearn.preprocessing:{name}")
    return graph, task, *(draw(one) for one in MORE.get(law.name, [])), draw(keys())


@pytest.mark.parametrize("law", FIT_APPLY, ids=ids)
@pytest.mark.filterwarnings("ignore")
def test_bridge(law):
    """The laws hold for estimators that are kept as values."""
    pytest.importorskip("sklearn")
    assert holds(law, bridged(law)) >= settings().max_examples


@st.composite
def ready(draw, law):
    """A ready learner over numbers."""
    task = draw(tasks(rows=(6, 20), numeric=True, missing=False, roles=False))
    tree = "tree:DecisionTreeRegressor" if isinstance(task.kind, Regression) else None
    tree = f"sklearn.{tree or 'tree:DecisionTreeClassifier'}"
    graph = draw(
        st.sampled_from(
            [
                learners.featureless(),
                learners.mlp(neurons=(4,), epochs=1, batch_size=32),
                learners.sklearn(tree),
            ]
        )
    )
    return graph, task, *(draw(one) for one in MORE.get(law.name, [])), draw(keys())


@pytest.mark.parametrize("law", FIT_APPLY, ids=ids)
def test_ready_learners(law):
    """The laws hold for the ready learners."""
    pytest.importorskip("sklearn")
    assert holds(law, ready(law)) >= settings().max_examples
