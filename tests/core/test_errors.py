"""The text and the fields of errors."""

import pickle
import traceback

import pytest

from fpipe.core.errors import (
    CodecError,
    DataError,
    FpipeError,
    GraphError,
    ParameterError,
    SchemaError,
    ShapeError,
    StateError,
    did_you_mean,
    nearest,
)

KINDS = [GraphError, ShapeError, SchemaError, ParameterError, DataError, StateError, CodecError]


def make(kind=DataError):
    return kind("10 folds but 4 rows.", expected="2 … 4", got=10, fix="use folds=4", limit=4)


@pytest.mark.parametrize("kind", KINDS)
def test_text_names_each_field(kind):
    assert str(make(kind).located("cv")) == (
        "10 folds but 4 rows.\n"
        "  expected  2 … 4\n"
        "  got       10\n"
        "  at        cv\n"
        "  fix       use folds=4"
    )


def test_fields_that_are_absent_are_left_out():
    assert str(FpipeError("no.")) == "no."


def test_a_traceback_names_the_class_once():
    try:
        raise ParameterError("no.", got=1)
    except ParameterError:
        shown = traceback.format_exc()
    assert shown.endswith("fpipe.core.errors.ParameterError: no.\n  got       1\n")
    assert shown.count("ParameterError: ") == 1


@pytest.mark.parametrize("field", ["expected", "got", "fix"])
def test_long_values_are_shown_on_one_short_line(field):
    names = ", ".join(f"name_{i}" for i in range(60))
    error = FpipeError("no.", **{field: names})
    _, line = str(error).splitlines()
    shown = line[12:]
    assert len(shown) <= 120
    assert shown.endswith(", …")
    assert names.startswith(shown.removesuffix(" …"))
    assert getattr(error, field) == names
    assert str(FpipeError("no.", **{field: "a\n" * 9})).splitlines()[1:] == [f"  {field:<9} a …"]
    assert len(str(FpipeError("no.", **{field: "x" * 500})).splitlines()[1][12:]) <= 120


def test_later_lines_are_indented_below_their_field():
    lines = str(FpipeError("no.", got="a\nb")).splitlines()
    assert lines[1:] == ["  got       a", "            b"]


def test_a_place_is_added_once():
    error = make().located("inner").located("outer")
    assert error.at == "inner"
    assert error.details == {"limit": 4}


def test_an_error_survives_pickle():
    error = make().located("cv")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is DataError
    assert str(again) == str(error)
    assert again.details == error.details


def test_nearest_name():
    assert nearest("dropuot", ["dropout", "linear"]) == "dropout"
    assert nearest("weight", ["class_weight", "reduction"]) == "class_weight"
    assert nearest("xyz", ["dropout"]) is None


def test_fix_lines():
    assert did_you_mean("lr_", ["lr", "beta"]) == "did you mean 'lr'?"
    assert did_you_mean("q", ["b", "a"]) == "use one of 'a', 'b'"
    assert did_you_mean("q", []) == "remove it"
