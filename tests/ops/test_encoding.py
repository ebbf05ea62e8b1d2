"""Encoders against scikit-learn, and what they do with unseen levels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, ParameterError, SchemaError

RNG = np.random.default_rng(4)
KEY = fp.key(0)
N = 60
COLOURS = RNG.choice(["red", "green", "blue"], N)
SIZES = RNG.choice(["s", "m", "l"], N)
ORDER = ["s", "m", "l"]
HOLED = [None if i % 5 == 0 else c for i, c in enumerate(COLOURS.tolist())]
TASK = fp.regression(
    {
        "a": RNG.normal(size=N),
        "colour": COLOURS,
        "size": pl.Series(SIZES, dtype=pl.Enum(ORDER)),
        "flag": [None if i % 7 == 0 else bool(i % 2) for i in range(N)],
        "holed": HOLED,
        "y": range(N),
    },
    "y",
)
LEVELLED = ("colour", "size", "holed")


def features(task, names):
    return task.table.select(names).cast(pl.Float64).fill_null(np.nan).to_numpy()


def new(**columns):
    """Return new rows over the first ones, with some columns replaced."""
    rows = len(next(iter(columns.values())))
    return TASK.table.head(rows).with_columns(**{n: pl.Series(v) for n, v in columns.items()})


# one_hot


def test_numbers_one_hot():
    """one_hot: columns and values are scikit-learn's, behind the features left alone."""
    out = fp.transform(ops.one_hot(), TASK, key=KEY)
    encoder = OneHotEncoder(sparse_output=False, categories=[["blue", "green", "red"], ORDER])
    expected = encoder.fit_transform(np.stack([COLOURS, SIZES], axis=1).astype(object))
    colour = [f"colour.{level}" for level in ("blue", "green", "red")]
    size = [f"size.{level}" for level in ORDER]
    holed = [f"holed.{level}" for level in ("blue", "green", "red")]
    assert out.features == ("a", "flag", *colour, *size, *holed)
    np.testing.assert_array_equal(features(out, [*colour, *size]), expected)
    assert out.column("flag").equals(TASK.column("flag"))
    # A missing level is missing in all of its columns.
    gaps = np.array([c is None for c in HOLED])
    assert np.isnan(features(out, holed)[gaps]).all()
    np.testing.assert_array_equal(features(out, holed)[~gaps], expected[~gaps, :3])


def test_one_hot_of_levels_without_rows():
    """An Enum keeps levels that no row has, and their order."""
    column = pl.Series(["s", "l", "s"], dtype=pl.Enum(["s", "m", "l"]))
    out = fp.transform(ops.one_hot(), fp.regression({"size": column, "y": range(3)}, "y"), key=KEY)
    assert out.features == ("size.s", "size.m", "size.l")
    assert out.column("size.m").to_list() == [0.0, 0.0, 0.0]


def test_one_hot_of_chosen_columns():
    """Only the chosen features are encoded."""
    out = fp.transform(ops.one_hot(columns="size"), TASK, key=KEY)
    assert out.features == ("a", "colour", "flag", "holed", "size.s", "size.m", "size.l")


@pytest.mark.parametrize(("unseen", "expected"), [("zeros", 0.0), ("missing", None)])
def test_unseen_levels_one_hot(unseen, expected):
    """A level that was not there at fit is zeros or missing, as asked; known ones are encoded."""
    fitted = fp.fit(ops.one_hot(unseen=unseen), TASK, key=KEY)
    out = fp.apply(fitted, new(colour=["red", "pink", None]))
    assert out.column("colour.red").to_list() == [1.0, expected, None]
    assert out.column("colour.blue").to_list() == [0.0, expected, None]


# ordinal


def test_numbers_ordinal():
    """ordinal: codes are scikit-learn's with the order of the levels; missing stays missing."""
    out = fp.transform(ops.ordinal(), TASK, key=KEY)
    names = sorted(set(COLOURS))
    encoder = OrdinalEncoder(categories=[names, ORDER, [*names, np.nan]])
    raw = np.stack([COLOURS, SIZES, np.array(HOLED, object)], axis=1).astype(object)
    raw[[c is None for c in HOLED], 2] = np.nan
    np.testing.assert_array_equal(features(out, LEVELLED), encoder.fit_transform(raw))
    assert out.features == TASK.features
    assert all(out.dtype(name) == pl.Int64() for name in LEVELLED)
    assert out.column("flag").equals(TASK.column("flag"))


@pytest.mark.parametrize(
    ("unseen", "settings", "expected"),
    [
        ("missing", {"unknown_value": np.nan}, [2, None, None, 0]),
        ("code", {"unknown_value": 3}, [2, 3, None, 0]),
    ],
)
def test_unseen_levels_ordinal(unseen, settings, expected):
    """A level that was not there at fit is missing, or the next code, as in scikit-learn."""
    fitted = fp.fit(ops.ordinal(unseen=unseen), TASK, key=KEY)
    column = ["red", "pink", None, "blue"]
    out = fp.apply(fitted, new(colour=column))
    assert out.column("colour").to_list() == expected
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", **settings)
    encoder.fit(COLOURS[:, None].astype(object))
    known = [[c] for c in column if c is not None]
    found = out.column("colour").to_numpy()[[0, 1, 3]].astype(float)
    np.testing.assert_array_equal(found, encoder.transform(np.array(known, object))[:, 0])


def test_ordinal_of_truth_values():
    """Truth values are encoded where they are asked for: False is 0, True is 1."""
    out = fp.transform(ops.ordinal(columns=["flag", "size"]), TASK, key=KEY)
    assert out.column("flag").to_list() == [None if i % 7 == 0 else int(i % 2) for i in range(N)]
    assert out.column("colour").equals(TASK.column("colour"))


@pytest.mark.parametrize("unseen", ["error", "missing", "code"])
def test_ordinal_matches_levels_by_name(unseen):
    """The order of levels in new data does not matter."""
    fitted = fp.fit(ops.ordinal(unseen=unseen), TASK, key=KEY)
    texts = ["l", "s", "m", None]
    for dtype in (pl.String, pl.Categorical, pl.Enum(["m", "l", "s"]), pl.Enum(["x", *ORDER])):
        out = fp.apply(fitted, new(size=pl.Series(texts, dtype=dtype)))
        assert out.column("size").to_list() == [2, 0, 1, None]


# drop_unseen_levels


def test_drop_unseen_levels():
    """drop_unseen_levels: what was not there at fit is missing, so that an imputer can fill it."""
    graph = ops.drop_unseen_levels() >> ops.impute_mode() >> ops.one_hot()
    fitted, out = fp.run(ops.drop_unseen_levels(), TASK, key=KEY)
    assert out.table.equals(TASK.table)
    later = fp.apply(fitted, new(colour=["pink", "red", None]))
    assert later.column("colour").to_list() == [None, "red", None]
    assert later.dtype("colour") == TASK.dtype("colour")
    encoded = fp.apply(fp.fit(graph, TASK, key=KEY), new(colour=["pink", "red"]))
    most = max(set(COLOURS), key=COLOURS.tolist().count)
    assert encoded.column(f"colour.{most}")[0] == 1.0


# Both


@pytest.mark.parametrize("name", ["one_hot", "ordinal"])
def test_unseen_levels_that_no_row_has(name):
    """Levels of an Enum that no row uses are no unseen levels."""
    fitted = fp.fit(getattr(ops, name)(), TASK, key=KEY)
    enum = pl.Series(["red", "blue"], dtype=pl.Enum(["pink", "red", "blue"]))
    out = fp.apply(fitted, new(colour=enum))
    assert out.column("colour.red" if name == "one_hot" else "colour").to_list() in ([1, 0], [2, 0])


CLASH = fp.regression({"c": ["u", "v"], "c.u": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
PATTERN = fp.regression({"^k": ["u$", "v"], "y": [1, 2]}, "y")
ROLE = fp.regression({"c": ["u", "v"], "c.u": ["a", "b"], "y": [1, 2]}, "y", group="c.u")


def unseen(name):
    return lambda: fp.apply(
        fp.fit(getattr(ops, name)(), TASK, key=KEY), new(colour=["red", "pink"])
    )


BAD = [
    ("one_hot-unseen", unseen("one_hot"), DataError, "has the level 'pink', which was not"),
    ("ordinal-unseen", unseen("ordinal"), DataError, "has the level 'pink', which was not"),
    (
        "one_hot-clash",
        lambda: fp.fit(ops.one_hot() >> ops.scale(), CLASH, key=KEY),
        SchemaError,
        "a second column 'c.u'",
    ),
    (
        "one_hot-clash-check",
        lambda: fp.check(ops.one_hot(), CLASH),
        SchemaError,
        "a second column 'c.u'",
    ),
    (
        "one_hot-clash-role",
        lambda: fp.fit(ops.one_hot() >> ops.scale(), ROLE, key=KEY),
        SchemaError,
        "a second column 'c.u'",
    ),
    (
        "one_hot-pattern",
        lambda: fp.check(ops.one_hot(), PATTERN),
        SchemaError,
        "a pattern to polars",
    ),
    (
        "one_hot-truths",
        lambda: fp.check(ops.one_hot(columns="flag"), TASK),
        SchemaError,
        "one_hot cannot work on 'flag', which is Boolean",
    ),
    (
        "ordinal-numbers",
        lambda: fp.fit(ops.ordinal(columns="a"), TASK, key=KEY),
        SchemaError,
        "ordinal cannot work on 'a'",
    ),
    ("one_hot-policy", lambda: ops.one_hot(unseen="code"), ParameterError, "unseen cannot be"),
    ("ordinal-policy", lambda: ops.ordinal(unseen="zeros"), ParameterError, "unseen cannot be"),
    (
        "drop_unseen_levels-numbers",
        lambda: fp.fit(ops.drop_unseen_levels(columns="a"), TASK, key=KEY),
        SchemaError,
        "drop_unseen_levels cannot work on 'a'",
    ),
]


@pytest.mark.parametrize(
    ("act", "error", "rule"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_input(act, error, rule):
    """What cannot be encoded is an error that says why and what to do."""
    with pytest.raises(error, match=rule) as caught:
        act()
    assert caught.value.expected
    assert caught.value.got
    assert caught.value.fix
