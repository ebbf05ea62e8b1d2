"""out_of_fold and impute_by: against fits made by hand and scikit-learn, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import fpipe as fp
from fpipe import learners, ops
from fpipe.core.errors import DataError, FpipeError, GraphError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.data.split import fold_rows
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

KEY = fp.key(9)
RNG = np.random.default_rng(9)
N = 60
X = RNG.normal(size=(N, 2))
Y = X @ [1.0, -2.0] + RNG.normal(size=N)
CLASSES = np.where(X[:, 0] + RNG.normal(size=N) > 0.3, "p", np.where(X[:, 1] > 0, "m", "n"))
TASK = fp.regression({"a": X[:, 0], "b": X[:, 1], "y": Y}, "y")
MULTI = fp.classification({"a": X[:, 0], "b": X[:, 1], "y": CLASSES}, "y")
LINE = learners.sklearn("sklearn.linear_model:LinearRegression")
TREE = learners.sklearn("sklearn.tree:DecisionTreeClassifier", max_depth=2)
MEAN = learners.featureless()


def folds_of(task, graph, folds, **by):
    """The folds of the node ``out_of_fold``: the key of its level is that of fit."""
    key = KEY.fold_in("fit").fold_in("out_of_fold").fold_in(-2)
    return fold_rows(task.n_rows, folds, key, **by)


# out_of_fold


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_out_of_fold_numbers_of_a_regression(folds):
    """Each training row is predicted by a fit on the other folds; new rows by one on all rows."""
    fitted, out = fp.run(ops.out_of_fold(LINE, folds=folds), TASK, key=KEY)
    assert out.features == ("out_of_fold.response",)
    expected = np.empty(N)
    tests = folds_of(TASK, LINE, folds)
    assert sorted(np.concatenate(tests).tolist()) == list(range(N))
    for rows in tests:
        others = np.setdiff1d(np.arange(N), rows)
        expected[rows] = LinearRegression().fit(X[others], Y[others]).predict(X[rows])
    np.testing.assert_allclose(out.column("out_of_fold.response"), expected, rtol=1e-9)
    later = fp.apply(fitted, TASK.table.drop("y").head(9))
    whole = LinearRegression().fit(X, Y).predict(X[:9])
    np.testing.assert_allclose(later.column("out_of_fold.response"), whole, rtol=1e-9)


def test_out_of_fold_probabilities_of_a_classification():
    """There is one probability per class; folds keep the shares of the classes."""
    fitted, out = fp.run(ops.out_of_fold(TREE, folds=4, id="tree"), MULTI, key=KEY)
    names = ("tree.m", "tree.n", "tree.p")
    assert out.features == names
    key = KEY.fold_in("fit").fold_in("tree").fold_in(-2)
    codes = np.unique(CLASSES, return_inverse=True)[1]
    for rows in fold_rows(N, 4, key, strata=codes):
        others = np.setdiff1d(np.arange(N), rows)
        made = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X[others], CLASSES[others])
        np.testing.assert_allclose(
            out.table.select(names).to_numpy()[rows], made.predict_proba(X[rows]), atol=1e-12
        )
    made = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, CLASSES)
    later = fp.apply(fitted, MULTI).table.select(names).to_numpy()
    np.testing.assert_allclose(later, made.predict_proba(X), atol=1e-12)


def test_out_of_fold_keep():
    """With keep the features stay, in front."""
    out = fp.transform(ops.out_of_fold(LINE, keep=True), TASK, key=KEY)
    assert out.features == ("a", "b", "out_of_fold.response")
    assert out.column("a").equals(TASK.column("a"))


def test_out_of_fold_never_parts_groups_and_repeats():
    """A row is never predicted by a fit that has seen its group or a repeat of it."""
    groups = RNG.integers(0, 12, N)
    task = fp.regression({"a": X[:, 0], "g": groups, "y": groups.astype(float)}, "y", group="g")
    tree = learners.sklearn("sklearn.neighbors:KNeighborsRegressor", n_neighbors=1)
    known = fp.regression(
        {"a": groups.astype(float), "g": groups, "y": groups * 1.0}, "y", group="g"
    )
    out = fp.transform(ops.out_of_fold(tree), known, key=KEY)
    assert (out.column("out_of_fold.response") != known.column("y")).all()
    twice = TASK.repeat(np.tile(np.arange(N), 2))
    out = fp.transform(ops.out_of_fold(tree), twice, key=KEY)
    assert (out.column("out_of_fold.response") != twice.column("y")).all()
    assert task.n_rows == N


def test_stacking_of_two_learners():
    """Predictions of two graphs and the features meet in one learner, as with scikit-learn."""
    near = learners.sklearn("sklearn.neighbors:KNeighborsClassifier", n_neighbors=5)
    graph = (
        ops.copy(3)
        >> (ops.out_of_fold(TREE, id="tree") & ops.out_of_fold(near, id="near") & fp.identity())
        >> ops.union()
    )
    fitted, out = fp.run(graph, MULTI, key=KEY, validate=0.2)
    assert out.features == (
        *(f"{name}.{level}" for name in ("tree", "near") for level in "mnp"),
        "a",
        "b",
    )
    assert out.valid.features == out.features
    last = learners.sklearn(LogisticRegression, max_iter=500)
    prediction = fp.predict(fp.fit(graph >> last, MULTI, key=KEY), MULTI)
    made = LogisticRegression(max_iter=500)
    whole = fp.transform(graph, MULTI, key=KEY)
    made.fit(whole.table.select(whole.features).to_numpy(), CLASSES)
    later = fp.apply(fp.fit(graph, MULTI, key=KEY), MULTI)
    np.testing.assert_allclose(
        prediction.prob.to_numpy(),
        made.predict_proba(later.table.select(later.features).to_numpy()),
        atol=1e-5,
    )


def test_out_of_fold_parameters():
    """Parameters of the graph inside are addressed below the node, and its states too."""
    graph = ops.out_of_fold(ops.scale() >> TREE)
    assert graph.at("out_of_fold.sklearn.max_depth") == 2
    assert "out_of_fold.folds" in graph.params()
    other = graph.set({"out_of_fold.sklearn.max_depth": 5, "out_of_fold.folds": 4})
    assert other == ops.out_of_fold(
        ops.scale() >> learners.sklearn("sklearn.tree:DecisionTreeClassifier", max_depth=5), folds=4
    )
    fitted = fp.fit(graph, MULTI, key=KEY)
    scale = fp.fit(ops.scale(), MULTI, key=KEY).state("scale")
    assert fitted.state("out_of_fold.scale") == scale
    assert "DecisionTreeClassifier" in repr(graph)
    unset = ops.out_of_fold(learners.mlp())
    assert fp.check(unset, TASK).missing == ("out_of_fold.mlp.epochs",)


def test_out_of_fold_of_a_network_with_early_stopping():
    """With validate each fit of the graph inside has validation rows of its own."""
    graph = ops.out_of_fold(learners.mlp(epochs=3, patience=2), validate=0.2)
    out = fp.transform(graph, TASK, key=KEY)
    assert np.isfinite(out.column("out_of_fold.response").to_numpy()).all()
    assert fp.transform(graph, TASK, key=KEY) == out


def test_out_of_fold_types():
    """What is inferred is what comes."""
    for task, graph in ((TASK, ops.out_of_fold(LINE, keep=True)), (MULTI, ops.out_of_fold(TREE))):
        (inferred,), _ = infer_graph(graph, (task.outline(),), key=Key(0), context=Context(path=()))
        out = fp.transform(graph, task, key=KEY)
        assert inferred.roles == out.roles
        assert all(inferred.dtype(n) == out.dtype(n) for n in out.features)


# impute_by

HOLES_A = np.arange(N) % 5 == 0
HOLES_C = np.arange(N) % 4 == 1
LEVEL = np.where(X[:, 1] > 0.2, "up", "down")
HOLED = fp.regression(
    {
        "a": [None if gone else v for gone, v in zip(HOLES_A, X[:, 0].tolist(), strict=True)],
        "b": X[:, 1],
        "level": [None if gone else v for gone, v in zip(HOLES_C, LEVEL.tolist(), strict=True)],
        "flag": [None if gone else v == "up" for gone, v in zip(HOLES_C, LEVEL, strict=True)],
        "only": [None, *["k"] * (N - 1)],
        "y": Y,
    },
    "y",
)


def test_impute_by_regression_is_sklearn():
    """Missing numbers are predicted by a line through the rows where they are known."""
    task = HOLED.select(["a", "b"])
    fitted, out = fp.run(ops.impute_by(LINE), task, key=KEY)
    made = LinearRegression().fit(X[~HOLES_A, 1:], X[~HOLES_A, 0])
    expected = np.where(HOLES_A, made.predict(X[:, 1:]), X[:, 0])
    np.testing.assert_allclose(out.column("a"), expected, rtol=1e-9)
    assert out.column("b").equals(task.column("b"))
    later = fp.apply(fitted, {"a": [None, 7.0], "b": [0.5, 0.5]})
    np.testing.assert_allclose(later.column("a"), [made.predict([[0.5]])[0], 7.0], rtol=1e-9)


def test_impute_by_classification_is_sklearn():
    """Missing levels and truth values are predicted by a tree; types stay."""
    graph = ops.select(["b", "level", "flag"]) >> ops.impute_by(
        ops.select("b") >> TREE, columns=["level", "flag"]
    )
    out = fp.transform(graph, HOLED, key=KEY)
    made = DecisionTreeClassifier(max_depth=2, random_state=0)
    made.fit(X[~HOLES_C, 1:], LEVEL[~HOLES_C])
    expected = np.where(HOLES_C, made.predict(X[:, 1:]), LEVEL)
    assert out.column("level").to_list() == expected.tolist()
    assert out.column("flag").to_list() == (expected == "up").tolist()
    assert out.dtype("level") == HOLED.dtype("level")
    assert out.dtype("flag") == pl.Boolean


def test_impute_by_fills_all():
    """By default all that misses something is filled; a feature of one value by that value."""
    fitted, out = fp.run(ops.impute_by(MEAN), HOLED, key=KEY)
    assert sum(out.table.select(out.features).null_count().row(0)) == 0
    assert out.column("only").to_list() == ["k"] * N
    np.testing.assert_allclose(out.column("a")[0], X[~HOLES_A, 0].mean(), rtol=1e-12)
    assert fp.apply(fitted, HOLED) == out
    late = fp.apply(fitted, HOLED.table.head(2).with_columns(b=pl.Series([None, 1.0])))
    assert late.column("b").to_list() == [None, 1.0]
    every = fp.fit(ops.impute_by(MEAN, columns=["b"]), HOLED, key=KEY)
    late = fp.apply(every, HOLED.table.head(2).with_columns(b=pl.Series([None, 1.0])))
    np.testing.assert_allclose(late.column("b"), [X[:, 1].mean(), 1.0], rtol=1e-12)


def test_impute_by_does_not_read_the_target():
    """Rows without a target are filled with the same values."""
    fitted, out = fp.run(ops.impute_by(MEAN), HOLED, key=KEY)
    bare = fp.apply(fitted, HOLED.table.drop("y"))
    assert bare.table.select(out.features).equals(out.table.select(out.features))
    moved = fp.classification(HOLED.table.with_columns(y=pl.Series(LEVEL)), "y")
    other = fp.transform(ops.impute_by(MEAN), moved, key=KEY)
    assert other.table.select(out.features).equals(out.table.select(out.features))


def test_impute_by_parameters():
    """Parameters of the graph inside are addressed below the node."""
    graph = ops.impute_by(TREE, columns="level").set({"impute_by.sklearn.max_depth": 4})
    assert graph.at("impute_by.sklearn.max_depth") == 4


def test_impute_by_types():
    """What is inferred is what comes."""
    graph = ops.impute_by(MEAN)
    (inferred,), _ = infer_graph(graph, (HOLED.outline(),), key=Key(0), context=Context())
    out = fp.transform(graph, HOLED, key=KEY)
    assert inferred.roles == out.roles
    assert all(inferred.dtype(n) == out.dtype(n) for n in out.features)


GONE = fp.regression({"a": [None, None], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
TAKEN = TASK.table.rename({"a": "out_of_fold.response"})
BAD = [
    ("folds", lambda: ops.out_of_fold(LINE, folds=1), ParameterError, "folds", None, "at least 2"),
    ("keep", lambda: ops.out_of_fold(LINE, keep=1), ParameterError, "keep", None, ""),
    ("share", lambda: ops.out_of_fold(LINE, validate=2), ParameterError, "validate", None, ""),
    (
        "no learner",
        lambda: ops.out_of_fold(ops.scale()),
        GraphError,
        "that predicts",
        None,
        "learner",
    ),
    (
        "no learner",
        lambda: ops.impute_by(ops.scale()),
        GraphError,
        "that predicts",
        None,
        "learner",
    ),
    (
        "few rows",
        lambda: fp.run(ops.out_of_fold(LINE, folds=9), TASK.take(range(4)), key=KEY),
        DataError,
        "9 folds",
        "out_of_fold",
        "folds=4",
    ),
    (
        "name",
        lambda: fp.check(ops.out_of_fold(LINE, keep=True), fp.regression(TAKEN, "y")),
        SchemaError,
        "second column 'out_of_fold.response'",
        "out_of_fold",
        "rename",
    ),
    (
        "inside",
        lambda: fp.check(ops.out_of_fold(TREE), HOLED),
        SchemaError,
        "takes numbers",
        "out_of_fold.sklearn",
        "one_hot",
    ),
    (
        "misspelt",
        lambda: ops.out_of_fold(TREE).set({"out_of_fold.sklern.max_depth": 1}),
        ParameterError,
        "no node 'sklern'",
        "out_of_fold",
        "sklearn",
    ),
    (
        "no copies",
        lambda: ops.out_of_fold(TREE).set({"out_of_fold[0].sklearn.max_depth": 1}),
        ParameterError,
        "nothing at '[0].sklearn.max_depth'",
        None,
        "",
    ),
    (
        "missing everywhere",
        lambda: fp.fit(ops.impute_by(MEAN), GONE, key=KEY),
        DataError,
        "cannot learn to fill 'a'",
        "impute_by",
        "ops.select",
    ),
    (
        "inside a fill",
        lambda: fp.fit(ops.impute_by(LINE, columns="a"), HOLED, key=KEY),
        SchemaError,
        "takes numbers",
        "impute_by[a].sklearn",
        "one_hot",
    ),
]


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"),
    BAD,
    ids=[f"{b[0]} {i}" for i, b in enumerate(BAD)],
)
def test_refusals(name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    with pytest.raises(FpipeError) as caught:
        act()
    found = caught.value
    assert type(found) is error, found
    assert rule in found.rule
    assert at is None or found.at == at
    assert found.expected
    assert found.got
    assert fix in (found.fix or "")
