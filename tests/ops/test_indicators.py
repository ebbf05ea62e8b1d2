"""Indicators of missing values against scikit-learn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.impute import MissingIndicator

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import ParameterError, SchemaError

KEY = fp.key(0)
RAW = np.array([[1.0, np.nan, 2.0], [np.nan, 3.0, 4.0], [5.0, 6.0, 7.0], [8.0, np.nan, 9.0]])
TASK = fp.regression(
    {
        **{n: RAW[:, i] for i, n in enumerate("abc")},
        "k": ["u", None, "v", "u"],
        "t": [True, False, True, None],
        "image": np.zeros((4, 2)),
        "y": range(4),
    },
    "y",
)


@pytest.mark.parametrize(
    ("which", "features", "names"),
    [("fit", "missing-only", "ab"), ("all", "all", "abc")],
    ids=["missing_indicators-fit", "missing_indicators-all"],
)
def test_numbers(which, features, names):
    """The truth values are those of scikit-learn's MissingIndicator, at fit and later."""
    graph = ops.missing_indicators(which=which, columns=ops.numeric())
    fitted, out = fp.run(graph, TASK, key=KEY)
    made = tuple(f"{name}.missing" for name in names)
    assert out.features == (*TASK.features, *made)
    expected = MissingIndicator(features=features, error_on_new=False).fit(RAW)
    np.testing.assert_array_equal(out.table.select(made).to_numpy(), expected.transform(RAW))
    new = np.array([[np.nan, 1.0, np.nan]])
    later = fp.apply(fitted, TASK.table.head(1).with_columns(a=pl.lit(None), b=1.0, c=pl.lit(None)))
    np.testing.assert_array_equal(later.table.select(made).to_numpy(), expected.transform(new))


def test_all_kinds():
    """Features of every kind get indicators."""
    out = fp.transform(ops.missing_indicators(), TASK, key=KEY)
    assert out.features[len(TASK.features) :] == (
        "a.missing",
        "b.missing",
        "k.missing",
        "t.missing",
    )
    assert out.column("k.missing").to_list() == [False, True, False, False]
    assert out.column("t.missing").to_list() == [False, False, False, True]
    every = fp.transform(ops.missing_indicators(which="all"), TASK, key=KEY)
    assert every.column("image.missing").to_list() == [False] * 4
    filled = ops.missing_indicators() >> ops.impute_mean() >> ops.impute_mode()
    assert fp.transform(filled, TASK, key=KEY).column("a").null_count() == 0


def test_nothing_missing():
    """Where nothing is missing at fit no column is added."""
    task = TASK.take([2])
    assert fp.transform(ops.missing_indicators(), task, key=KEY).features == TASK.features


CLASH = fp.regression({"a": [1.0, None], "a.missing": [1, 2], "y": [1, 2]}, "y")


@pytest.mark.parametrize(
    ("act", "error", "rule"),
    [
        (
            lambda: fp.fit(ops.missing_indicators() >> ops.scale(), CLASH, key=KEY),
            SchemaError,
            "a second column 'a.missing'",
        ),
        (
            lambda: fp.check(ops.missing_indicators(which="all"), CLASH),
            SchemaError,
            "a second column 'a.missing'",
        ),
        (lambda: ops.missing_indicators(which="new"), ParameterError, "which cannot be 'new'"),
        (
            lambda: fp.fit(ops.missing_indicators(columns="z"), TASK, key=KEY),
            SchemaError,
            "no feature 'z'",
        ),
    ],
    ids=["clash", "clash-check", "which", "unknown"],
)
def test_bad_input(act, error, rule):
    """What cannot be done is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        act()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix
