"""Rare levels as one, on worked examples and against scikit-learn's infrequent categories."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import OneHotEncoder

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import ParameterError, SchemaError

KEY = fp.key(0)
LETTERS = ["b"] * 50 + ["a"] * 30 + ["d"] * 12 + ["c"] * 8
ORDER = ["d", "c", "b", "a", "never"]
TASK = fp.regression(
    {"k": pl.Series(LETTERS, dtype=pl.Enum(ORDER)), "x": range(100), "y": range(100)}, "y"
)


@pytest.mark.parametrize(
    ("settings", "stay"),
    [
        ({}, ["d", "c", "b", "a"]),
        ({"share": 0.08}, ["d", "c", "b", "a"]),
        ({"share": 0.09}, ["d", "b", "a"]),
        ({"share": 0.3}, ["b", "a"]),
        ({"share": 0.31}, ["b"]),
        ({"share": 1.0}, []),
        ({"max_levels": 2}, ["b", "a"]),
        ({"max_levels": 1, "share": 0.0}, ["b"]),
        ({"max_levels": 3, "share": 0.2}, ["b", "a"]),
    ],
    ids=lambda x: f"collapse_levels {x}" if isinstance(x, dict) else None,
)
def test_numbers(settings, stay):
    """Levels below the share, or beyond the most frequent, become one; the order stays."""
    out = fp.transform(ops.collapse_levels(**settings), TASK, key=KEY)
    assert out.dtype("k") == pl.Enum([*stay, "other"])
    assert out.column("k").to_list() == [c if c in stay else "other" for c in LETTERS]
    assert out.features == TASK.features


@pytest.mark.parametrize("settings", [{"share": 0.1}, {"max_levels": 2}, {"max_levels": 3}])
def test_numbers_sklearn(settings):
    """collapse_levels: one-hot columns are those of scikit-learn's infrequent categories."""
    graph = ops.collapse_levels(**settings) >> ops.one_hot()
    out = fp.transform(graph, TASK, key=KEY)
    encoder = OneHotEncoder(
        sparse_output=False,
        min_frequency=settings.get("share"),
        max_categories=settings["max_levels"] + 1 if "max_levels" in settings else None,
    )
    found = encoder.fit_transform(np.array(LETTERS, object)[:, None])
    names = [
        n.replace("x0_", "k.").replace("infrequent_sklearn", "other")
        for n in encoder.get_feature_names_out()
    ]
    np.testing.assert_array_equal(out.table.select(names).to_numpy(), found)


def test_later():
    """Levels that were rare or not there at fit become the common one; missing stays missing."""
    fitted = fp.fit(ops.collapse_levels(share=0.1, into="rest"), TASK, key=KEY)
    out = fp.apply(fitted, {"k": ["c", "new", None, "a", "never"], "x": range(5)})
    assert out.column("k").to_list() == ["rest", "rest", None, "a", "rest"]
    assert out.dtype("k") == pl.Enum(["d", "b", "a", "rest"])


def test_into_a_level_that_stays():
    """Rare levels may join a level that stays, which keeps its place."""
    out = fp.transform(ops.collapse_levels(share=0.1, into="b"), TASK, key=KEY)
    assert out.dtype("k") == pl.Enum(["d", "b", "a"])
    assert (out.column("k") == "b").sum() == 58


def test_missing_values_do_not_count():
    """Shares are shares of the rows that have a level; equally frequent levels go by order."""
    column = ["u", "v", "w", None, None, None, None, None, None]
    task = fp.regression({"k": column, "y": range(9)}, "y")
    out = fp.transform(ops.collapse_levels(share=0.3), task, key=KEY)
    assert out.column("k").to_list() == column
    out = fp.transform(ops.collapse_levels(max_levels=2), task, key=KEY)
    assert out.column("k").to_list()[:4] == ["u", "v", "other", None]


@pytest.mark.parametrize(
    ("act", "error", "rule"),
    [
        (lambda: ops.collapse_levels(share=1.5), ParameterError, "share cannot be 1.5"),
        (lambda: ops.collapse_levels(max_levels=0), ParameterError, "max_levels cannot be 0"),
        (lambda: ops.collapse_levels(into=""), ParameterError, "into cannot be ''"),
        (
            lambda: fp.fit(ops.collapse_levels(columns="x"), TASK, key=KEY),
            SchemaError,
            "collapse_levels cannot work on 'x'",
        ),
    ],
    ids=["share", "max_levels", "into", "numbers"],
)
def test_bad_input(act, error, rule):
    """What cannot be done is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        act()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix
