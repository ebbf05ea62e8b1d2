"""Scaling against scikit-learn: missing values, constants, integers, chosen columns."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, ParameterError, SchemaError

RNG = np.random.default_rng(2)
KEY = fp.key(0)
N = 80
NUMBERS = ["a", "b", "count", "small"]
RAW = np.stack(
    [
        RNG.normal(size=N),
        RNG.normal(size=N) * 100.0 - 50.0,
        RNG.integers(0, 9, N).astype(float),
        RNG.normal(size=N) * 1e-6 + 3.0,
    ],
    axis=1,
)
HOLED = RAW.copy()
HOLED[::3, 0] = np.nan
HOLED[1::4, 2] = np.nan


def made(raw):
    """Return a task over the numbers (NaN is missing, the third are integers) and more."""
    counts = pl.Series(raw[:, 2]).fill_nan(None).cast(pl.UInt8)
    columns = {
        "a": raw[:, 0],
        "colour": ["red", "green"] * (N // 2),
        "b": raw[:, 1],
        "flag": RAW[:, 0] > 0,
        "count": counts,
        "small": raw[:, 3],
        "y": RAW[:, 1],
    }
    return fp.regression(columns, "y")


def numbers(task, columns=NUMBERS):
    return task.table.select(columns).cast(pl.Float64).fill_null(np.nan).to_numpy()


SCALERS = [
    ("scale", ops.scale(), StandardScaler()),
    ("scale-center", ops.scale(scale=False), StandardScaler(with_std=False)),
    ("scale-scale", ops.scale(center=False), StandardScaler(with_mean=False)),
    (
        "scale-neither",
        ops.scale(center=False, scale=False),
        StandardScaler(with_mean=False, with_std=False),
    ),
    ("scale_robust", ops.scale_robust(), RobustScaler()),
    (
        "scale_robust-quantiles",
        ops.scale_robust(low=0.1, high=0.8),
        RobustScaler(quantile_range=(10.0, 80.0)),
    ),
    ("scale_range", ops.scale_range(), MinMaxScaler()),
    ("scale_range-wide", ops.scale_range(-1, 3.5), MinMaxScaler(feature_range=(-1.0, 3.5))),
    ("scale_max_abs", ops.scale_max_abs(), MaxAbsScaler()),
]
GRAPHS = pytest.mark.parametrize(
    ("graph", "scaler"), [case[1:] for case in SCALERS], ids=[case[0] for case in SCALERS]
)


@GRAPHS
@pytest.mark.parametrize("raw", [RAW, HOLED], ids=["complete", "holed"])
def test_numbers(graph, scaler, raw):
    """The numbers are scikit-learn's at fit and on new rows; what is missing stays so."""
    fitted, out = fp.run(graph, made(raw), key=KEY)
    expected = scaler.fit(raw)
    np.testing.assert_allclose(numbers(out), expected.transform(raw), rtol=1e-8, atol=1e-9)
    new = RAW[:20] * 1.7 + 2.0
    new[3, 1] = np.nan
    later = fp.apply(
        fitted, pl.DataFrame(new, NUMBERS).with_columns(colour=pl.lit("red"), flag=True)
    )
    np.testing.assert_allclose(numbers(later), expected.transform(new), rtol=1e-8, atol=1e-9)


@GRAPHS
def test_the_rest_stays(graph, scaler):
    """Other columns, the order of features, target and row ids stay; numbers become floats."""
    task = made(HOLED)
    out = fp.transform(graph, task, key=KEY)
    assert out.features == task.features == ("a", "colour", "b", "flag", "count", "small")
    for name in ("colour", "flag", "y"):
        assert out.column(name).equals(task.column(name))
    assert (out.row_id == task.row_id).all()
    assert {out.dtype(name) for name in NUMBERS} == {pl.Float64()}


@pytest.mark.parametrize("name", ["scale", "scale_robust", "scale_range", "scale_max_abs"])
def test_chosen_columns(name):
    """Only the chosen columns are scaled, by name or selector."""
    graph = getattr(ops, name)
    task, whole = made(HOLED), fp.transform(graph(), made(HOLED), key=KEY)
    for chosen in ("b", ["b"], ops.named("b"), ops.numeric() & ops.matching("b")):
        out = fp.transform(graph(columns=chosen), task, key=KEY)
        assert out.column("b").equals(whole.column("b"))
        assert all(out.column(n).equals(task.column(n)) for n in ("a", "count", "small"))


@pytest.mark.parametrize("constant", [0.0, 7.0, 1e8, 0.1, -1e-12, 1e100])
@pytest.mark.parametrize(
    ("graph", "scaler"),
    [case[1:] for case in SCALERS if "-" not in case[0]],
    ids=[case[0] for case in SCALERS if "-" not in case[0]],
)
def test_constants(graph, scaler, constant):
    """A constant column becomes what scikit-learn makes of it, also where its mean rounds."""
    task = fp.regression({"a": [constant] * 1000, "y": range(1000)}, "y")
    out = numbers(fp.transform(graph, task, key=KEY), ["a"])
    expected = scaler.fit_transform(np.full((1000, 1), constant))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["scale", "scale_robust", "scale_range", "scale_max_abs"])
def test_empty_column(name):
    """A column that is missing everywhere stays so."""
    task = fp.regression({"a": [None, None], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
    out = fp.transform(getattr(ops, name)(), task, key=KEY)
    assert out.column("a").to_list() == [None, None]


def test_tiny_spread():
    """A spread that is small, but large against the rounding of its numbers, is scaled."""
    x = np.array([1.0, 2.0, 3.0, 6.0]) * 1e-20
    task = fp.regression({"a": x, "y": range(4)}, "y")
    out = fp.transform(ops.scale_robust(), task, key=KEY).column("a")
    np.testing.assert_allclose(out, RobustScaler().fit_transform(x[:, None] * 1e20)[:, 0])


@pytest.mark.parametrize("name", ["scale", "scale_robust", "scale_range", "scale_max_abs"])
def test_numbers_near_zero(name):
    """Numbers too small to divide by are taken for a constant; none becomes infinite."""
    task = fp.regression({"a": [0.0, 5e-324, 1e-323], "y": range(3)}, "y")
    wide = {"low": -1e300, "high": 1e300} if name == "scale_range" else {}
    for settings in ({}, wide):
        out = fp.transform(getattr(ops, name)(**settings), task, key=KEY).column("a")
        assert out.is_finite().all()


INFINITE = fp.regression({"a": [1.0, None, np.inf, 3.0], "y": range(4)}, "y")
HUGE = fp.regression({"a": [-1.7e308, 1.7e308, 0.0], "y": range(3)}, "y")

BAD = [
    *[
        (
            f"{name}-infinite",
            getattr(ops, name),
            INFINITE,
            DataError,
            "'a', which is not finite in row 2",
        )
        for name in ("scale", "scale_robust", "scale_range", "scale_max_abs")
    ],
    ("scale-huge", ops.scale, HUGE, DataError, "whose numbers are too large"),
    ("scale_range-huge", ops.scale_range, HUGE, DataError, "whose numbers are too large"),
    (
        "scale-text",
        lambda: ops.scale(columns="colour"),
        made(RAW),
        SchemaError,
        "scale cannot work on 'colour'",
    ),
    ("scale-unknown", lambda: ops.scale(columns="A"), made(RAW), SchemaError, "no feature 'A'"),
    ("scale-columns", lambda: ops.scale(columns=3), made(RAW), ParameterError, "columns"),
    ("scale_robust-order", lambda: ops.scale_robust(0.8, 0.2), made(RAW), ParameterError, "quant"),
    ("scale_range-order", lambda: ops.scale_range(1.0, 1.0), made(RAW), ParameterError, "a range"),
]


@pytest.mark.parametrize(
    ("graph", "task", "error", "rule"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_input(graph, task, error, rule):
    """What cannot be scaled is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        fp.fit(graph(), task, key=KEY)
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


def test_missing_at_apply():
    """A column that was scaled at fit must be there later."""
    fitted = fp.fit(ops.scale(), made(RAW), key=KEY)
    with pytest.raises(SchemaError, match="missing in the new data"):
        fp.apply(fitted, {"a": [1.0]})
