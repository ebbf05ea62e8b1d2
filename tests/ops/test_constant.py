"""Dropping features that hardly vary, on the examples that mlr3pipelines tests."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_iris

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import ParameterError, SchemaError

KEY = fp.key(0)
IRIS = load_iris()
NAMES = ["sl", "sw", "pl", "pw"]
COLUMNS = {name: IRIS.data[:, i] for i, name in enumerate(NAMES)}
COLUMNS["species"] = IRIS.target_names[IRIS.target]
ONES = [None, *([1.0] * 149)]
MISSING = [None] * 150
THREE = [1, 2, 3, *([None] * 147)]


def task(rows=150, **changes):
    columns = {n: list(c)[:rows] for n, c in (COLUMNS | changes).items()}
    return fp.regression({**columns, "y": range(rows)}, "y")


@pytest.mark.parametrize(
    ("data", "settings", "expected"),
    [
        (task(), {}, "sl sw pl pw species"),
        (task(), {"abs_tol": 3.0}, "sl pl species"),
        (task(), {"rel_tol": 1.0}, "pl pw species"),
        (task(rows=10), {}, "sl sw pl pw"),
        (task(**{n: -COLUMNS[n] for n in NAMES}), {}, "sl sw pl pw species"),
        (task(sl=ONES, sw=MISSING), {"ignore_missing": False}, "sl pl pw species"),
        (task(sl=ONES, sw=MISSING), {"ignore_missing": False, "ratio": 0.01}, "pl pw species"),
        (task(sl=ONES, sw=MISSING), {}, "pl pw species"),
        (task(sl=ONES, sw=MISSING), {"abs_tol": 0.0, "rel_tol": 0.0}, "pl pw species"),
        (task(sl=ONES, sw=THREE), {"ignore_missing": False}, "sl sw pl pw species"),
        (task(sl=ONES, sw=THREE), {"ignore_missing": False, "ratio": 0.01}, "sw pl pw species"),
        (task(sl=ONES, sw=THREE), {"ignore_missing": False, "ratio": 0.03}, "pl pw species"),
        (task(sl=ONES, sw=THREE), {}, "sw pl pw species"),
        (task(sl=ONES, sw=THREE), {"ratio": 0.03}, "sw pl pw species"),
    ],
    ids=lambda x: None if isinstance(x, fp.Task) else f"remove_constants {x}",
)
def test_numbers(data, settings, expected):
    """What stays is what mlr3pipelines' own tests of PipeOpRemoveConstants on iris expect."""
    fitted, out = fp.run(ops.remove_constants(**settings), data, key=KEY)
    assert out.features == tuple(expected.split())
    assert fp.apply(fitted, data.table.head(3)).features == out.features


@pytest.mark.parametrize(("ratio", "stays"), [(1 / 506.0001, True), (1 / 505.9999, False)])
@pytest.mark.parametrize(
    "column",
    [
        [2.0, *([1.0] * 505)],
        ["b", *(["a"] * 505)],
        [True, *([False] * 505)],
        [dt.date(2024, 1, 2), *([dt.date(2024, 1, 1)] * 505)],
    ],
    ids=["number", "level", "truth", "date"],
)
def test_ratio(column, ratio, stays):
    """One row of 506 that differs is above or below the ratio; kinds do not matter."""
    data = fp.regression({"x": column, "y": range(506)}, "y")
    out = fp.transform(ops.remove_constants(ratio=ratio), data, key=KEY)
    assert out.features == (("x",) if stays else ())


def test_ratio_counts_close_numbers_together():
    """Numbers within the tolerance of each other are one value, wherever they lie."""
    x = np.concatenate([5.0 + 1e-3 * np.arange(90) / 90, np.arange(10.0)])
    data = fp.regression({"x": np.random.default_rng(0).permutation(x), "y": range(100)}, "y")
    for ratio, kept in ((0.08, True), (0.1, False)):
        graph = ops.remove_constants(ratio=ratio, abs_tol=2e-3)
        assert bool(fp.transform(graph, data, key=KEY).features) == kept
    assert fp.transform(ops.remove_constants(ratio=0.5), data, key=KEY).features == ("x",)


def test_chosen_columns_and_tensors():
    """Only the chosen features are looked at; tensors always stay."""
    data = fp.regression(
        {"a": [1, 1], "b": ["u", "u"], "c": np.zeros((2, 2)), "y": [1.0, 2.0]}, "y"
    )
    assert fp.transform(ops.remove_constants(columns="a"), data, key=KEY).features == ("b", "c")
    assert fp.transform(ops.remove_constants(), data, key=KEY).features == ("c",)


def test_rounding():
    """Numbers that differ by rounding alone are constant; small ones that differ are not."""
    jitter = 0.1 + 1e-17 * np.arange(50)
    data = fp.regression(
        {"a": jitter, "b": pl.Series(np.arange(50) * 1e-12), "c": np.arange(50), "y": range(50)},
        "y",
    )
    assert fp.transform(ops.remove_constants(), data, key=KEY).features == ("c",)
    strict = ops.remove_constants(abs_tol=0.0)
    assert fp.transform(strict, data, key=KEY).features == ("b", "c")


@pytest.mark.parametrize(
    ("act", "error", "rule"),
    [
        (lambda: ops.remove_constants(ratio=1.5), ParameterError, "ratio cannot be 1.5"),
        (lambda: ops.remove_constants(abs_tol=-1.0), ParameterError, "abs_tol cannot be -1.0"),
        (
            lambda: fp.fit(ops.remove_constants(columns="z"), task(), key=KEY),
            SchemaError,
            "no feature 'z'",
        ),
    ],
    ids=["ratio", "tolerance", "unknown"],
)
def test_bad_input(act, error, rule):
    """What cannot be done is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        act()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix
