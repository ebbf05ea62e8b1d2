"""pca and any scikit-learn transformer against scikit-learn called directly."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import NMF, PCA
from sklearn.preprocessing import PolynomialFeatures

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

KEY = fp.key(8)
RNG = np.random.default_rng(8)
N = 70
RAW = RNG.normal(size=(N, 4)) @ RNG.normal(size=(4, 4)) + [0.0, 9.0, -5.0, 2.0]
TASK = fp.regression(
    {
        "a": RAW[:, 0],
        "level": RNG.choice(["u", "v"], N),
        "b": RAW[:, 1],
        "c": RAW[:, 2],
        "d": RAW[:, 3],
        "y": RNG.normal(size=N),
    },
    "y",
)
NUMERIC = TASK.select(["a", "b", "c", "d"])
HOLED = fp.regression({"a": [1.0, None, 2.0], "b": [1.0, 2.0, 4.0], "y": [1, 2, 3]}, "y")
NAMED = fp.regression({"a": [1.0, 3.0, 2.0], "PC1": ["u", "v", "u"], "y": [1, 2, 3]}, "y")


def numbers(task):
    return task.table.select(ops.numeric().of(task)).to_numpy()


@pytest.mark.parametrize("n_components", [None, 1, 3, 0.9])
@pytest.mark.parametrize("whiten", [True, False])
def test_pca_is_sklearn(n_components, whiten):
    """The components are scikit-learn's, signs included, at fit and on new rows."""
    fitted, out = fp.run(ops.pca(n_components, whiten), TASK, key=KEY)
    made = PCA(n_components, whiten=whiten).fit(RAW)
    count = made.n_components_
    assert out.features == ("level", *(f"PC{i + 1}" for i in range(count)))
    np.testing.assert_allclose(numbers(out), made.transform(RAW), rtol=1e-9, atol=1e-9)
    later = fp.apply(fitted, TASK.take([4, 2]))
    np.testing.assert_allclose(numbers(later), made.transform(RAW[[4, 2]]), rtol=1e-9, atol=1e-9)


def test_pca_of_some_columns():
    """Only chosen columns are replaced."""
    out = fp.transform(ops.pca(columns=["b", "d"]), TASK, key=KEY)
    assert out.features == ("a", "level", "c", "PC1", "PC2")
    expected = PCA().fit_transform(RAW[:, [1, 3]])
    np.testing.assert_allclose(out.table.select("PC1", "PC2").to_numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("graph", [ops.pca(2), ops.pca(), ops.pca(0.5), ops.pca(1, columns="a")])
def test_pca_types(graph):
    """What is inferred is what comes, or is open where only data can tell."""
    (inferred,), _ = infer_graph(graph, (TASK.outline(),), key=Key(0), context=Context())
    out = fp.transform(graph, TASK, key=KEY)
    assert inferred.open == (not isinstance(graph.at("pca.n_components"), int))
    assert set(inferred.features) <= set(out.features)
    if not inferred.open:
        assert inferred.features == out.features
    assert all(inferred.dtype(name) == out.dtype(name) for name in inferred.features)


def test_pca_of_edges():
    """Constant columns stay finite without warnings; without numbers nothing happens."""
    task = fp.regression({"a": [0.1] * 5, "b": [7.0] * 5, "y": range(5)}, "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted, out = fp.run(ops.pca(), task, key=KEY)
    assert np.isfinite(numbers(out)).all()
    bare = TASK.select(["level"])
    assert fp.transform(ops.pca(), bare, key=KEY) == bare
    assert fp.apply(fitted, task.take([])).table.schema == out.table.schema


def test_sklearn_transformer_makes_features():
    """ops.sklearn gives what the transformer gives, under its names."""
    graph = ops.sklearn(PolynomialFeatures, degree=2, include_bias=False)
    out = fp.transform(graph, NUMERIC, key=KEY)
    made = PolynomialFeatures(2, include_bias=False).fit(RAW)
    assert out.features == tuple(made.get_feature_names_out(["a", "b", "c", "d"]))
    np.testing.assert_allclose(numbers(out), made.transform(RAW), rtol=1e-12)


BAD = [
    ("components", lambda: ops.pca(0), ParameterError, "n_components", None, "at least 1"),
    ("share", lambda: ops.pca(1.5), ParameterError, "n_components", None, "between 0 and 1"),
    ("many", lambda: fp.check(ops.pca(5), TASK), ParameterError, "5 components of 4", "pca", "=4"),
    (
        "few rows",
        lambda: fp.fit(ops.pca(3), TASK.take([0, 1]), key=KEY),
        DataError,
        "3 components in 2 rows",
        "pca",
        "n_components=2",
    ),
    (
        "missing",
        lambda: fp.fit(ops.pca(), HOLED, key=KEY),
        DataError,
        "'a' in row 1",
        "pca",
        "impute",
    ),
    (
        "one row",
        lambda: fp.fit(ops.pca(), TASK.take([0]), key=KEY),
        DataError,
        "two rows",
        "pca",
        "",
    ),
    (
        "name",
        lambda: fp.check(ops.pca(1), NAMED),
        SchemaError,
        "second column 'PC1'",
        "pca",
        "rename",
    ),
    (
        "refused",
        lambda: fp.apply(
            fp.fit(ops.sklearn(NMF, n_components=1), NUMERIC.take([0]), key=KEY), NUMERIC
        ),
        DataError,
        "NMF cannot be fitted",
        "sklearn",
        "",
    ),
]


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(refused, name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    refused(act, error, rule, at, fix)
