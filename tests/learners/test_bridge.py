"""Estimators of scikit-learn at the end of a chain against scikit-learn's own pipeline."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fpipe as fp
from fpipe import learners, ops
from fpipe.core.errors import DataError, ParameterError, SchemaError

KEY = fp.key(6)
RNG = np.random.default_rng(6)
X = RNG.normal(size=(90, 4)) @ RNG.normal(size=(4, 4)) + [0.0, 5.0, -3.0, 1.0]
NEW = RNG.normal(size=(25, 4)) * 2.0
Y = X @ [1.0, -0.5, 0.2, 2.0] + RNG.normal(size=90)
LEVELS = np.array(["high", "low", "mid"])[np.argmax(X[:, :3] + RNG.normal(size=(90, 3)), axis=1)]
TABLE = {name: X[:, i] for i, name in enumerate("abcd")}
CASES = {
    "numbers": (fp.regression({**TABLE, "y": Y}, "y"), LinearRegression, {}),
    "classes": (fp.classification({**TABLE, "y": LEVELS}, "y"), LogisticRegression, {"C": 0.3}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_chain_is_a_pipeline_of_sklearn(name):
    """Scaling, components and an estimator predict what the pipeline of the three predicts."""
    task, estimator, settings = CASES[name]
    graph = ops.scale() >> ops.pca(3) >> learners.sklearn(estimator, **settings)
    prediction = fp.predict(fp.fit(graph, task, key=KEY), pl.DataFrame(NEW, list("abcd")))
    made = make_pipeline(StandardScaler(), PCA(3), estimator(**settings))
    made.fit(X, Y if name == "numbers" else LEVELS)
    if name == "numbers":
        np.testing.assert_allclose(prediction.response, made.predict(NEW), rtol=1e-9)
        return
    assert prediction.prob.columns == list(made.classes_)
    np.testing.assert_allclose(prediction.prob.to_numpy(), made.predict_proba(NEW), atol=1e-5)
    assert prediction.response.to_list() == made.predict(NEW).tolist()


class Rule:
    """A classifier that is not derived from anything of scikit-learn's."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)

    def predict(self, x):
        return self.classes_[(x[:, 0] > 0).astype(int)]


class Forgetful(Rule):
    """One that does not say which classes it knows."""

    def fit(self, x, y):
        self.seen = np.unique(y)


TWO = fp.classification({"a": [-1.0, 1.0, -2.0], "y": ["u", "v", "u"]}, "y")
HOLED = fp.regression({"a": [1.0, None, 3.0], "y": [1.0, 2.0, 3.0]}, "y")


def test_a_classifier_of_ones_own():
    """A class that says nothing of its kind is taken at its word."""
    graph = learners.sklearn(Rule)
    assert fp.predict(fp.fit(graph, TWO, key=KEY), TWO).response.to_list() == ["u", "v", "u"]


NUMBERS, CLASSES = CASES["numbers"][0], CASES["classes"][0]
WRONG = {
    "scaler": ("sklearn.preprocessing:StandardScaler", CLASSES, "no predictor", "ops.sklearn("),
    "clusters": ("sklearn.cluster:KMeans", CLASSES, "a clusterer", "the classifier"),
    "clusters of numbers": ("sklearn.cluster:KMeans", NUMBERS, "a clusterer", "the regressor"),
    "classes of numbers": (
        "sklearn.tree:DecisionTreeClassifier",
        NUMBERS,
        "a classifier",
        "DecisionTreeRegressor",
    ),
    "numbers of classes": (LinearRegression, CLASSES, "a regressor", "DecisionTreeClassifier"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("act", [fp.check, lambda g, t: fp.fit(g, t, key=KEY)])
def test_an_estimator_for_something_else(refused, name, act):
    """What does not predict what the task asks for is refused, before data is read too."""
    code, task, rule, fix = WRONG[name]
    refused(lambda: act(learners.sklearn(code), task), ParameterError, rule, "sklearn", fix)


BAD = {
    "argument at check": (
        lambda: fp.check(learners.sklearn("sklearn.tree:DecisionTreeClassifier", maxdepth=2), TWO),
        ParameterError,
        "no parameter 'maxdepth'",
        "max_depth",
    ),
    "value": (
        lambda: fp.fit(
            learners.sklearn("sklearn.tree:DecisionTreeClassifier", max_depth="a"), TWO, key=KEY
        ),
        ParameterError,
        "the value of a parameter",
        "another value",
    ),
    "missing": (
        lambda: fp.fit(learners.sklearn(LinearRegression), HOLED, key=KEY),
        DataError,
        "cannot be fitted",
        "impute_median",
    ),
    "missing at predict": (
        lambda: fp.predict(
            fp.fit(learners.sklearn(LinearRegression), HOLED.take([0, 2]), key=KEY), HOLED
        ),
        DataError,
        "refuses these rows",
        "impute_median",
    ),
    "no classes": (
        lambda: fp.fit(learners.sklearn(Forgetful), TWO, key=KEY),
        ParameterError,
        "without classes_",
        "classifier",
    ),
    "levels": (
        lambda: fp.check(
            learners.sklearn(LinearRegression),
            fp.regression({"k": ["u", "v"], "y": [1.0, 2.0]}, "y"),
        ),
        SchemaError,
        "but 'k' holds levels",
        "one_hot",
    ),
    "dates": (
        lambda: fp.check(
            learners.sklearn(LinearRegression),
            fp.regression({"d": [dt.date(2024, 1, 1), None], "y": [1.0, 2.0]}, "y"),
        ),
        SchemaError,
        "but 'd' holds Date",
        "date_features",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(refused, name):
    """Each is refused with what was expected, what came, where, and what to do."""
    act, error, rule, fix = BAD[name]
    refused(act, error, rule, "sklearn", fix)
