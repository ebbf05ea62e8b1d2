"""Estimators of scikit-learn at the end of a chain against scikit-learn's own pipeline."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fpipe as fp
from fpipe import learners, ops

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
