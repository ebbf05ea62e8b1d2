"""quantile_transform and power_transform against scikit-learn called directly."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.preprocessing import PowerTransformer, QuantileTransformer

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, FpipeError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

KEY = fp.key(5)
RNG = np.random.default_rng(5)
N = 200
SKEWED = RNG.lognormal(size=N)
COUNTS = RNG.integers(1, 30, N)
HOLES = np.where(np.arange(N) % 6 == 0, np.nan, RNG.normal(size=N) * 50)
TASK = fp.regression(
    {
        "skewed": SKEWED,
        "level": RNG.choice(["u", "v"], N),
        "count": COUNTS,
        "holes": HOLES,
        "flag": RNG.random(N) > 0.5,
        "y": RNG.normal(size=N),
    },
    "y",
)
NUMBERS = ["skewed", "count", "holes"]
RAW = np.stack([SKEWED, COUNTS, HOLES], axis=1)


def numbers(task, names=NUMBERS):
    return task.table.select(names).cast(pl.Float64).fill_null(np.nan).to_numpy()


@pytest.mark.parametrize("output", ["normal", "uniform"])
@pytest.mark.parametrize("n_quantiles", [1000, 50])
def test_quantile_transform_is_sklearn(output, n_quantiles):
    """The numbers are those of QuantileTransformer, also for new rows; others pass."""
    graph = ops.quantile_transform(n_quantiles, output)
    fitted, out = fp.run(graph, TASK, key=KEY)
    expected = QuantileTransformer(n_quantiles=min(n_quantiles, N), output_distribution=output)
    np.testing.assert_allclose(numbers(out), expected.fit_transform(RAW), rtol=1e-12)
    assert out.features == TASK.features
    assert out.column("level").equals(TASK.column("level"))
    assert out.column("flag").equals(TASK.column("flag"))
    new = RAW[:30] * 1.7 - 3
    later = fp.apply(
        fitted,
        TASK.table.head(30).with_columns(
            pl.Series("skewed", new[:, 0]),
            pl.Series("count", new[:, 1]),
            pl.Series("holes", new[:, 2]),
        ),
    )
    np.testing.assert_allclose(numbers(later), expected.transform(new), rtol=1e-12)


def test_quantile_transform_subsample_follows_the_key():
    """With more rows than the subsample the drawn rows depend on the key alone."""
    graph = ops.quantile_transform(20, subsample=40)
    one, again = (fp.transform(graph, TASK, key=KEY) for _ in range(2))
    assert one == again
    assert one != fp.transform(graph, TASK, key=fp.key(6))
    assert len(fp.fit(graph, TASK, key=KEY).state("quantile_transform").estimator.columns) == 3


def test_quantile_transform_noise():
    """Noise parts ties: a column of few values is spread in steps that keep their order."""
    graph = ops.quantile_transform(output="uniform", noise=1e-3)
    plain = numbers(fp.transform(ops.quantile_transform(output="uniform"), TASK, key=KEY))
    noisy = numbers(fp.transform(graph, TASK, key=KEY))
    assert np.nanmax(np.abs(plain[:, 0] - noisy[:, 0])) < 0.05
    assert (np.diff(noisy[np.argsort(COUNTS, kind="stable"), 1]) >= 0).all()
    shares = [np.less_equal(COUNTS, c).mean() for c in COUNTS]
    assert np.abs(noisy[:, 1] - shares).max() < np.bincount(COUNTS).max() / N
    other = fp.transform(graph, TASK.take(np.random.default_rng(0).permutation(N)), key=KEY)
    order = np.argsort(other.row_id)
    np.testing.assert_allclose(numbers(other)[order], noisy, rtol=1e-9)


def test_quantile_transform_makes_a_normal():
    """A log-normal feature becomes a normal one."""
    out = fp.transform(ops.quantile_transform(), TASK, key=KEY)
    inner = np.sort(numbers(out)[:, 0])[5:-5]
    places = (np.arange(N)[5:-5]) / (N - 1)
    np.testing.assert_allclose(inner, stats.norm.ppf(places), atol=1e-6)


@pytest.mark.parametrize("standardize", [True, False])
def test_power_transform_yeo_johnson_is_sklearn(standardize):
    """The numbers are those of PowerTransformer, missing values included."""
    graph = ops.power_transform(standardize=standardize)
    fitted, out = fp.run(graph, TASK, key=KEY)
    expected = PowerTransformer(standardize=standardize).fit(RAW)
    np.testing.assert_allclose(numbers(out), expected.transform(RAW), rtol=1e-12, atol=1e-12)
    made = fitted.state("power_transform").estimator.rebuilt()
    np.testing.assert_allclose(made.lambdas_, expected.lambdas_, rtol=1e-12)
    assert out.features == TASK.features


def test_power_transform_box_cox_is_scipy():
    """The exponent is scipy's maximum-likelihood estimate."""
    graph = ops.power_transform("box_cox", standardize=False, columns=["skewed"])
    out = fp.transform(graph, TASK, key=KEY)
    expected, _ = stats.boxcox(SKEWED)
    np.testing.assert_allclose(out.column("skewed"), expected, rtol=1e-6)
    assert out.column("count").equals(TASK.column("count"))


@pytest.mark.parametrize("graph", [ops.quantile_transform(), ops.power_transform()], ids=str)
def test_edge_columns(graph):
    """Empty columns stay empty, constant ones stay finite; without numbers nothing happens."""
    task = fp.regression(
        {"e": [None] * 8, "c": [0.1] * 8, "z": [0.0] * 8, "w": ["u", "v"] * 4, "y": range(8)}, "y"
    )
    fitted, out = fp.run(graph, task, key=KEY)
    assert out.column("e").null_count() == 8
    assert out.column("e").dtype == pl.Float64
    assert np.isfinite(out.table.select("c", "z").to_numpy()).all()
    assert fp.apply(fitted, {"e": [3.0], "c": [0.1], "z": [1.0], "w": ["u"]}).column("e")[0] == 3.0
    bare = task.select(["w"])
    assert fp.transform(graph, bare, key=KEY) == bare
    assert fp.apply(fitted, task.take([])).table.schema == out.table.schema
    (inferred,), _ = infer_graph(graph, (task.outline(),), key=Key(0), context=Context())
    assert {n: inferred.dtype(n) for n in "eczw"} == {n: out.dtype(n) for n in "eczw"}


@pytest.mark.parametrize("graph", [ops.quantile_transform(), ops.power_transform()], ids=str)
def test_nothing_but_missing_values(graph):
    """Where no feature has a value at fit, all stay as they are."""
    task = fp.regression({"e": pl.Series([None] * 3, dtype=pl.Float64), "y": [1, 2, 3]}, "y")
    fitted, out = fp.run(graph, task, key=KEY)
    assert out == task
    assert fp.apply(fitted, {"e": [3.0]}).column("e").to_list() == [3.0]


def test_nothing_is_warned():
    """No warning comes up with fewer rows than quantiles, nor does a filter change."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        fp.fit(ops.quantile_transform() >> ops.power_transform(), TASK, key=KEY)
        assert warnings.filters == before


INFINITE = fp.regression({"a": [1.0, np.inf, 2.0], "y": [1, 2, 3]}, "y")
NEGATIVE = fp.regression({"a": [1.0, 2.0, -4.0], "y": [1, 2, 3]}, "y")
NARROW = fp.fit(
    ops.power_transform(), fp.regression({"a": [99.0] + [100.0] * 9, "y": range(10)}, "y"), key=KEY
)
POSITIVE = fp.fit(ops.power_transform("box_cox"), NEGATIVE.take([0, 1]), key=KEY)
BAD = [
    ("n_quantiles", lambda: ops.quantile_transform(0), ParameterError, "n_quantiles", None, ""),
    ("output", lambda: ops.quantile_transform(output="u"), ParameterError, "output", None, ""),
    ("noise", lambda: ops.quantile_transform(noise=-1), ParameterError, "noise", None, ""),
    ("method", lambda: ops.power_transform("box-cox"), ParameterError, "method", None, "box_cox"),
    (
        "infinite",
        lambda: fp.fit(ops.quantile_transform(), INFINITE, key=KEY),
        DataError,
        "cannot take 'a' in row 1",
        "quantile_transform",
        "infinite",
    ),
    (
        "not positive",
        lambda: fp.fit(ops.power_transform("box_cox"), NEGATIVE, key=KEY),
        DataError,
        "cannot take 'a' in row 2",
        "power_transform",
        "yeo_johnson",
    ),
    (
        "not positive later",
        lambda: fp.apply(POSITIVE, NEGATIVE),
        DataError,
        "cannot take 'a' in row 2",
        "power_transform",
        "yeo_johnson",
    ),
    (
        "overflow",
        lambda: fp.apply(NARROW, {"a": [99.5, 1e9]}),
        DataError,
        "the power of 'a' in row 1 is too large",
        "power_transform",
        "leave out 'a'",
    ),
    (
        "levels",
        lambda: fp.check(ops.power_transform(columns="level"), TASK),
        SchemaError,
        "cannot work on 'level'",
        "power_transform",
        "numeric()",
    ),
]


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    with pytest.raises(FpipeError) as caught:
        act()
    found = caught.value
    assert type(found) is error
    assert rule in found.rule
    assert found.at == at
    assert found.expected
    assert found.got
    assert fix in found.fix
