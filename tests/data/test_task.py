"""Making tasks from every kind of table, and what tasks can do."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fpipe as fp
from fpipe.core.errors import DataError, SchemaError
from fpipe.data.conform import conform
from fpipe.data.kind import Classification, Regression
from fpipe.data.prediction import pool, predicted_classes, predicted_numbers

COLUMNS = {
    "x": [1.5, 2.5, None, 4.5],
    "n": [1, 2, 3, 4],
    "s": ["b", "a", None, "b"],
    "t": [True, False, True, None],
    "y": [1.0, 2.0, 3.0, 4.0],
}
FRAME = pl.DataFrame(COLUMNS)
ROWS = fp.regression(
    {"x": [float(i) for i in range(10)], "g": list("aabbccddee"), "y": range(10)}, "y", group="g"
)


def sources(folder):
    """Return the same table in every form."""
    FRAME.write_csv(folder / "table.csv")
    FRAME.write_parquet(folder / "table.parquet")
    return {
        "polars": FRAME,
        "lazy": FRAME.lazy(),
        "pandas": FRAME.to_pandas(),
        "arrow": FRAME.to_arrow(),
        "mapping": COLUMNS,
        "csv": str(folder / "table.csv"),
        "parquet": folder / "table.parquet",
    }


@pytest.mark.parametrize("form", ["lazy", "pandas", "arrow", "mapping", "csv", "parquet"])
def test_every_form_gives_the_same_task(form, tmp_path):
    """A table is the same task whatever it came as."""
    task = fp.regression(sources(tmp_path)[form], "y")
    assert task == fp.regression(FRAME, "y")
    assert fp.fingerprint(task) == fp.fingerprint(fp.regression(FRAME, "y"))


def test_types_of_features():
    """Text becomes an Enum with sorted levels, NaN is missing, numbers and truth values stay."""
    task = fp.regression(FRAME.with_columns(x=pl.Series([1.5, float("nan"), None, 4.5])), "y")
    assert task.features == ("x", "n", "s", "t")
    assert task.dtype("s") == pl.Enum(["a", "b"])
    assert task.column("x").to_list() == [1.5, None, None, 4.5]
    assert [task.dtype(n) for n in ("n", "t", "y")] == [pl.Int64, pl.Boolean, pl.Float64]


def test_decimals_dates_and_empty_columns():
    """Decimals and columns without a value become floats; dates stay."""
    day = datetime.date(2020, 1, 1)
    task = fp.regression(
        {"d": [Decimal("1.5"), Decimal("2.5")], "e": [None, None], "day": [day, day], "y": [1, 2]},
        "y",
    )
    assert [task.dtype(n) for n in task.features] == [pl.Float64, pl.Float64, pl.Date]


def test_pandas_categories():
    """A pandas categorical keeps its levels as text; its index is no column."""
    frame = pd.DataFrame(
        {"c": pd.Categorical(["u", "v", "u"]), "y": [1.0, 2.0, 3.0]}, index=[7, 8, 9]
    )
    task = fp.regression(frame, "y")
    assert task.features == ("c",)
    assert task.column("c").to_list() == ["u", "v", "u"]
    assert (task.row_id == [0, 1, 2]).all()


def test_the_frame_is_not_changed():
    """Neither a pandas frame nor a mapping changes by becoming a task."""
    frame = FRAME.to_pandas()
    before = frame.copy(deep=True)
    fp.regression(frame, "y")
    pd.testing.assert_frame_equal(frame, before)


def test_arrow_with_dictionary():
    """A dictionary-encoded Arrow column is a feature with levels."""
    table = pa.table({"c": pa.array(["u", "v", "u"]).dictionary_encode(), "y": [1.0, 2.0, 3.0]})
    assert fp.regression(table, "y").dtype("c") == pl.Enum(["u", "v"])


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, None, 3], pl.Int64(), [1, None, 3]),
        ([1, None, 2.5], pl.Float64(), [1.0, None, 2.5]),
        (["p", None, "q"], pl.Enum(["p", "q"]), ["p", None, "q"]),
        ([True, None, False], pl.Boolean(), [True, None, False]),
        ([1, float("nan"), 2], pl.Float64(), [1.0, None, 2.0]),
    ],
    ids=["integers", "numbers", "text", "truth values", "NaN"],
)
def test_arrays_of_objects(values, dtype, expected):
    """They are read as lists are: by the values in them."""
    made = fp.regression({"a": np.array(values, object), "y": [1.0, 2.0, 3.0]}, "y")
    assert made.dtype("a") == dtype
    assert made.column("a").to_list() == expected
    assert made == fp.regression({"a": values, "y": [1.0, 2.0, 3.0]}, "y")


def test_single_values_are_one_row():
    """A mapping of nothing but values is a row, such as one to predict."""
    assert conform({"x": 1.5, "n": 2, "s": "a", "t": True}, OUTLINE).n_rows == 1


# Kinds


@pytest.mark.parametrize(
    ("values", "classes", "coded"),
    [
        (["no", "yes", "no"], ("no", "yes"), ["no", "yes", "no"]),
        ([True, False, True], ("False", "True"), ["True", "False", "True"]),
        ([10, 9, 10], ("9", "10"), ["10", "9", "10"]),
        ([-1, 1, -1], ("-1", "1"), ["-1", "1", "-1"]),
        ([2.0, 1e20, 2.0], ("2.0", "1e+20"), ["2.0", "1e+20", "2.0"]),
        (
            [datetime.date(2021, 1, 1), datetime.date(2020, 1, 1)],
            ("2020-01-01", "2021-01-01"),
            ["2021-01-01", "2020-01-01"],
        ),
        (pl.Series(["s", "l", "s"], dtype=pl.Enum(["s", "m", "l"])), ("s", "l"), ["s", "l", "s"]),
        (pl.Series(["s", "l", "s"], dtype=pl.Categorical), ("l", "s"), ["s", "l", "s"]),
    ],
    ids=str,
)
def test_classes(values, classes, coded):
    """The distinct values are the classes, numbers in numeric order, an Enum in its own."""
    task = fp.classification({"x": list(range(len(values))), "y": values}, "y")
    assert task.classes == classes
    assert task.column("y").to_list() == coded
    assert task.kind == Classification(classes, classes[-1])


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([1.5, 2.0, 1.5], "1.5 in row 0; 2 different values"),
        (np.array([1.0, 2.25], np.float32), "2.25 in row 1; 2 different values"),
        ([Decimal("1.0"), Decimal("2.5")], "2.5 in row 1; 2 different values"),
        ([1.0, float("inf")], None),
    ],
)
def test_broken_numbers_are_no_classes(values, got):
    """A target of numbers that are not whole is a regression; whole floats stay classes."""
    if got is None:
        assert fp.classification({"x": [1, 2], "y": values}, "y").classes == ("1.0", "inf")
        return
    with pytest.raises(DataError, match="not whole") as caught:
        fp.classification({"x": range(len(values)), "y": values}, "y")
    assert "integers" in caught.value.expected
    assert caught.value.got == got
    assert "fp.regression" in caught.value.fix


def test_dates_in_a_csv_file(tmp_path):
    """ISO dates and moments are read as such, whatever else looks like one stays text."""
    (tmp_path / "t.csv").write_text(
        "day,at,spaced,us,gap,wrong,y\n"
        "2024-02-29,2024-02-29T10:30:00,2024-02-29 10:30:00.25,02/03/2024,,2024-02-30,1\n"
        "2023-01-01,2023-01-01T00:00:00,2023-01-01 00:00:00,03/03/2024,2020-05-06,2024-02-28,2\n"
    )
    task = fp.regression(tmp_path / "t.csv", "y")
    assert [task.dtype(name) for name in ("day", "at", "spaced", "gap")] == [
        pl.Date(),
        pl.Datetime("us"),
        pl.Datetime("us"),
        pl.Date(),
    ]
    assert task.column("day").to_list() == [datetime.date(2024, 2, 29), datetime.date(2023, 1, 1)]
    assert task.column("at")[0] == datetime.datetime(2024, 2, 29, 10, 30)
    assert task.column("spaced")[0] == datetime.datetime(2024, 2, 29, 10, 30, 0, 250000)
    assert task.column("gap").to_list() == [None, datetime.date(2020, 5, 6)]
    assert isinstance(task.dtype("us"), pl.Enum)
    assert isinstance(task.dtype("wrong"), pl.Enum)
    again = conform(str(tmp_path / "t.csv"), task.outline())
    assert again.table.equals(task.table)


def test_datetime_classes():
    """Moments are classes too, and none of them is lost."""
    values = [datetime.datetime(2020, 1, 1, 12), datetime.datetime(2021, 1, 1, 12)]
    task = fp.classification({"x": [1, 2], "y": values}, "y")
    assert task.column("y").null_count() == 0
    assert len(task.classes) == 2


def test_positive():
    """The last of two classes is positive unless another one is named, by its value too."""
    table = {"x": [1, 2], "y": [0, 1]}
    assert fp.classification(table, "y").kind.positive == "1"
    assert fp.classification(table, "y", positive="0").kind.positive == "0"
    assert fp.classification(table, "y", positive=0).kind.positive == "0"
    assert fp.classification({"x": [1, 2, 3], "y": [0, 1, 2]}, "y").kind.positive is None


def test_output_sizes():
    """A network gives one number for regression and two classes, else one per class."""
    assert Regression().output_size == 1
    assert Classification(("a", "b"), "b").output_size == 1
    assert Classification(("a", "b", "c")).output_size == 3


def test_regression_targets_become_floats():
    """Whole numbers and decimals as targets are floats."""
    assert fp.regression({"x": [1, 2], "y": [3, 4]}, "y").dtype("y") == pl.Float64
    assert fp.regression({"x": [1, 2], "y": [Decimal("3.5"), Decimal("4.5")]}, "y").column(
        "y"
    ).to_list() == [3.5, 4.5]


# Roles


def test_roles():
    """Each role takes its columns out of the features; the rest are features in table order."""
    table = {
        "w": [1.0, 2.0, 0.0],
        "b": [1, 2, 3],
        "g": [1, 1, 2],
        "s": ["u", "v", "v"],
        "a": [1, 2, 3],
        "i": [30, 10, 20],
        "y": ["p", "q", "p"],
    }
    task = fp.classification(table, "y", group="g", stratum="s", weight="w", row_id="i")
    assert task.features == ("b", "a")
    assert {r: c for r, c in task.roles.items() if r != "feature"} == {
        "target": ("y",),
        "group": ("g",),
        "stratum": ("s",),
        "weight": ("w",),
        "name": ("i",),
    }
    assert task.row_id.tolist() == [30, 10, 20]
    assert task.role("weight").to_list() == [1.0, 2.0, 0.0]
    assert task.role("order") is None


def test_features_in_the_order_given():
    """Features that are named stand in the order of their naming; others keep no role."""
    task = fp.regression(FRAME, "y", features=["t", "x"])
    assert task.features == ("t", "x")
    assert "n" in task.table.columns
    assert fp.regression(FRAME, "y", features="x").features == ("x",)


def test_with_roles():
    """A role given later takes its column out of the features, and puts text into levels."""
    task = ROWS.with_roles(weight="x")
    assert task.features == ()
    assert task.role("weight").to_list() == ROWS.column("x").to_list()
    assert ROWS.features == ("x",)
    chosen = fp.regression(FRAME, "y", features=["x"]).with_roles(feature=["s", "x"])
    assert chosen.features == ("s", "x")
    assert chosen.dtype("s") == pl.Enum(["a", "b"])


# Rows and columns


def test_take():
    """Rows come in the order asked, with their ids."""
    task = ROWS.take([7, 0, 3])
    assert task.column("x").to_list() == [7.0, 0.0, 3.0]
    assert task.row_id.tolist() == task.origin.tolist() == [7, 0, 3]
    assert ROWS.take([]).n_rows == 0
    assert ROWS.take(np.array([], dtype=int)).table.schema == ROWS.table.schema


def test_repeat():
    """A repeated row gets an id of its own and keeps its origin."""
    task = ROWS.repeat([2, 2, 5, 2])
    assert task.column("x").to_list() == [2.0, 2.0, 5.0, 2.0]
    assert task.origin.tolist() == [2, 2, 5, 2]
    assert task.row_id[0] == 2
    assert task.row_id[2] == 5
    assert len(set(task.row_id.tolist())) == 4
    again = task.repeat([1, 1])
    assert again.origin.tolist() == [2, 2]


def test_filter():
    """Rows for which all expressions are true stay, missing counts as false."""
    assert ROWS.filter(pl.col("x") > 3, pl.col("g") != "e").row_id.tolist() == [4, 5, 6, 7]
    assert fp.regression(FRAME, "y").filter(pl.col("x") > 0).row_id.tolist() == [0, 1, 3]


def test_select_and_cbind():
    """Features are kept in the order asked; new ones come last or replace their namesakes."""
    task = fp.regression(FRAME, "y")
    assert task.select(["t", "x"]).features == ("t", "x")
    wider = task.cbind(pl.DataFrame({"new": list("uvuv"), "x": [9, 9, 9, 9]}))
    assert wider.features == ("x", "n", "s", "t", "new")
    assert wider.column("x").to_list() == [9] * 4
    assert wider.dtype("new") == pl.Enum(["u", "v"])
    assert task.column("x").to_list() == [1.5, 2.5, None, 4.5]


def test_rbind():
    """Rows go below; ids that clash are replaced, and repeats stay repeats."""
    first, second = ROWS.take([0, 1]), ROWS.take([5, 6])
    assert first.rbind(second).row_id.tolist() == [0, 1, 5, 6]
    both = ROWS.rbind(ROWS)
    assert both.n_rows == 20
    assert len(np.unique(both.row_id)) == 20
    repeated = ROWS.rbind(ROWS.repeat([3, 3]))
    assert len(np.unique(repeated.row_id)) == 12
    assert len(np.unique(repeated.origin)) == 11
    with pytest.raises(SchemaError):
        ROWS.rbind(fp.regression(FRAME, "y"))


def test_rbind_finds_columns_by_name():
    """Columns of another order are put in order."""
    other = fp.regression(
        {"y": range(10), "g": list("aabbccddee"), "x": [float(i) for i in range(10)]},
        "y",
        group="g",
    )
    assert ROWS.rbind(other).column("x").to_list() == 2 * ROWS.column("x").to_list()


def test_values_are_values():
    """Tasks are the same where their content is; the frame's chunks do not matter."""
    halves = pl.concat([ROWS.table.head(4), ROWS.table.tail(6)], rechunk=False)
    assert fp.regression(halves, "y", group="g") == ROWS
    assert ROWS.take(range(9)) != ROWS
    assert ROWS.take([1, 0]) != ROWS.take([0, 1])


def test_print():
    """A task prints its kind, size, target, features by type and other roles."""
    assert repr(ROWS).splitlines() == [
        "Task 'data' (regression, 10 rows, target 'y')",
        "  features  Float64 (1): x",
        "  group     g",
    ]


# New data


OUTLINE = fp.regression(FRAME, "y").outline()


def test_conform_finds_columns():
    """Columns are found by name, further ones dropped, the target may be absent."""
    task = conform({"extra": [1], "t": [True], "s": ["a"], "n": [7], "x": [1]}, OUTLINE)
    assert task.features == ("x", "n", "s", "t")
    assert task.table.columns == ["x", "n", "s", "t"]
    assert task.target is None
    assert task.row_id.tolist() == [0]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("x", [1, 2], [1.0, 2.0]),
        ("x", [float("nan"), 2.0], [None, 2.0]),
        ("x", [None, None], [None, None]),
        ("n", [1.5, 2.0], [1.5, 2.0]),
        ("n", pl.Series([1, 2], dtype=pl.UInt8), [1, 2]),
        ("n", pl.Series([2**63, 1], dtype=pl.UInt64), [2.0**63, 1.0]),
        ("s", ["b", "c"], ["b", "c"]),
        ("s", pl.Series(["b", None], dtype=pl.Categorical), ["b", None]),
        ("t", [None, None], [None, None]),
    ],
)
def test_conform_of_types(column, values, expected):
    """Numbers stay numbers, NaN is missing, further levels stay further levels."""
    table = {"x": [1.0, 1.0], "n": [1, 1], "s": ["a", "a"], "t": [True, True]} | {column: values}
    assert conform(table, OUTLINE).column(column).to_list() == expected


def test_conform_keeps_known_levels_first():
    """A level that was not there comes behind the ones that were."""
    table = {"x": [1.0], "n": [1], "s": ["A"], "t": [True]}
    assert conform(table, OUTLINE).dtype("s") == pl.Enum(["a", "b", "A"])


@pytest.mark.parametrize(
    ("column", "value"), [("x", "1"), ("x", True), ("t", 1.5), ("n", "a"), ("s", 1.5)]
)
def test_conform_refuses_other_types(column, value):
    """A type that cannot be the one at fit is an error that names both."""
    table = {"x": [1.0], "n": [1], "s": ["a"], "t": [True]} | {column: [value]}
    with pytest.raises(SchemaError, match=f"column '{column}' was"):
        conform(table, OUTLINE)


# Predictions


def test_prediction_of_numbers():
    """Scores, the table and pooling of a regression by hand."""
    one = predicted_numbers(ROWS.take([0, 1]), np.array([0.0, 3.0]))
    two = predicted_numbers(ROWS.take([9]), np.array([8.0]))
    assert one.score("rmse") == pytest.approx(np.sqrt(2))
    assert one.scores("mae", "mse") == {"mae": 1.0, "mse": 2.0}
    assert one.table().to_dict(as_series=False) == {
        "row_id": [0, 1],
        "truth": [0.0, 1.0],
        "response": [0.0, 3.0],
    }
    whole = pool([one, two])
    assert whole.row_id.tolist() == [0, 1, 9]
    assert whole.score("mae") == 1.0


def test_prediction_of_classes():
    """Probabilities keep the order of the classes; of equals the first is predicted."""
    task = fp.classification({"x": [1, 2, 3], "y": ["b", "a", "c"]}, "y")
    prediction = predicted_classes(
        task, np.array([[0.2, 0.5, 0.3], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]])
    )
    assert prediction.response.to_list() == ["b", "a", "c"]
    assert prediction.score("accuracy") == 1.0
    assert prediction.table().columns == [
        "row_id",
        "truth",
        "response",
        "prob.a",
        "prob.b",
        "prob.c",
    ]
    assert prediction.score("log_loss") == pytest.approx(-np.log([0.5, 0.5, 0.8]).mean())


def test_pool_of_kinds():
    """Predictions of different kinds cannot be pooled."""
    one = predicted_numbers(ROWS.take([0, 1]), np.array([0.0, 3.0]))
    two = predicted_classes(
        fp.classification({"x": [1, 2], "y": ["b", "a"]}, "y"), np.array([[1.0, 0.0], [0.0, 1.0]])
    )
    with pytest.raises(SchemaError, match="different kinds"):
        pool([one, two])
