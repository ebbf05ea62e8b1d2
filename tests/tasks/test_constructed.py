"""Tasks made from a small table of passengers: mixed columns, in every form of table."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import fpipe as fp
from fpipe.core.errors import DataError, FpipeError, ParameterError, SchemaError
from fpipe.data.conform import conform

DAY = datetime.date(1912, 4, 10)
EMBARKED = [DAY, DAY + datetime.timedelta(days=1), None, DAY, DAY, DAY]
COLUMNS = {
    "passenger": [11, 12, 13, 14, 15, 16],
    "ticket": ["A1", "A1", "B2", "C3", "C3", "D4"],
    "deck": ["C", None, "E", "C", None, "A"],
    "age": [22.0, 38.0, None, 35.0, 2.0, 54.5],
    "siblings": [1, 1, 0, None, 3, 0],
    "alone": [False, False, True, None, False, True],
    "boarded": EMBARKED,
    "fare": [7.25, 71.28, 7.92, 53.1, 21.07, 51.86],
    "survived": ["no", "yes", "yes", "yes", "no", "no"],
}
FEATURES = ("deck", "age", "siblings", "alone", "boarded", "fare")


def as_pandas():
    frame = pd.DataFrame(COLUMNS)
    nullable = {"siblings": "Int64", "alone": "boolean"}
    return frame.astype(nullable).assign(deck=frame["deck"].astype("category"))


FORMS = {
    "dict": lambda: COLUMNS,
    "polars": lambda: pl.DataFrame(COLUMNS),
    "lazy": lambda: pl.LazyFrame(COLUMNS),
    "pandas": as_pandas,
    "arrow": lambda: pa.table(COLUMNS),
}


def titanic(data=None, **settings):
    chosen = {"group": "ticket", "row_id": "passenger"} | settings
    whole = COLUMNS if data is None else data
    return fp.classification(whole, "survived", positive="yes", name="titanic", **chosen)


@pytest.fixture(params=FORMS)
def task(request):
    return titanic(FORMS[request.param]())


def test_roles(task):
    assert (task.n_rows, task.name, task.target) == (6, "titanic", "survived")
    assert task.features == FEATURES
    assert dict(task.roles) == {
        "feature": FEATURES,
        "target": ("survived",),
        "group": ("ticket",),
        "name": ("passenger",),
    }
    assert task.row_id.tolist() == [11, 12, 13, 14, 15, 16]


def test_kind(task):
    assert task.kind.name == "classification"
    assert (task.classes, task.kind.positive) == (("no", "yes"), "yes")
    assert task.dtype("survived") == pl.Enum(["no", "yes"])


def test_types(task):
    expected = {
        "deck": pl.Enum(["A", "C", "E"]),
        "age": pl.Float64,
        "siblings": pl.Int64,
        "alone": pl.Boolean,
        "boarded": pl.Date,
        "fare": pl.Float64,
    }
    assert {name: task.dtype(name) for name in task.features} == expected


def test_values_and_missing_ones(task):
    for name in task.features:
        assert task.column(name).to_list() == COLUMNS[name]
    missing = {name: task.column(name).null_count() for name in task.features}
    expected = {"deck": 2, "age": 1, "siblings": 1, "alone": 1, "boarded": 1, "fare": 0}
    assert missing == expected


def test_every_form_gives_one_task(task):
    assert task == titanic()
    assert fp.fingerprint(task) == fp.fingerprint(titanic())


def test_print(task):
    assert repr(task).splitlines() == [
        "Task 'titanic' (classification, 6 rows, target 'survived')",
        "  classes   no, yes (positive)",
        "  features  Enum[3] (1): deck",
        "  features  Float64 (2): age, fare",
        "  features  Int64 (1): siblings",
        "  features  Boolean (1): alone",
        "  features  Date (1): boarded",
        "  group     ticket",
        "  name      passenger",
    ]


def test_groups_are_not_parted(task):
    train, test = fp.partition(task, ratio=0.5, key=fp.key(3))
    tickets = [set(part.column("ticket")) for part in (train, test)]
    assert not tickets[0] & tickets[1]
    assert train.n_rows + test.n_rows == 6


def test_new_passengers_without_a_target(task):
    """A deck that was not there becomes a further level; what is missing stays so."""
    new = {name: COLUMNS[name][:2] for name in FEATURES} | {"deck": ["Z", "A"], "age": [1, None]}
    rows = conform(new, task.outline())
    assert rows.dtype("deck") == pl.Enum(["A", "C", "E", "Z"])
    assert rows.column("age").to_list() == [1.0, None]
    assert rows.dtype("boarded") == pl.Date
    assert rows.target is None


def test_regression_of_the_fare(task):
    fares = fp.regression(task.table.drop("ticket"), "fare", row_id="passenger")
    assert fares.features == ("deck", "age", "siblings", "alone", "boarded", "survived")
    assert fares.kind.name == "regression"
    assert fares.truth().to_list() == COLUMNS["fare"]


def test_regression_of_an_integer():
    ages = fp.regression({"x": ["a", "b"], "years": [3, 4]}, "years")
    assert ages.dtype("years") == pl.Float64


@pytest.mark.parametrize(
    ("values", "positive", "classes"),
    [([0, 1, 1], 1, ("0", "1")), ([True, False, True], True, ("False", "True"))],
)
def test_positive_class_of_numbers_and_truths(values, positive, classes):
    kind = fp.classification({"x": [1, 2, 3], "y": values}, "y", positive=positive).kind
    assert (kind.classes, kind.positive) == (classes, classes[1])


def test_datetimes_and_durations_are_features():
    moment = datetime.datetime(1912, 4, 14, 23, 40, tzinfo=datetime.UTC)
    data = {
        "at": [moment, None],
        "lasted": [datetime.timedelta(hours=2), datetime.timedelta(minutes=40)],
        "clock": [datetime.time(23, 40), datetime.time(2, 20)],
        "y": [1.0, 2.0],
    }
    task = fp.regression(data, "y")
    assert task.features == ("at", "lasted", "clock")
    assert task.dtype("at") == pl.Datetime("us", "UTC")
    assert task.column("at").to_list() == [moment, None]
    assert task.take([1]).column("clock").to_list() == [datetime.time(2, 20)]
    assert task == fp.regression(pl.DataFrame(data), "y")
    later = data | {"lasted": [datetime.timedelta(hours=3)] * 2}
    assert fp.fingerprint(fp.regression(later, "y")) != fp.fingerprint(task)


def test_a_task_does_not_follow_what_it_was_made_from():
    """Arrays and pandas frames are copied: writing into them later changes no task."""
    numbers, labels = np.arange(4.0), np.array([1, 0, 1, 0])
    frame = pd.DataFrame({"x": np.arange(4.0), "y": labels})
    tensor, array = torch.arange(4.0), np.arange(8.0).reshape(4, 2)
    columns = {"n": numbers, "t": tensor, "a": array, "s": frame["x"], "y": labels}
    made = fp.classification(columns, "y"), fp.classification(frame, "y")
    before = [fp.fingerprint(task) for task in made]
    for written in (numbers, labels, tensor, array):
        written[0] = 7
    frame.iloc[0, 0] = 7.0
    assert [fp.fingerprint(task) for task in made] == before


def changed(**columns):
    return COLUMNS | columns


@pytest.mark.parametrize(
    ("data", "settings", "error", "words", "expected", "got", "fix"),
    [
        (changed(), {"group": "tickets"}, SchemaError, "no column 'tickets'", "ticket", "tickets",
         "did you mean 'ticket'"),
        (changed(), {"features": ["age", "age"]}, SchemaError, "'age' is named 2 times", "once",
         "age, age", "name 'age' once"),
        (changed(), {"features": ["age", "survived"]}, SchemaError, "target 'survived' is also",
         "other than the target", "survived", "leave 'survived' out"),
        (changed(survived=["no", "yes", None, "no", "no", "no"]), {}, DataError,
         "missing in 1 of 6", "in every row", "row 2", "drop the rows"),
        (changed(survived=["no"] * 6), {}, DataError, "same value in every row", "two different",
         "'no' in all 6 rows", "another target"),
        (changed(survived=["a", "b", "c", "a", "b", "c"]), {}, ParameterError,
         "positive class 'yes'", "a, b, c", "yes", "use one of"),
        (changed(ticket=["A1", None, "B2", "C3", "C3", "D4"]), {}, DataError,
         "group column 'ticket' is missing in 1", "in every row", "row 1", "groups of their own"),
        (changed(passenger=[1, 1, 2, 3, 4, 5]), {}, DataError, "cannot name the rows", "unique",
         "5 distinct values in 6", "leave row_id out"),
        (changed(), {"weight": "age"}, DataError, "'age' cannot weigh", "finite numbers",
         "1 missing, least 2.0, largest 54.5", "replace or drop"),
        (changed(), {"weight": "deck"}, DataError, "'deck' cannot weigh", "finite numbers",
         "2 missing", "replace or drop"),
        (changed(deck=np.zeros((6, 2))), {"weight": "deck"}, DataError, "'deck' cannot weigh",
         "finite numbers", "Array", "replace or drop"),
        (changed(deck=[[1.0]] * 6), {}, SchemaError, "cannot be a feature", "pl.Array",
         "List(Float64)", "list.to_array"),
        (changed(deck=[["a"]] * 6), {}, SchemaError, "cannot be a feature", "pl.Array",
         "List(String)", "convert or drop 'deck'"),
        (changed(deck=[{"a": 1}] * 6), {}, SchemaError, "cannot be a feature", "numbers",
         "Struct", "convert or drop 'deck'"),
        (changed(deck=[np.zeros(2)] * 5 + [np.zeros(3)]), {}, DataError, "different shapes",
         "one shape", "(2,), (3,)", "pad or resize"),
        (changed(deck=[np.zeros(2)] * 5 + [None]), {}, DataError, "different shapes",
         "one shape", "(2,), missing", "pad or resize"),
    ],
)  # fmt: skip
def test_what_makes_no_task(data, settings, error, words, expected, got, fix):
    with pytest.raises(error, match=words) as caught:
        titanic(data, **settings)
    assert isinstance(caught.value, FpipeError)
    assert expected in caught.value.expected
    assert got in caught.value.got
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([[0.5], [1.5]], SchemaError, "the target 'y' of a regression has the type List"),
        (["1", "2"], SchemaError, "the target 'y' of a regression has the type String"),
        ([DAY, EMBARKED[1]], SchemaError, "the target 'y' of a regression has the type Date"),
        ([1.0, float("inf")], DataError, "infinite"),
    ],
)
def test_what_is_no_number(values, error, words):
    with pytest.raises(error, match=words) as caught:
        fp.regression({"x": [1, 2], "y": values}, "y")
    assert caught.value.expected
    assert caught.value.fix


def test_tensors_are_no_classes():
    with pytest.raises(SchemaError, match="cannot be classes") as caught:
        fp.classification({"x": [1, 2], "y": np.eye(2)}, "y")
    assert "Array" in caught.value.got
    assert caught.value.fix
