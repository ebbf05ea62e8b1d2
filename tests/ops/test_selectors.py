"""Selectors: which features they choose, and what they know without data."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import ParameterError, SchemaError
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

KEY = fp.key(0)
TASK = fp.regression(
    {
        "a": [1.5, None, 2.5, 1.5],
        "colour": ["red", "blue", "red", None],
        "b": [1, 2, 3, 4],
        "flag": [True, False, None, None],
        "day": [dt.date(2024, 1, i) for i in (1, 2, 3, 3)],
        "at": [dt.datetime(2024, 1, i) for i in (1, 2, 3, 4)],
        "took": [dt.timedelta(days=i) for i in (1, 2, 3, 4)],
        "image": np.zeros((4, 2, 2)),
        "c": pl.Series([1, 2, 3, 4], dtype=pl.Float32),
        "y": [1.0, 2.0, 3.0, 4.0],
    },
    "y",
)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (ops.numeric(), "a b c"),
        (ops.integer(), "b"),
        (ops.floating(), "a c"),
        (ops.categorical(), "colour flag"),
        (ops.levels(), "colour"),
        (ops.boolean(), "flag"),
        (ops.temporal(), "day at took"),
        (ops.dates(), "day at"),
        (ops.tensor(), "image"),
        (ops.everything(), "a colour b flag day at took image c"),
        (ops.named("c", "a"), "a c"),
        (ops.named(), ""),
        (ops.matching("c.*"), "colour c"),
        (ops.matching("c"), "c"),
        (ops.numeric() & ops.matching("c.*"), "c"),
        (ops.named("a") | ops.categorical(), "a colour flag"),
        (~(ops.numeric() | ops.temporal()), "colour flag image"),
        (ops.numeric() & ~ops.named("a"), "b c"),
        (ops.numeric() & ops.categorical(), ""),
        (ops.categorical() | "a", "a colour flag"),
        ("a" | ops.categorical(), "a colour flag"),
        (ops.numeric() & ["a", "day"], "a"),
        (["a", "day"] & ops.numeric(), "a"),
        (ops.numeric() & ~ops.named("a") | "day", "b day c"),
        (ops.missing(), "a colour flag"),
        (ops.missing(2), "flag"),
        (ops.missing(0.25), "a colour flag"),
        (ops.missing(0.3), "flag"),
        (~ops.missing(), "b day at took image c"),
        (ops.cardinality(at_most=2), "a colour flag"),
        (ops.cardinality(at_least=4), "b at took c"),
        (ops.cardinality(at_least=3, at_most=3), "day"),
        (~ops.cardinality(at_least=1), "image"),
    ],
    ids=str,
)
def test_select(selector, expected):
    """Selectors choose by type, name, pattern and data, and combine; the order is the task's."""
    fitted, out = fp.run(ops.select(selector), TASK, key=KEY)
    assert out.features == tuple(expected.split())
    assert out.target == "y"
    # What was chosen at fit is chosen later, whatever the new rows hold.
    new = TASK.table.head(1).with_columns(extra=pl.lit(1.0))
    assert fp.apply(fitted, new).features == out.features


def test_levels_that_no_row_has_count():
    """The cardinality of levels is that of the type; other values count where they occur."""
    size = pl.Series(["s", "s", None], dtype=pl.Enum(["s", "m", "l"]))
    task = fp.regression({"size": size, "x": [1.0, 1.0, None], "y": range(3)}, "y")
    assert ops.cardinality(at_least=3).of(task) == ("size",)
    assert ops.cardinality(at_most=1).of(task) == ("x",)


def test_no_rows():
    """Nothing is missing where there are no rows."""
    assert ops.missing(0.5).of(TASK.take([])) == ops.missing().of(TASK.take([])) == ()


def test_selector_is_required():
    """What is selected has no default."""
    assert fp.check(ops.select() >> ops.scale(), TASK).missing == ("select.selector",)


def test_select_by_names():
    """A name or several stand for a selector; the order is the task's."""
    assert fp.transform(ops.select(["c", "b"]), TASK, key=KEY).features == ("b", "c")
    assert ops.select("a") == ops.select(ops.named("a")) == ops.select(["a"])


KNOWN = [
    (ops.numeric(), True),
    (~ops.named("a"), True),
    (ops.missing(), False),
    (~ops.missing(), False),
    (ops.missing() & ops.named(), True),
    (ops.missing() | ops.everything(), True),
    (ops.missing() | ops.numeric(), False),
    (ops.cardinality(at_most=2), False),
    (ops.cardinality(at_most=2) & ops.categorical(), True),
    (ops.cardinality(at_most=2) & ops.tensor(), True),
]


@pytest.mark.parametrize(("selector", "known"), KNOWN, ids=str)
def test_known(selector, known):
    """A type knows a choice unless it hangs on data; what is known is what data gives."""
    assert selector.known(TASK)
    assert selector.known(TASK.outline()) == known
    sure, possible = selector.bounds(TASK.outline())
    assert sure <= set(selector.of(TASK)) <= possible
    if known:
        assert selector.of(TASK.outline()) == selector.of(TASK)
        return
    with pytest.raises(SchemaError, match="can only be told from data"):
        selector.of(TASK.outline())


def inferred(graph, task=TASK):
    return infer_graph(graph, (task.outline(),), key=KEY, context=Context())[0][0]


@pytest.mark.parametrize("selector", [case[0] for case in KNOWN], ids=str)
def test_type_of_select(selector):
    """What is surely kept is foreseen, and the type is open where more may come."""
    found, out = inferred(ops.select(selector)), fp.transform(ops.select(selector), TASK, key=KEY)
    assert found.open == (not selector.known(TASK.outline()))
    assert set(found.features) <= set(out.features)
    assert found.open or found.features == out.features
    assert all(found.dtype(name) == out.dtype(name) for name in found.features)


def test_type_of_an_operator():
    """Features that may change or not are not foreseen; those that stay as they are stay."""
    found = inferred(ops.scale(columns=ops.missing() & ops.numeric()))
    assert found.open
    # A float that may be scaled is a float; the integer and the short float may become one.
    assert found.features == ("a", "colour", "flag", "day", "at", "took", "image")
    assert not inferred(ops.scale(columns=ops.missing() & ops.named("a"))).open


def test_names_in_an_open_type():
    """A name that is not known yet may come with data; one that never comes is an error at fit."""
    open_ = ops.select(ops.missing())
    fp.check(open_ >> ops.select("flag") >> ops.ordinal(columns="flag"), TASK)
    fp.check(open_ >> ops.scale(columns="a"), TASK)
    with pytest.raises(SchemaError, match="there is no feature 'b'"):
        fp.fit(open_ >> ops.select("b"), TASK, key=KEY)
    with pytest.raises(SchemaError, match="there is no feature 'z'"):
        fp.check(ops.select("z"), TASK)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: ops.missing(0), "at_least cannot be 0"),
        (lambda: ops.missing(1.5), "at_least cannot be 1.5"),
        (lambda: ops.missing(True), "at_least cannot be True"),
        (lambda: ops.cardinality(), "needs a bound"),
        (lambda: ops.cardinality(at_most=-1), "at_most cannot be -1"),
        (lambda: ops.select(3), "selector cannot be 3"),
        (lambda: ops.cardinality(at_least=5, at_most=2), "bounds are crossed"),
        (lambda: ops.matching("("), "'[(]' is no regular expression"),
        (lambda: ops.matching(3), "3 is no regular expression"),
        (lambda: ops.named(3), "named by a string, not by 3"),
        (lambda: ops.named(["a", "b"]), "named by a string, not by"),
        (lambda: ops.select([3]), "named by a string, not by 3"),
        (lambda: ops.numeric() & 3, "joined with selectors, not with int"),
        (lambda: 3 | ops.numeric(), "joined with selectors, not with int"),
        (lambda: ops.numeric() | nn.relu(), "joined with selectors, not with Graph"),
        (lambda: ops.numeric() - ops.named("a"), "no difference"),
        (lambda: ["a", "b"] - ops.named("a"), "no difference"),
        (lambda: ops.numeric() and ops.named("a"), "neither true nor false"),
        (lambda: not ops.numeric(), "neither true nor false"),
    ],
    ids=[
        "missing-0", "missing-share", "missing-bool", "cardinality", "cardinality-low", "select",
        "crossed", "pattern", "no-pattern", "number", "list", "list-of-numbers", "and-3", "3-or",
        "or-graph", "minus", "list-minus", "and", "not",
    ],
)  # fmt: skip
def test_bad_parameters(make, rule):
    """Parameters that make no sense are refused at once."""
    with pytest.raises(ParameterError, match=rule) as caught:
        make()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (lambda: ops.named(["a", "b"]), "ops.named('a', 'b')"),
        (lambda: ops.matching("("), r"ops.matching('\\(')"),
        (lambda: ops.numeric() - ops.named("a"), "a & ~b"),
        (lambda: ops.numeric() and ops.named("a"), "& for and"),
        (lambda: ops.cardinality(at_least=5, at_most=2), "at_least=2, at_most=5"),
    ],
)
def test_advice(make, fix):
    """What was meant is said."""
    with pytest.raises(ParameterError) as caught:
        make()
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (lambda: ops.select("a", "b"), "ops.select(['a', 'b'])"),
        (lambda: ops.select(ops.numeric(), ops.dates()), "|"),
    ],
)
def test_select_takes_one_choice(make, fix):
    """Several names in a row are refused, and how to give them is said."""
    with pytest.raises(ParameterError, match="but got 2 arguments") as caught:
        make()
    assert "list of names" in caught.value.expected
    assert caught.value.got
    assert fix in caught.value.fix


def test_select_that_chooses_nothing_is_no_error():
    """No feature of a kind is no mistake: another path may bring features."""
    task = TASK.select(("a", "b"))
    assert fp.transform(ops.select(ops.dates()), task, key=KEY).features == ()
