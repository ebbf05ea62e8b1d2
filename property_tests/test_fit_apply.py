"""Law 3: what a fitted operator does to a row depends on that row and the fit alone."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from fpipe import learners, ops
from fpipe.data.kind import Regression
from fpipe.ops.selector import Selector
from fpipe.testing import holds, keys, tasks
from fpipe.testing.laws.fit_apply import FIT_APPLY, PREDICTORS, TASK_OPERATORS
from fpipe.testing.vocabulary import TASK_OPS, exemptions, task_ops

MORE = {
    "rows are apart": [st.floats(0.0, 1.0)],
    "rows may move": [keys()],
    "columns may move": [keys()],
    "fit with validation": [st.floats(0.05, 0.95)],
    "row order at fit": [keys()],
    "batch size is unread": [st.integers(1, 7)],
}
NOT_TASK_OPS = {
    "branch": "a macro with laws of its own",
    "drop_unreadable": "takes lazy columns; property_tests/test_operators.py",
    "subsample": "leaves rows out while fitting; property_tests/test_operators.py",
    "copy": "wires without an operator, drawn before union",
    "impute_by": "takes a graph that predicts; property_tests/test_operators.py",
    "out_of_fold": "takes a graph that predicts; property_tests/test_operators.py",
    "pca": "takes numbers without missing values; property_tests/test_operators.py",
    "sklearn": "tried below on numeric tasks",
}


ON_LAZY_COLUMNS = ("trafo_", "augment_")
"""How operators begin that take lazy columns; property_tests/test_operators.py tries them."""

KINDS = {
    "balance": "classification",
    "log_target": "regression",
    "scale_target": "regression",
    "transform_target": "regression",
}
EXEMPT = {
    "balance": {"fit is apply", "fit with validation"},
    "power_transform": {"row order at fit"},
}


def ids(law):
    return law.name


@pytest.mark.parametrize("law", [*FIT_APPLY, *TASK_OPERATORS, *PREDICTORS], ids=ids)
def test_law(law):
    """The law holds in every case that was tried, on graphs and learners."""
    assert holds(law) >= settings().max_examples


@st.composite
def cases_of_op(draw, name, law):
    """One operator over a task that it can take."""
    task = draw(tasks(KINDS.get(name), rows=(4, 20), repeats=True))
    graph = draw(task_ops(task.outline(), name=name))
    assert exemptions(graph) == EXEMPT.get(name, set())
    return graph, task, *(draw(one) for one in MORE.get(law.name, [])), draw(keys())


@pytest.mark.parametrize("name", TASK_OPS)
def test_every_operator(name):
    """An operator alone keeps all laws that it is not exempt from, on tables of every kind.

    property_tests/test_operators.py tries these and more laws, on tables that are tidier.
    """
    examples = max(5, settings().max_examples // 10)
    for law in [*FIT_APPLY, *TASK_OPERATORS]:
        if law.name not in EXEMPT.get(name, set()):
            assert holds(law, cases_of_op(name, law), examples=examples) >= examples


def test_every_operator_is_drawn():
    """A new operator must be added to the strategies, or here with a reason."""
    public = {n for n in dir(ops) if inspect.isfunction(getattr(ops, n))}
    public -= {n for n in public if n.startswith(ON_LAZY_COLUMNS)}
    selectors = {n for n in public if _is_selector(getattr(ops, n))}
    assert public - selectors == {*TASK_OPS} | set(NOT_TASK_OPS)


def _is_selector(function):
    noted = inspect.signature(function).return_annotation
    return noted in (Selector, "Selector")


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
