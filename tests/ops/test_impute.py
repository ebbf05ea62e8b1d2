"""Imputers against scikit-learn, worked examples and the distributions they draw from."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.impute import SimpleImputer

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, ParameterError, SchemaError

RNG = np.random.default_rng(3)
KEY = fp.key(11)
N = 90


def holes(values, every):
    """Return the values with every so many missing."""
    return [None if i % every == 0 else v for i, v in enumerate(np.asarray(values).tolist())]


COLUMNS = {
    "a": holes(RNG.normal(size=N), 3),
    "count": holes(RNG.integers(0, 9, N), 4),
    "colour": holes(RNG.choice(["red", "green", "blue"], N), 5),
    "flag": holes(RNG.random(N) > 0.4, 7),
    "full": RNG.normal(size=N),
    "y": RNG.normal(size=N),
}
TASK = fp.regression(COLUMNS, "y")


def raw(*names):
    """Return columns as scikit-learn takes them."""
    return np.array([COLUMNS[name] for name in names], dtype=object).T


def sklearn(strategy, *names, fill=None):
    kind = {"mean": float, "median": float}.get(strategy, object)
    x = raw(*names).astype(kind)
    gap = np.nan if kind is float else None
    made = SimpleImputer(strategy=strategy, missing_values=gap, fill_value=fill)
    return made.fit_transform(x)


@pytest.mark.parametrize(
    ("graph", "strategy", "names", "fill"),
    [
        (ops.impute_mean(), "mean", ("a", "count"), None),
        (ops.impute_median(), "median", ("a", "count"), None),
        (ops.impute_mode(), "most_frequent", ("colour", "flag"), None),
        (ops.impute_mode(columns="count"), "most_frequent", ("count",), None),
        (ops.impute_constant(-1), "constant", ("a", "count"), -1),
        (ops.impute_constant(0.5), "constant", ("a", "count"), 0.5),
        (ops.impute_constant("red"), "constant", ("colour",), "red"),
        (ops.impute_constant("none"), "constant", ("colour",), "none"),
        (ops.impute_constant(True), "constant", ("flag",), True),
    ],
    ids=[
        "impute_mean",
        "impute_median",
        "impute_mode",
        "impute_mode-number",
        "impute_constant-integer",
        "impute_constant-float",
        "impute_constant-level",
        "impute_constant-new-level",
        "impute_constant-truth",
    ],
)
def test_numbers(graph, strategy, names, fill):
    """The values are those of scikit-learn's SimpleImputer; other features are left alone."""
    out = fp.transform(graph, TASK, key=KEY)
    expected = sklearn(strategy, *names, fill=fill)
    for i, name in enumerate(names):
        found, wanted = out.column(name).to_list(), expected[:, i].tolist()
        if isinstance(wanted[1], float):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
        else:
            assert found == wanted
    assert out.features == TASK.features
    for name in set(TASK.features) - set(names) - {"full"}:
        assert out.column(name).equals(TASK.column(name))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (ops.impute_mean(), {"count": pl.Float64()}),
        (ops.impute_median(), {"count": pl.Float64()}),
        (ops.impute_mode(), {}),
        (ops.impute_mode(columns="count"), {}),
        (ops.impute_hist(), {}),
        (ops.impute_sample(), {}),
        (ops.impute_constant(300), {}),
        (ops.impute_constant(0.5), {"count": pl.Float64()}),
        (ops.impute_constant("z"), {"colour": pl.Enum(["blue", "green", "red", "z"])}),
        (ops.impute_constant("red"), {}),
        (
            ops.impute_oor(),
            {"count": pl.Float64(), "colour": pl.Enum(["blue", "green", "red", ".MISSING"])},
        ),
    ],
    ids=lambda x: repr(x).splitlines()[-1].strip(),
)
def test_types(graph, expected):
    """Types stay but where the docstring says so, and ``fp.check`` foresees them."""
    out = fp.transform(graph, TASK, key=KEY)
    assert {n: out.dtype(n) for n in TASK.features} == {
        n: expected.get(n, TASK.dtype(n)) for n in TASK.features
    }
    assert out.table.schema == out.schema


@pytest.mark.parametrize(("value", "dtype"), [(3, pl.UInt8), (300, pl.Int64), (-1, pl.Int64)])
def test_an_integer_that_does_not_fit(value, dtype):
    """Small integers become larger ones where the value needs it."""
    column = pl.Series([1, None, 3], dtype=pl.UInt8)
    task = fp.regression({"x": column, "y": range(3)}, "y")
    out = fp.transform(ops.impute_constant(value), task, key=KEY)
    assert out.column("x").to_list() == [1, value, 3]
    assert out.dtype("x") == dtype


def test_mode_of_equals():
    """Of equally frequent values the first fills: in level order, False, the smallest number."""
    task = fp.regression(
        {
            "c": pl.Series(["b", "a", None, "b", "a"], dtype=pl.Enum(["b", "a"])),
            "d": ["b", "a", None, "b", "a"],
            "t": [True, False, None, True, False],
            "n": [3, 1, None, 3, 1],
            "y": range(5),
        },
        "y",
    )
    out = fp.transform(ops.impute_mode(columns=ops.everything()), task, key=KEY)
    assert [out.column(name)[2] for name in "cdtn"] == ["b", "a", False, 1]


@pytest.mark.parametrize(
    ("graph", "filled"),
    [
        # The numbers are 2, 4 and 7: the range is 5.
        (ops.impute_oor(), 2 - 1 - 5),
        (ops.impute_oor(below=False), 7 + 1 + 5),
        (ops.impute_oor(offset=0.5, multiplier=2), 2 - 0.5 - 10),
        (ops.impute_oor(multiplier=0.0), 1),
    ],
    ids=["impute_oor", "above", "multiplier", "offset-only"],
)
def test_out_of_range(graph, filled):
    """Numbers are filled by what mlr3pipelines documents; levels by a level of their own."""
    table = {"x": [4, None, 2, 7], "c": ["u", None, "v", "u"], "t": [True, None, True, False]}
    task = fp.regression({**table, "none": [None] * 4, "y": range(4)}, "y")
    fitted, out = fp.run(graph, task, key=KEY)
    assert out.column("x").to_list() == [4.0, filled, 2.0, 7.0]
    assert out.column("c").to_list() == ["u", ".MISSING", "v", "u"]
    assert out.column("t").to_list() == table["t"]
    assert out.column("none").to_list() == [0.0] * 4
    new = fp.apply(fitted, {"x": [None], "c": ["w"], "t": [None], "none": [None]})
    assert new.column("x").to_list() == [filled]
    # A level that was not there at fit stands behind those that are known.
    assert new.dtype("c") == pl.Enum(["u", "v", ".MISSING", "w"])
    assert new.column("c").to_list() == ["w"]


IMPUTERS = [
    "impute_mean",
    "impute_median",
    "impute_hist",
    "impute_sample",
    "impute_oor",
]


@pytest.mark.parametrize("name", [*IMPUTERS, "impute_mode"])
def test_complete_columns_are_learned_too(name):
    """A column that misses nothing at fit is filled at predict."""
    task = fp.regression({"a": [1.0, 2.0, 6.0], "c": ["u", "v", "v"], "y": range(3)}, "y")
    chosen = {"columns": "c"} if name == "impute_mode" else {"columns": "a"}
    fitted = fp.fit(getattr(ops, name)(**chosen), task, key=KEY)
    out = fp.apply(fitted, {"a": [None, 5.0], "c": [None, "u"]})
    filled = next(iter(chosen.values()))
    assert out.column(filled).null_count() == 0


# Draws


SKEWED = np.concatenate([RNG.exponential(size=1500) * 3, [25.0]])


def gaps(column, n=20_000):
    """Return a task whose rows all miss a column, and the fitted rows above them."""
    seen = fp.regression({"x": column, "y": range(len(column))}, "y")
    empty = pl.DataFrame({"x": pl.Series([None] * n, dtype=seen.dtype("x"))})
    return seen, empty


def test_hist_draws_bins_in_proportion():
    """impute_hist draws bins as often as they hold values, and uniformly within a bin."""
    seen, empty = gaps(SKEWED)
    fitted = fp.fit(ops.impute_hist(), seen, key=KEY)
    (histogram,) = fitted.state("impute_hist").values
    breaks, expected = np.array(histogram.breaks), np.array(histogram.counts)
    assert expected.tolist() == np.histogram(SKEWED, breaks)[0].tolist()
    drawn = fp.apply(fitted, empty).column("x").to_numpy()
    found = np.histogram(drawn, breaks)[0]
    held = expected > 0
    assert found[~held].sum() == 0
    wanted = expected[held] * len(drawn) / expected.sum()
    assert stats.chisquare(found[held], wanted).pvalue > 1e-3
    inside = (drawn - breaks[np.searchsorted(breaks, drawn, side="right") - 1]) / np.diff(breaks)[0]
    assert stats.kstest(inside, "uniform").pvalue > 1e-3


def test_hist_of_mtcars():
    """impute_hist has the bins and counts that R prints for ``hist(mtcars$mpg)``."""
    from_r = [
        *(21.0, 21.0, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2),
        *(10.4, 10.4, 14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26.0, 30.4),
        *(15.8, 19.7, 15.0, 21.4),
    ]
    task = fp.regression({"mpg": [*from_r, None], "y": range(33)}, "y")
    (histogram,) = fp.fit(ops.impute_hist(), task, key=KEY).state("impute_hist").values
    assert histogram.breaks == (10.0, 15.0, 20.0, 25.0, 30.0, 35.0)
    assert histogram.counts == (6, 12, 8, 2, 4)


def test_hist_rounds_integers():
    """Draws for integers are whole numbers in the type of integers."""
    seen, empty = gaps(RNG.integers(0, 50, 400).astype(np.int16))
    out = fp.apply(fp.fit(ops.impute_hist(), seen, key=KEY), empty)
    assert out.dtype("x") == pl.Int64
    assert out.column("x").n_unique() > 40
    assert set(out.column("x")) <= set(range(51))


def test_hist_rounds_to_the_nearest():
    """The one bin of a constant 5 is 0 to 5; its ends take half as many draws as the others."""
    seen, empty = gaps([5] * 50)
    drawn = fp.apply(fp.fit(ops.impute_hist(), seen, key=KEY), empty).column("x")
    found = [(drawn == i).sum() for i in range(6)]
    expected = np.array([0.1, 0.2, 0.2, 0.2, 0.2, 0.1]) * len(drawn)
    assert stats.chisquare(found, expected).pvalue > 1e-3


def test_hist_of_nothing():
    """A column that is missing in every row is filled by 0."""
    task = fp.regression({"x": [None, None], "y": [1.0, 2.0]}, "y")
    assert fp.transform(ops.impute_hist(), task, key=KEY).column("x").to_list() == [0.0, 0.0]


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (0.9, 0.05, 0.05)], ids=str)
@pytest.mark.parametrize(
    "values",
    [
        [1.5, -2.0, 9.0],
        [3, 5, 8],
        ["u", "v", "w"],
        [dt.date(2024, 1, 1), dt.date(2024, 5, 1), dt.date(2025, 1, 1)],
    ],
    ids=["float", "integer", "levels", "date"],
)
def test_sample_draws_in_proportion(values, weights):
    """impute_sample draws each observed value as often as it occurs."""
    counts = [round(200 * w) for w in weights]
    seen, empty = gaps([v for v, n in zip(values, counts, strict=True) for _ in range(n)])
    out = fp.apply(fp.fit(ops.impute_sample(), seen, key=KEY), empty)
    drawn = out.column("x")
    assert drawn.dtype == seen.dtype("x")
    found = [(drawn == v).sum() for v in values]
    assert sum(found) == len(drawn)
    expected = np.array(counts) * len(drawn) / sum(counts)
    assert stats.chisquare(found, expected).pvalue > 1e-3


@pytest.mark.parametrize("name", ["impute_hist", "impute_sample"])
def test_draws_belong_to_rows(name):
    """A row's draw is the same in any batch and order, differs by column, row and key."""
    graph = getattr(ops, name)()
    x = [float(i) if i % 2 else None for i in range(400)]
    task = fp.regression({"a": x, "b": x, "y": range(400)}, "y")
    fitted, out = fp.run(graph, task, key=KEY)
    order = np.random.default_rng(0).permutation(400)
    assert fp.apply(fitted, task.take(order)).table.equals(out.table[order])
    parts = [fp.apply(fitted, task.take(rows)).table for rows in np.array_split(order, 7)]
    assert pl.concat(parts).equals(out.table[order])
    gaps_ = task.column("a").is_null()
    a, b = out.column("a").filter(gaps_), out.column("b").filter(gaps_)
    assert (a != b).mean() > 0.9
    assert a.n_unique() > 50
    other = fp.transform(graph, task, key=fp.key(12)).column("a").filter(gaps_)
    assert (a != other).mean() > 0.9
    assert out.column("a").filter(~gaps_).equals(task.column("a").filter(~gaps_))


@pytest.mark.parametrize("name", ["impute_hist", "impute_sample"])
def test_draws_are_close_to_independent_across_columns(name):
    """What fills two columns of one row is not correlated."""
    rng = np.random.default_rng(5)
    values = {c: [*rng.normal(size=300), *([None] * 3000)] for c in "ab"}
    out = fp.transform(
        getattr(ops, name)(), fp.regression({**values, "y": range(3300)}, "y"), key=KEY
    )
    a, b = (out.column(c)[300:].to_numpy() for c in "ab")
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.07


EMPTY = fp.regression({"a": [None, None], "c": ["u", "v"], "y": [1.0, 2.0]}, "y").take([0])
NO_LEVEL = fp.regression({"c": pl.Series([None, None], dtype=pl.Enum(["u"])), "y": [1.0, 2.0]}, "y")
INFINITE = fp.regression({"a": [1.0, None, -np.inf], "y": range(3)}, "y")
FIRST = fp.regression({"a": [np.inf, 1.0], "y": range(2)}, "y")
HUGE = fp.regression({"a": [-1.7e308, 1.7e308], "y": range(2)}, "y")

BAD = [
    *[
        (f"{n}-empty", getattr(ops, n), EMPTY, DataError, "'a', which is missing in every row")
        for n in ("impute_mean", "impute_median", "impute_sample")
    ],
    ("impute_mode-empty", ops.impute_mode, NO_LEVEL, DataError, "'c', which is missing in every"),
    *[
        (f"{n}-infinite", getattr(ops, n), INFINITE, DataError, "'a', which is not finite in row 2")
        for n in ("impute_mean", "impute_median", "impute_hist", "impute_oor")
    ],
    ("impute_mean-first", ops.impute_mean, FIRST, DataError, "'a', which is not finite in row 0"),
    ("impute_oor-huge", ops.impute_oor, HUGE, DataError, "no number beyond those of 'a'"),
    ("impute_hist-huge", ops.impute_hist, HUGE, DataError, "numbers are too large"),
    (
        "impute_mean-levels",
        lambda: ops.impute_mean(columns="colour"),
        TASK,
        SchemaError,
        "impute_mean cannot work on 'colour'",
    ),
    (
        "impute_oor-truths",
        lambda: ops.impute_oor(columns="flag"),
        TASK,
        SchemaError,
        "impute_oor cannot work on 'flag'",
    ),
    (
        "impute_constant-kind",
        lambda: ops.impute_constant("z", columns="a"),
        TASK,
        SchemaError,
        "impute_constant cannot work on 'a'",
    ),
    (
        "impute_constant-infinite",
        lambda: ops.impute_constant(float("inf")),
        TASK,
        ParameterError,
        "value cannot be inf",
    ),
    (
        "impute_constant-none",
        lambda: ops.impute_constant(None),
        TASK,
        ParameterError,
        "value cannot be None",
    ),
    (
        "impute_oor-offset",
        lambda: ops.impute_oor(offset=-1.0),
        TASK,
        ParameterError,
        "offset cannot be -1.0",
    ),
]


@pytest.mark.parametrize(
    ("graph", "task", "error", "rule"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_input(graph, task, error, rule):
    """What cannot be filled is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        fp.fit(graph(), task, key=KEY)
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


def test_value_is_required():
    """The constant has no default."""
    assert fp.check(ops.impute_constant(), TASK).missing == ("impute_constant.value",)


def test_levels_stay_levels_without_rows():
    """Two fillings and a step that comes after them, on no rows at all."""
    levels = pl.Series(["v", None, "w", "v"], dtype=pl.Enum(["v", "w"]))
    task = fp.regression({"x": levels, "z": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 4.0]}, "y")
    graph = ops.impute_hist() >> ops.impute_mode() >> ops.colapply(lambda x: x * 2.0)
    fitted = fp.fit(graph, task, key=fp.key(0))
    for rows in ([], [1], [0, 1, 2, 3]):
        assert fp.apply(fitted, task.take(rows)).table.schema["x"] == pl.Enum(["v", "w"])
